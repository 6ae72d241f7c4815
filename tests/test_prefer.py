"""What a recipe takes from a site's lock: versions, and layers that others have as well."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tomli
from archive import Package
from test_locking import Remembering, asked
from values import MIB, deb_pin, digest, wheel_pin
from world import RECIPE as DEMO
from world import own_archive

from ds01build.errors import MissingDebs, ResolveError
from ds01build.resolve.request import Wheels
from ds01build.workflow import locking
from ds01build.workflow.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from world import World

    from ds01build.lock import Lock
    from ds01build.pin import DebPin, WheelPin
    from ds01build.resolve.apt import AptWanted
    from ds01build.resolve.request import Wanted

pytest_plugins = ("world_fixtures",)

BASE = 'schema = 1\nname = "demo"\n[base]\ndebian = "bookworm"\npackages = ["python3"]\n'
SIZES = {"large": 9 * MIB, "huge": 50 * MIB}


class Finding(Remembering):
    """A resolver that finds what is asked for, in the version that is kept or else the newest."""

    def wheels(self, wanted: Wanted, keep: Mapping[str, WheelPin]) -> Wheels:
        found = [
            wheel_pin(
                name,
                version=keep[name].version if name in keep else "2.0",
                size=SIZES.get(name, 1000),
                tier=request.tier,
            )
            for request in wanted.requests
            for name in request.requirements
        ]
        return Wheels(tuple({pin.name: pin for pin in reversed(found)}.values()))


def locked(
    directory: Path,
    tiers: Mapping[str, list[str]],
    *,
    before: Lock | None = None,
    site: Lock | None = None,
    upgrade: Upgrade | None = None,
    more: str = "",
) -> Lock:
    recipe = directory / "demo.toml"
    tables = (
        f'[tiers.{name}]\nkind = "python"\npackages = {pkgs}\n' for name, pkgs in tiers.items()
    )
    recipe.write_text(BASE + "".join(tables) + more, encoding="utf-8")
    ask = replace(asked(recipe, before, Finding()), site=site, upgrade=upgrade or Upgrade())
    return locking.relock(ask)


def layers(lock: Lock) -> list[tuple[str, ...]]:
    return [layer.names for layer in lock.layers if layer.kind == "wheels"]


def versions(lock: Lock) -> dict[str, str]:
    return {pin.name: pin.version for pin in lock.wheels}


def at(lock: Lock, version: str) -> Lock:
    """Return a site's lock with all wheels in that version."""
    wheels = (wheel_pin(p.name, version=version, size=p.size, tier=p.tier) for p in lock.wheels)
    return replace(lock, wheels=tuple(sorted(wheels)))


@pytest.fixture
def site(tmp_path: Path) -> Lock:
    tiers = {"first": ["huge", "a", "b"], "second": ["large", "x", "y", "z"]}
    made = at(locked(tmp_path, tiers), "1.0")
    assert layers(made) == [("huge",), ("a", "b"), ("large",), ("x", "y", "z")]
    return made


def test_a_first_lock_takes_the_versions_of_the_site(tmp_path: Path, site: Lock) -> None:
    lock = locked(tmp_path, {"work": ["a", "own"]}, site=site)
    assert versions(lock) == {"a": "1.0", "own": "2.0"}


def test_layers_that_are_there_as_a_whole_lie_lowest_in_the_order_of_the_site(
    tmp_path: Path, site: Lock
) -> None:
    lock = locked(tmp_path, {"work": ["own", "z", "y", "x", "b", "a", "huge"]}, site=site)
    assert layers(lock) == [("huge",), ("a", "b"), ("x", "y", "z"), ("own",)]
    assert lock.layers[1].tier == "work", "a tier of this recipe"


def test_what_is_there_of_a_layer_has_one_of_its_own_above_the_whole_ones(
    tmp_path: Path, site: Lock
) -> None:
    lock = locked(tmp_path, {"work": ["own", "a", "x", "y", "large"]}, site=site)
    assert layers(lock) == [("large",), ("a",), ("x", "y"), ("own",)]


def test_a_pin_of_another_digest_is_none_of_the_site_s(tmp_path: Path, site: Lock) -> None:
    other = tuple(
        replace(pin, digest=digest("other")) if pin.name == "b" else pin for pin in site.wheels
    )
    lock = locked(tmp_path, {"w": ["a", "b", "huge"]}, site=replace(site, wheels=other))
    assert layers(lock) == [("huge",), ("a",), ("b",)]


def test_a_small_package_of_one_s_own_never_joins_a_layer_of_the_site(
    tmp_path: Path, site: Lock
) -> None:
    tiers = {"work": ["huge", "a", "b"]}
    lock = locked(tmp_path, tiers, site=site)
    assert layers(lock) == [("huge",), ("a", "b")]
    more = locked(tmp_path, {"work": ["huge", "a", "b", "own"]}, before=lock, site=site)
    assert layers(more) == [("huge",), ("a", "b"), ("own",)]


