"""Makes stand-ins, each once a day: kept in a directory, by what they are made of.

Whoever asks gets an OCI image layout. Several processes may ask at once.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import platform
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from images import Place
from platformdirs import user_cache_path
from servers import serving
from world import Index

from standins import frameworks, recipes
from standins.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from standins.frameworks import Offer

    Maker = Callable[["Workshop", Path], None]  # writes an OCI layout where the path says

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def directory() -> Path:
    """Return where stand-ins are kept: ``$DS01_TEST_CACHE``, or a place of the user's."""
    named = os.environ.get("DS01_TEST_CACHE")
    return Path(named) if named else user_cache_path("ds01-tests")


@dataclass(frozen=True)
class Workshop:
    """A directory of finished stand-ins, and of what making them leaves: a store, downloads."""

    root: Path

    @property
    def place(self) -> Place:
        return Place(root=self.root / "work")

    @property
    def scratch(self) -> Path:
        return self.root / "downloads"

    def layout(self, name: str, make: Maker) -> Layout:
        """Return the stand-in of that name, made with ``make`` unless there is one of today."""
        day = self.root / _stamp()
        day.mkdir(parents=True, exist_ok=True)
        with _locked(self.root / f"{name}.lock"):
            if not (day / name).exists():
                self._forget()
                aside = day / f".{name}"
                shutil.rmtree(aside, ignore_errors=True)
                make(self, aside)
                Layout(aside).rename(name)
                aside.rename(day / name)
        return Layout(day / name)

    def _forget(self) -> None:
        """Remove what is older than yesterday: nobody works with it any more."""
        oldest = f"made-{_today() - dt.timedelta(days=1)}"
        for other in self.root.glob("made-*"):
            if other.name < oldest:
                shutil.rmtree(other, ignore_errors=True)

    def sources(self) -> Path:
        """Return a file of apt sources for Debian 12: of the mirror that ds01 uses here."""
        path = self.root / "work/debian.sources"
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}")  # others may read it meanwhile
        aside.write_bytes(recipes.apt_sources(os.environ.get("DS01_APT_MIRROR", "")))
        return aside.replace(path)

    def framework(self, *, public: bool, real: bool) -> list[Offer]:
        """Return the wheels of a framework; see ``frameworks.offers``."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        with _locked(self.root / "downloads.lock"):
            return frameworks.offers(public=public, real=real, scratch=self.scratch)

    def build(
        self, name: str, recipe: Callable[[str], str], wheels: Sequence[Offer], *options: str
    ) -> Path:
        """Build a recipe, which gets the URL of an index of ``wheels``, and return its path."""
        own = self.place.root / name
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        self.place.home.mkdir(exist_ok=True)
        shutil.copyfile(self.sources(), own / recipes.SOURCES)
        with serving() as server:
            index = Index(server, "/standin")
            for wheel in wheels:
                index.add(wheel.file, wheel.body, wheel.metadata)
            (own / "recipe.toml").write_text(recipe(index.url))
            self.place.build(own / "recipe.toml", *options)
        return own / "recipe.toml"

    def export(self, image: str, destination: Path) -> None:
        ended = self.place.ds01("image", "export", image, "--oci-dir", destination)
        assert ended.code == 0, ended.err


def _stamp() -> str:
    """Return a name for what today's tests make; it changes with what makes it."""
    summed = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        summed.update(file.read_bytes())
    return f"made-{_today()}-{summed.hexdigest()[:16]}"


def _today() -> dt.date:
    return dt.datetime.now(dt.timezone.utc).date()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def plain(shop: Workshop, destination: Path) -> None:
    """Make a Debian with apt and Python."""
    shop.build("plain", lambda _: recipes.plain("plain"), [])
    shop.export("plain", destination)


def old(shop: Workshop, destination: Path) -> None:
    """Make the same with old Python packages that belong to .debs."""
    shop.build("d", lambda _: recipes.plain("d", recipes.OLD), [])
    shop.export("d", destination)


def tools(shop: Workshop, destination: Path) -> None:
    """Make the same as the plain one with git."""
    shop.build("tools", lambda _: recipes.plain("tools", ("git",)), [])
    shop.export("tools", destination)


def framework(name: str, *, public: bool, real: bool) -> Maker:
    """Return what makes a stand-in for a framework's image."""

    def make(shop: Workshop, destination: Path) -> None:
        wheels = shop.framework(public=public, real=real)
        named = [str(wheel) for wheel in wheels if "torch" in wheel.file]
        shop.build(name, partial(recipes.framework, name, named), wheels)
        shop.export(name, destination)

    return make
