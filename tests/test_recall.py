"""What an index is asked for when a recipe changes: only what may be another than it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tomli

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

LOCK = ("lock", "demo.toml")


@pytest.fixture
def known(world: World) -> World:
    """Return a world in which uv remembers the pages of app and lib as they were."""
    outcome = world.ds01(*LOCK, "--upgrade")
    assert outcome.code == 0, outcome.err
    world.index.server.requests.clear()
    return world


def asked(world: World) -> set[str]:
    """Lock, and return the packages whose pages were asked for."""
    outcome = world.ds01(*LOCK)
    assert outcome.code == 0, outcome.err
    pages = [path for path in world.index.server.paths() if "/simple/" in path]
    return {path.rstrip("/").rpartition("/")[2] for path in pages}


def versions(world: World) -> dict[str, str]:
    wheels = tomli.loads(world.lock.read_text())["wheel"]
    return {wheel["name"]: wheel["version"] for wheel in wheels}


def test_only_the_page_of_a_new_package_is_asked_for(known: World) -> None:
    known.ask_for("app", "other")
    assert asked(known) == {"other"}
    assert versions(known) == {"app": "1.0", "lib": "1.0", "other": "1.0"}


def test_no_page_is_asked_for_when_a_package_goes(known: World) -> None:
    known.ask_for("lib")
    assert asked(known) == set()
    assert versions(known) == {"lib": "1.0"}


def test_what_a_new_package_needs_is_asked_for_and_moves_if_it_has_to(known: World) -> None:
    known.index.offer("lib", "2.0")
    known.index.offer("fresh", requires=["lib>=2"])
    known.ask_for("app", "fresh")
    assert asked(known) == {"fresh", "lib"}
    assert versions(known) == {"app": "1.0", "fresh": "1.0", "lib": "2.0"}


def test_what_stays_does_not_move_to_a_newer_version(known: World) -> None:
    known.index.offer("lib", "2.0")
    known.index.offer("fresh", requires=["lib"])
    known.ask_for("app", "fresh")
    assert asked(known) == {"fresh", "lib"}
    assert versions(known)["lib"] == "1.0"


def test_all_is_asked_for_where_what_stays_holds_back_what_is_new(known: World) -> None:
    known.index.offer("app", "1.0", requires=["lib<2"])
    assert known.ds01(*LOCK, "--upgrade").code == 0
    known.index.server.requests.clear()
    known.index.offer("app", "2.0", requires=["lib>=2"])
    known.index.offer("lib", "2.0")
    known.index.offer("fresh", "1.0")
    known.index.offer("fresh", "2.0", requires=["lib>=2"])
    known.ask_for("app", "fresh")
    assert {"app", "fresh", "lib"} <= asked(known)
    assert versions(known) == {"app": "1.0", "fresh": "1.0", "lib": "1.0"}


def test_a_bound_that_the_lock_breaks_is_looked_for_in_the_index(known: World) -> None:
    known.index.offer("lib", "2.0")
    known.ask_for("app", "lib>=2")
    assert "lib" in asked(known)
    assert versions(known)["lib"] == "2.0"


def test_what_moves_is_not_chosen_from_a_page_of_yesterday(known: World) -> None:
    known.index.offer("lib", "1.5")
    for bound in ("lib>=1.5", "lib<1.5"):  # uv comes to know all of 1.5
        known.ask_for("app", bound)
        asked(known)
    assert versions(known)["lib"] == "1.0"
    known.index.offer("lib", "2.0")
    known.ask_for("app", "lib>=1.5")
    asked(known)
    assert versions(known)["lib"] == "2.0"


def test_who_remembers_nothing_comes_to_the_same_lock(known: World) -> None:
    known.ask_for("app", "other")
    before = known.lock.read_bytes()
    assert asked(known) == {"other"}
    made = known.lock.read_bytes()
    known.lock.write_bytes(before)
    known.variables["XDG_CACHE_HOME"] = str(known.root / "empty")
    assert {"app", "lib", "other"} <= asked(known)
    assert known.lock.read_bytes() == made != before