def test_the_own_lock_wins_and_what_is_new_to_it_comes_from_the_site(
    tmp_path: Path, site: Lock
) -> None:
    own = at(locked(tmp_path, {"work": ["a", "b"]}), "1.5")
    lock = locked(tmp_path, {"work": ["a", "b", "x", "y", "z", "own"]}, before=own, site=site)
    assert versions(lock) == {
        "a": "1.5",
        "b": "1.5",
        "own": "2.0",
        "x": "1.0",
        "y": "1.0",
        "z": "1.0",
    }
    assert layers(lock) == [("a", "b"), ("x", "y", "z"), ("own",)]


def test_upgrading_everything_moves_to_what_the_site_has_now(tmp_path: Path, site: Lock) -> None:
    tiers = {"work": ["b", "a", "own", "huge"]}
    own = at(locked(tmp_path, tiers), "0.9")
    lock = locked(tmp_path, tiers, before=own, site=site, upgrade=Upgrade(everything=True))
    assert versions(lock) == {"a": "1.0", "b": "1.0", "huge": "1.0", "own": "2.0"}
    assert layers(lock) == [("huge",), ("a", "b"), ("own",)]


def test_a_package_that_is_upgraded_by_name_leaves_the_site(tmp_path: Path, site: Lock) -> None:
    tiers = {"work": ["a", "b"]}
    lock = locked(tmp_path, tiers, site=site)
    upgrade = Upgrade(packages=frozenset({"a"}))
    assert versions(locked(tmp_path, tiers, before=lock, site=site, upgrade=upgrade)) == {
        "a": "2.0",
        "b": "1.0",
    }


def test_the_order_and_the_names_of_tiers_change_nothing_that_is_shared(
    tmp_path: Path, site: Lock
) -> None:
    one = locked(tmp_path, {"p": ["a", "b", "x"], "q": ["huge", "y", "z"]}, site=site)
    two = locked(tmp_path, {"r": ["z", "y", "x", "huge"], "s": ["b", "a"]}, site=site)
    assert layers(one) == layers(two) == [("huge",), ("a", "b"), ("x", "y", "z")]


def test_commands_see_no_more_than_what_they_name(tmp_path: Path, site: Lock) -> None:
    run = '[tiers.late]\nkind = "run"\ncommands = ["true"]\nafter = ["p"]\n'
    lock = locked(tmp_path, {"p": ["a", "x"], "q": ["b", "y", "z"]}, site=site, more=run)
    assert layers(lock) == [("a",), ("b",), ("x",), ("y", "z")]
    run = run.replace('"p"', '"p", "q"')
    lock = locked(tmp_path, {"p": ["a", "x"], "q": ["b", "y", "z"]}, site=site, more=run)
    assert layers(lock) == [("a", "b"), ("x", "y", "z")]
    assert lock.layers[-1].kind == "executed"


class Archive(Remembering):
    """An archive that has some versions only, and refuses what it is told to."""

    def __init__(self, gone: tuple[str, ...] = (), refused: str = "") -> None:
        super().__init__()
        self.gone, self.refused = gone, refused

    def debs(self, suite: str, wanted: AptWanted) -> tuple[DebPin, ...]:
        gone = tuple(f"{n}={v}" for n, v in wanted.keep.items() if n in self.gone)
        found = super().debs(suite, wanted)
        if gone:
            raise MissingDebs(debs=gone)
        if self.refused in wanted.keep:
            raise ResolveError("these do not go together")
        return found


@pytest.mark.parametrize(
    ("archive", "kept"),
    [
        (Archive(), [{"libc6", "ed"}]),
        (Archive(gone=("ed",)), [{"libc6", "ed"}, {"libc6"}]),
        (Archive(refused="ed"), [{"libc6", "ed"}, set()]),
    ],
)
def test_versions_of_the_site_are_asked_for_as_long_as_apt_has_them(
    tmp_path: Path, site: Lock, archive: Archive, kept: list[set[str]]
) -> None:
    recipe = tmp_path / "demo.toml"
    recipe.write_text(BASE, encoding="utf-8")
    theirs = replace(site, debs=(deb_pin("ed"), deb_pin("libc6", version="2.36-8")))
    locking.relock(replace(asked(recipe, None, archive), site=theirs))
    assert [keep.keys() for keep in archive.kept] == kept


def test_versions_of_a_site_on_another_suite_are_not_asked_for(tmp_path: Path, site: Lock) -> None:
    recipe, archive = tmp_path / "demo.toml", Archive()
    recipe.write_text(BASE.replace("bookworm", "trixie"), encoding="utf-8")
    locking.relock(replace(asked(recipe, None, archive), site=site))
    assert archive.kept == [{}]


