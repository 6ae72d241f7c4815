"""The same lock is the same image, whoever builds it, where, when and how."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli
import tomli_w
from images import SCRIPT, actions, require, run

from ds01build.catalogue import bundles
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from images import Answer, Gallery, Place, Shipped

pytestmark = pytest.mark.network

NOBODY = 65534
FARAWAY = {
    "TZ": "Pacific/Kiritimati",  # 14 hours ahead of UTC
    "LANG": "tr_TR.UTF-8",  # where i and I are two letters
    "LC_ALL": "tr_TR.UTF-8",
    "PYTHONHASHSEED": "1",
    "SOURCE_DATE_EPOCH": "1700000000",
}
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONHASHSEED": "2"}
ONE_PROCESSOR = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
ANOTHER_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
ANOTHER_YEAR = ("faketime", "2031-07-01 12:00:00")


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What is different from the session's own build, apart from home, store and recipe's path."""

    variables: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    umask: int = 0o022
    cwd: Path | None = None


CASES = {
    "elsewhere": Circumstances(variables=FARAWAY, umask=0, cwd=Path("/")),
    "one worker": Circumstances(variables=ASCII, prefix=ONE_PROCESSOR, umask=0o077),
    "another user": Circumstances(prefix=ANOTHER_USER),
    "another year": Circumstances(prefix=ANOTHER_YEAR),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_lock_is_the_same_image(case: str, gallery: Gallery) -> None:
    image = gallery.built("slim")
    check_same(image, build_again(image, CASES[case], gallery))


@pytest.mark.slow
def test_a_large_image_is_the_same_when_everything_else_differs(gallery: Gallery) -> None:
    image = gallery.built("ml", "--keep-sources")
    clock = ANOTHER_YEAR if shutil.which("faketime") else ()
    user = ANOTHER_USER if os.geteuid() == 0 and can_run(ANOTHER_USER) else ()
    all_at_once = Circumstances(
        variables={**FARAWAY, **ASCII},
        prefix=(*clock, *ONE_PROCESSOR, *user),
        umask=0,
        cwd=Path("/"),
    )
    check_same(image, build_again(image, all_at_once, gallery))


@pytest.mark.parametrize("name", ["quickstart", pytest.param("ml", marks=pytest.mark.slow)])
def test_packages_in_another_order_are_the_same_image(name: str, gallery: Gallery) -> None:
    image = gallery.built(name, *(["--keep-sources"] if name == "ml" else []))
    recipe = gallery.copy(name)
    shutil.copyfile(lock_path(image.recipe), lock_path(recipe))
    before = recipe.read_text()
    reorder(recipe)
    assert recipe.read_text() != before
    answer = image.place.build(recipe, "--locked", "--offline")
    assert actions(answer) == {"reused"}
    assert answer["image"] == image.answer["image"]


def test_packages_in_another_order_are_the_same_lock(gallery: Gallery) -> None:
    locks = []
    for change in (lambda _: None, reorder):
        recipe = gallery.copy("quickstart")
        change(recipe)
        lock_path(recipe).unlink()
        ended = gallery.place.ds01("lock", "--quiet", recipe)
        assert ended.code == 0, ended.err
        locks.append(lock_path(recipe).read_bytes())
    assert locks[0] == locks[1]


def build_again(image: Shipped, how: Circumstances, gallery: Gallery) -> Answer:
    """Build ``image`` from its sources alone, in a store of its own."""
    if how.prefix:
        require(how.prefix[0], root=ANOTHER_USER[0] in how.prefix)
    if ANOTHER_USER[0] in how.prefix and not can_run(ANOTHER_USER):
        pytest.skip("another user can't reach this Python")
    place = gallery.seeded(image)
    if ANOTHER_USER[0] in how.prefix:
        give_away(place)
    place = replace(place, variables=how.variables, prefix=how.prefix, umask=how.umask, cwd=how.cwd)
    return place.build(image.recipe, "--locked", "--offline")


def check_same(image: Shipped, again: Answer) -> None:
    assert actions(again) == {"written"}
    assert again["bytes"]["downloaded"] == 0
    assert [layer["diff_id"] for layer in again["layers"]] == image.config["rootfs"]["diff_ids"]
    assert [layer["digest"] for layer in again["layers"]] == [
        layer["digest"] for layer in image.manifest["layers"]
    ]
    assert again["image"]["digest"] == image.digest


def can_run(prefix: tuple[str, ...]) -> bool:
    """Say whether ds01 starts at all behind ``prefix``; a home directory may be closed."""
    return run(*prefix, SCRIPT, "--version", cwd=Path("/")).code == 0


def give_away(place: Place) -> None:
    """Let the other user own a place; what is linked from another store is copied first."""
    for blob in (place.store / "blobs/sha256").iterdir():
        copy = blob.with_suffix(".copy")
        shutil.copy(blob, copy)
        copy.replace(blob)
    for path in (place.home, place.store, *place.store.rglob("*")):
        os.lchown(path, NOBODY, NOBODY)


def reorder(recipe: Path) -> None:
    """Turn round the packages of all tiers and the keys of all tables; tiers stay in order."""
    tables = tomli.loads(recipe.read_text())
    for tier in tables["tiers"].values():
        packages = {*tier.get("packages", ()), *named_by_bundle(tier)}
        tier["packages"] = sorted(packages, reverse=True)
    turned = {
        name: dict(reversed(table.items())) if name in ("image", "base") else table
        for name, table in reversed(tables.items())
    }
    recipe.write_text(tomli_w.dumps(turned))


def named_by_bundle(tier: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a tier's bundle names: a recipe may name it once more."""
    return bundles()[tier["bundle"]].packages if "bundle" in tier else ()
