"""A recipe with all that it includes, and the digest that says whether a lock is stale."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ds01build import beneath
from ds01build.catalogue import bundles
from ds01build.digest import Digest, canonical
from ds01build.errors import Ds01Error, Issue, RecipeError
from ds01build.pin import FilePin
from ds01build.recipe import (
    AptTier,
    DebianBase,
    FilesTier,
    PythonTier,
    Recipe,
    packages_of,
    parse,
)
from ds01build.recipe.projection import projection
from ds01build.recipe.requirements import Requirements, expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ds01build.digest import Canonical
    from ds01build.recipe import Tier

__all__ = ["Request", "read_request", "request_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a recipe asks for. ``packages`` are by tier, bundles and includes expanded.

    ``constraints`` bound versions of packages that something else asks for, and ``digests`` the
    files of packages. ``included`` is what was read beside the recipe, by path.
    """

    path: Path
    text: str = field(repr=False)  # the recipe's file
    recipe: Recipe
    packages: dict[str, tuple[str, ...]]
    constraints: tuple[str, ...]
    digests: dict[str, tuple[Digest, ...]]
    included: dict[str, Digest]
    files: tuple[FilePin, ...]
    projected: dict[str, Canonical] = field(repr=False)  # what decides the lock

    @property
    def digest(self) -> Digest:
        """The digest that says whether a lock is stale."""
        return Digest.of(canonical(self.projected))

    @property
    def content(self) -> Digest:
        """The digest of the bytes of the recipe's file."""
        return Digest.of(self.text.encode())

    @property
    def directory(self) -> Path:
        """The directory that included and declared files lie below."""
        return self.path.parent

    def inputs(self) -> tuple[Path, ...]:
        """Return the files beside the recipe that it was read from, or that the image gets."""
        names = (*self.included, *(each.source for each in self.files))
        return tuple(self.directory / name for name in names)


def read_request(path: Path) -> Request:
    """Read the recipe at ``path`` and everything that it includes.

    Raises RecipeError and CycleError, and Ds01Error where an included or declared file is not
    there, is a link, or lies outside the recipe's directory.
    """
    if path.is_symlink():
        raise Ds01Error(
            f"{str(path)!r:.200} is a symbolic link, and a recipe is read where it lies",
            hint=f"name the file itself: {path.resolve()}",
        )
    if path.suffix == ".lock" and path.with_suffix(".toml").is_file():
        raise Ds01Error(
            f"{str(path)!r:.200} is a lock, and no recipe",
            hint=f"name its recipe: {path.with_suffix('.toml')}",
        )
    return request_of(path, beneath.read_text(path.parent, path.name))


def request_of(path: Path, text: str) -> Request:
    """Return what a recipe of that text would ask for if it lay at ``path``.

    Raises as ``read_request`` does.
    """
    recipe = _with_least(parse(text, source=str(path)))
    texts: dict[str, str] = {}

    def read(relative: str) -> str:
        texts[relative] = beneath.read_text(path.parent, relative)
        return texts[relative]

    extra = {t.name: expand(t, read) for t in recipe.tiers if isinstance(t, PythonTier)}
    files = tuple(pin for tier in recipe.tiers for pin in _pins(tier, path.parent))
    sources = {pin.source: pin.digest for pin in files}
    projected = projection(
        recipe, texts, {source: str(digest) for source, digest in sources.items()}, bundles()
    )
    return Request(
        path=path,
        text=text,
        recipe=recipe,
        packages={t.name: _packages(t, extra.get(t.name, Requirements())) for t in recipe.tiers},
        constraints=tuple(sorted({line for one in extra.values() for line in one.constraints})),
        digests=_common(one.digests for one in extra.values()),
        included={**{name: Digest.of(text.encode()) for name, text in texts.items()}, **sources},
        files=files,
        projected=projected,
    )


def _with_least(recipe: Recipe) -> Recipe:
    """Expand a Debian base as bundles are: when the least of it changes, locks become stale."""
    if not isinstance(recipe.base, DebianBase):
        return recipe
    from ds01build.layers import root  # not needed over an image, and 20 ms

    packages = tuple(sorted({*root.BASE_PACKAGES, *recipe.base.packages}))
    return replace(recipe, base=replace(recipe.base, packages=packages))


def _common(
    tables: Iterable[Mapping[str, tuple[Digest, ...]]],
) -> dict[str, tuple[Digest, ...]]:
    """Return the digests that every table which names a package allows it."""
    allowed: dict[str, tuple[Digest, ...]] = {}
    for table in tables:
        for name, digests in table.items():
            before = allowed.get(name, digests)
            allowed[name] = tuple(digest for digest in digests if digest in before)
    return allowed


def _packages(tier: Tier, included: Requirements) -> tuple[str, ...]:
    if not isinstance(tier, (AptTier, PythonTier)):
        return ()
    return tuple(sorted({*packages_of(tier, bundles()), *included.packages}))


def _pins(tier: Tier, directory: Path) -> list[FilePin]:
    entries = tier.files if isinstance(tier, FilesTier) else ()
    contents = [
        (entry, _declared(directory, entry.source, f"tiers.{tier.name}.files[{place}].from"))
        for place, entry in enumerate(entries)
    ]
    return [
        FilePin(
            to=entry.to,
            source=entry.source,
            mode=entry.mode,
            size=len(content),
            digest=Digest.of(content),
            tier=tier.name,
        )
        for entry, content in contents
    ]


def _declared(directory: Path, source: str, path: str) -> bytes:
    try:
        return beneath.read(directory, source)
    except Ds01Error as error:
        raise RecipeError(source="recipe", issues=(Issue(path, str(error)),)) from error