PREFER = '[resolve]\nprefer = "site/site.lock"\n'


@pytest.fixture
def shared(world: World) -> World:
    """Return a world whose index has newer versions than the site's lock beside the recipe."""
    (world.recipe.parent / "site").mkdir()
    world.lock.rename(world.recipe.parent / "site/site.lock")
    world.index.offer("lib", "1.1")
    world.index.offer("app", "1.1", requires=["lib>=1"])
    world.write(DEMO + PREFER)
    return world


def wheels(world: World) -> dict[str, str]:
    lock = tomli.loads(world.lock.read_text(encoding="utf-8"))
    return {row["name"]: row["version"] for row in lock["wheel"]}


def test_a_site_that_moves_makes_no_lock_stale(shared: World) -> None:
    assert shared.ds01("lock", "demo.toml").code == 0
    assert wheels(shared) == {"app": "1.0", "lib": "1.0"}
    before = shared.lock.read_bytes()
    site = shared.recipe.parent / "site/site.lock"
    site.write_bytes(b"no lock at all\n")
    assert shared.ds01("lock", "--check", "demo.toml").code == 0
    assert shared.build().code == 0
    site.unlink()
    assert shared.ds01("lock", "demo.toml").code == 0
    assert shared.lock.read_bytes() == before
    shared.write(DEMO)  # and neither does it to have preferred nothing
    assert shared.ds01("lock", "--check", "demo.toml").code == 0


def test_an_upgrade_takes_what_the_site_has_by_then(shared: World) -> None:
    shared.lock.write_bytes((shared.recipe.parent / "site/site.lock").read_bytes())
    shared.write(DEMO)
    assert shared.ds01("lock", "--upgrade", "demo.toml").code == 0
    assert wheels(shared) == {"app": "1.1", "lib": "1.1"}
    shared.write(DEMO + PREFER)
    assert shared.ds01("lock", "--upgrade", "demo.toml").code == 0
    assert wheels(shared) == {"app": "1.0", "lib": "1.0"}


def test_a_site_s_lock_that_cannot_be_had_is_named(shared: World) -> None:
    shared.built.clear()
    shared.built.update(shared.images())
    (shared.recipe.parent / "site/site.lock").unlink()
    problem = "'site/site.lock' cannot be read: No such file or directory"
    says = [f"error: demo.toml: resolve.prefer: {problem}"]
    says.append("hint:  ask whose lock it is, or leave prefer out under [resolve] of demo.toml")
    shared.refuses(1, "lock", "demo.toml", says=says)


def test_a_site_s_lock_that_is_damaged_is_not_the_user_s_to_remove(shared: World) -> None:
    shared.built.clear()
    shared.built.update(shared.images())
    (shared.recipe.parent / "site/site.lock").write_text("version = 99\n")
    outcome = shared.ds01("upgrade", "demo.toml")
    assert outcome.code == 1
    assert outcome.complaint[0].startswith("error: demo.toml: resolve.prefer: 'site/site.lock': ")
    hint = "hint:  ask whose lock it is, or leave prefer out under [resolve] of demo.toml"
    assert outcome.complaint[-1] == hint


@pytest.mark.parametrize(("mode", "code"), [(0o644, 0), (0o666, 1)])
def test_a_lock_elsewhere_is_believed_where_nobody_else_writes_it(
    shared: World, mode: int, code: int
) -> None:
    elsewhere = shared.root / "site.lock"
    (shared.recipe.parent / "site/site.lock").rename(elsewhere)
    elsewhere.chmod(mode)
    shared.write(f'{DEMO}[resolve]\nprefer = "{elsewhere}"\n')
    outcome = shared.ds01("lock", "demo.toml")
    assert outcome.code == code, outcome.err
    if code:
        assert outcome.complaint == [
            f"error: demo.toml: resolve.prefer: '{elsewhere}' can be written by others (mode 0666)",
            f"hint:  chmod go-w {elsewhere}",
        ]


def test_debs_of_the_site_that_the_archive_has_lost_are_replaced(shared: World) -> None:
    world = own_archive(shared)
    world.archive.publish(Package("bash", "5.2.15-3", files={"bin/bash": b"#!\n"}))
    kept = world.ds01("lock", "demo.toml")
    assert kept.code == 0, kept.err
    assert 'name = "bash"\nversion = "5.2.15-2"' in world.lock.read_text(encoding="utf-8")
    world.archive.drop("bash")
    world.lock.unlink()
    again = world.ds01("lock", "demo.toml")
    assert again.code == 0, again.err
    assert 'name = "bash"\nversion = "5.2.15-3"' in world.lock.read_text(encoding="utf-8")
