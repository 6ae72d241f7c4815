"""What a lock keeps of the one before, and what resolvers are asked and told."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from bases import facts
from values import an_image_lock, deb_pin

from ds01build.errors import RecipeError
from ds01build.lock import LockedImage
from ds01build.platform import Platform
from ds01build.resolve import uv
from ds01build.resolve.request import Wanted, Wheels, options
from ds01build.target import Directory, Ground, Link
from ds01build.workflow import locking
from ds01build.workflow.footing import Relocking
from ds01build.workflow.request import read_request
from ds01build.workflow.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.base.facts import BaseFacts
    from ds01build.direct import Direct
    from ds01build.lock import Lock
    from ds01build.pin import DebPin, WheelPin
    from ds01build.recipe import FrameworkBase, ImageBase
    from ds01build.resolve.apt import AptWanted
    from ds01build.resolve.request import Supplied

RECIPE = 'schema = 1\nname = "demo"\n[base]\ndebian = "{suite}"\n'
DEBS = (deb_pin("libc6", version="2.36-9"), deb_pin("python3.11-minimal", version="3.11.2-6"))


@dataclass
class Remembering:
    """A resolver that finds the same .debs always, and remembers what it should have kept."""

    kept: list[dict[str, str]] = field(default_factory=list)
    over: tuple[DebPin, ...] = ()

    def debs(self, suite: str, wanted: AptWanted) -> tuple[DebPin, ...]:  # noqa: ARG002
        self.kept.append(dict(wanted.keep))
        return DEBS

    def debs_over(self, base: BaseFacts, wanted: AptWanted) -> tuple[DebPin, ...]:  # noqa: ARG002
        self.kept.append(dict(wanted.keep))
        return self.over

    def wheels(
        self,
        wanted: Wanted,  # noqa: ARG002
        keep: Mapping[str, WheelPin],  # noqa: ARG002
    ) -> Wheels:
        return Wheels()


class NoImages:
    """There is no image that anything stands on."""

    def locked(
        self, wanted: ImageBase | FrameworkBase, previous: LockedImage | None
    ) -> LockedImage:
        raise AssertionError(wanted, previous)

    def facts(self, image: LockedImage) -> BaseFacts:
        raise AssertionError(image)

    def known(self, image: LockedImage) -> BaseFacts | None:
        raise AssertionError(image)


class NoSources:
    """Every wheel is one of an index."""

    def direct(self, wanted: Direct, known: WheelPin | None) -> Supplied:
        raise AssertionError(wanted, known)

    def sdist(self, name: str, wanted: Wanted, known: WheelPin | None) -> Supplied:
        raise AssertionError(name, wanted, known)

    def kept(self, pin: WheelPin) -> Supplied | None:
        raise AssertionError(pin)


@dataclass(frozen=True)
class OneImage:
    """Every name is that of one image."""

    found: BaseFacts

    def locked(
        self,
        wanted: ImageBase | FrameworkBase,  # noqa: ARG002
        previous: LockedImage | None,  # noqa: ARG002
    ) -> LockedImage:
        image = an_image_lock().base
        assert isinstance(image, LockedImage)
        return replace(image, ground=Ground(), glibc="")

    def facts(self, image: LockedImage) -> BaseFacts:  # noqa: ARG002
        return self.found

    def known(self, image: LockedImage) -> BaseFacts | None:  # noqa: ARG002
        return None


def asked(recipe: Path, previous: Lock | None, resolver: Remembering) -> Relocking:
    return Relocking(
        request=read_request(recipe),
        previous=previous,
        upgrade=Upgrade(),
        architecture="amd64",
        resolver=resolver,
        bases=NoImages(),
        sources=lambda _: nullcontext(NoSources()),
        warn=print,
        note=print,
    )


@pytest.mark.parametrize(("suite", "kept"), [("bookworm", len(DEBS)), ("trixie", 0)])
def test_versions_of_another_suite_are_not_kept(tmp_path: Path, suite: str, kept: int) -> None:
    recipe, resolver = tmp_path / "demo.toml", Remembering()
    recipe.write_text(RECIPE.format(suite="bookworm"), encoding="utf-8")
    before = locking.relock(asked(recipe, None, resolver))
    more = 'packages = ["tree"]\n'
    recipe.write_text(RECIPE.format(suite=suite) + more, encoding="utf-8")
    locking.relock(asked(recipe, before, resolver))
    assert len(resolver.kept[-1]) == kept


@pytest.mark.parametrize(("glibc", "name"), [((2, 36), "2_36"), ((2, 41), "2_40")])
def test_uv_is_asked_for_a_platform_that_it_knows(glibc: tuple[int, int], name: str) -> None:
    platform = Platform(python="3.13.5", glibc=glibc, machine="x86_64")
    arguments = options(Wanted(requests=(), platform=platform))
    assert f"x86_64-manylinux_{name}" in arguments


def test_a_token_in_the_query_of_an_index_is_not_shown() -> None:
    url = "https://index.example/simple?token=s3cret"
    index = uv.Index(alias="default", url=url, secret_url=url)
    told = "Failed to fetch: `https://index.example/simple/demo/?token=s3cret`"
    assert uv._redacted(told, [index]) == "Failed to fetch: `https://index.example/simple/demo/`"


def test_a_declared_file_that_is_not_there_is_named_by_its_path(tmp_path: Path) -> None:
    recipe = tmp_path / "demo.toml"
    files = '[tiers.some]\nkind = "files"\nfiles = [{ from = "gone", to = "/etc/gone" }]\n'
    recipe.write_text(RECIPE.format(suite="bookworm") + files, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        read_request(recipe)
    assert [issue.path for issue in caught.value.issues] == ["tiers.some.files[0].from"]


BASE = replace(
    facts(),
    directories=(Directory("opt/shared/deep", 0o2775), Directory("scratch", 0o1777)),
    links=(Link("opt/a", "shared"), Link("opt/tool", "tool-2"), Link("srv/www", "/var/www")),
)


@pytest.mark.parametrize(
    "path",
    ["/scratch", "/opt/shared/deep", "/opt/shared", "/opt/tool", "/srv/www", "/opt/a/deep"],
)
def test_a_file_never_takes_the_place_of_a_directory_of_an_image(tmp_path: Path, path: str) -> None:
    recipe = tmp_path / "demo.toml"
    (tmp_path / "x").touch()
    text = 'schema = 1\nname = "demo"\n[base]\nimage = "python:3.12"\n[tiers.some]\n'
    files = f'kind = "files"\nfiles = [{{ from = "x", to = "{path}" }}]\n'
    recipe.write_text(text + files, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        locking.relock(replace(asked(recipe, None, Remembering()), bases=OneImage(BASE)))
    assert str(caught.value) == (
        f"{recipe}: tiers.some.files: {path} is a directory of the base, and a file cannot take"
        " its place"
    )


OVER = """schema = 1
name = "demo"
base.image = "python:3.12"
tiers.system = { kind = "apt", packages = ["git"] }
tiers.above = { kind = "files", files = [{ from = "x", to = "/srv/a" }], after = ["system"] }
tiers.media = { kind = "apt", packages = ["ffmpeg"] }
tiers.config = { kind = "files", files = [{ from = "x", to = "/srv/c" }] }
tiers.models = { kind = "run", commands = ["true"], after = ["config"] }
"""


def test_what_an_engine_executes_lies_above_native_tiers_that_do_not_name_it(
    tmp_path: Path,
) -> None:
    recipe = tmp_path / "demo.toml"
    (tmp_path / "x").touch()
    debs = (deb_pin("ffmpeg", tier="media"), deb_pin("git", tier="system"))

    def order(text: str, previous: Lock | None) -> tuple[Lock, list[str]]:
        recipe.write_text(text, encoding="utf-8")
        over = tuple(pin for pin in debs if f"tiers.{pin.tier} " in text)
        ask = replace(asked(recipe, previous, Remembering(over=over)), bases=OneImage(BASE))
        lock = locking.relock(ask)
        return lock, [layer.tier for layer in lock.layers]

    lock, fresh = order(OVER, None)
    assert fresh == ["config", "system", "above", "media", "models"]
    old = replace(
        lock,
        layers=(lock.layers[1], lock.layers[3], lock.layers[0], *lock.layers[2:3], lock.layers[4]),
    )
    assert order(OVER, old)[1] == [layer.tier for layer in old.layers], "an order is kept"
    without = "".join(line for line in OVER.splitlines(keepends=True) if "media" not in line)
    first, before = order(without, None)
    assert order(OVER, first)[1] == [*before, "media"], "a new tier lies on top"
