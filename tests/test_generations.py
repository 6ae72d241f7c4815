"""Generations through the command line: history, rollback, pins, and what gc leaves of them."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from images import require, succeed
from test_repair import REPAIR, flip
from wheels import File
from world import RECIPE, copied

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

pytest_plugins = ("world_fixtures",)


def grow(world: World) -> World:
    """Give a world's image three generations: app; app and other; other alone."""
    for packages in (("app", "other"), ("other",)):
        world.ask_for(*packages)
        outcome = world.build()
        assert outcome.code == 0, outcome.err
    return world


@pytest.fixture(scope="module")
def grown(pristine: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("grown")
    root.chmod(0o700)
    return grow(copied(pristine, root))


@pytest.fixture
def three(grown: World, tmp_path: Path) -> World:
    """A copy of a world with three generations, whose recipe lay elsewhere when they were built."""
    return copied(grown, tmp_path)


@pytest.fixture
def here(world: World) -> World:
    """The same, whose second and third generation were built where the recipe lies."""
    return grow(world)


def gc(world: World, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
    """Collect without the engine that DOCKER_HOST names, which is not there."""
    return answer(world, "store", "gc", "--no-engine", *arguments)


def answer(world: World, *arguments: str | Path) -> Any:  # noqa: ANN401 (JSON)
    outcome = world.ds01(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.answer


def history(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(world, "image", "history", "demo")["generations"]
    return found


def current(world: World) -> list[int]:
    return [row["number"] for row in history(world) if row["current"]]


def blobs(world: World) -> set[str]:
    return {f"sha256:{path.name}" for path in (world.store / "blobs/sha256").iterdir()}


def test_a_history_says_what_changed_and_what_is_current(three: World) -> None:
    rows = history(three)
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert [row["current"] for row in rows] == [False, False, True]
    assert rows[1]["packages"] == {"added": ["other"], "removed": [], "changed": []}
    assert rows[2]["packages"] == {"added": [], "removed": ["app", "lib"], "changed": []}
    assert {row["in_engine"] for row in rows} == {None}
    assert rows[0]["digest"] == three.built["demo"]
    shown = three.ds01("image", "history", "demo")
    assert "demo@2" in shown.out
    assert "+1" in shown.out
    assert shown.out.splitlines()[3].endswith("current")


def test_a_rollback_goes_one_back_and_then_another(three: World) -> None:
    digests = [row["digest"] for row in history(three)]
    for number in (2, 1):
        outcome = three.ds01("image", "rollback", "demo")
        assert outcome.code == 0, outcome.err
        assert outcome.out.strip() == f"oci:{three.store}:demo@{digests[number - 1]}"
        assert three.images()["demo"] == digests[number - 1]
        assert current(three) == [number]
    outcome = three.ds01("image", "rollback", "demo")
    assert outcome.code == 1
    assert outcome.complaint == [
        "error: demo has no generation before 1",
        "hint:  ds01 image history demo",
    ]
    said = answer(three, "image", "rollback", "demo", "3")
    assert (said["from"], said["to"], said["digest"]) == (1, 3, digests[2])
    assert current(three) == [3]
    assert three.verified() == ""


def test_a_rollback_needs_neither_network_nor_recipe(three: World) -> None:
    three.recipe.unlink()
    three.lock.unlink()
    three.variables["DS01_INDEX_URL"] = "http://127.0.0.1:9/simple"
    fetched = len(three.index.server.paths())
    assert three.ds01("image", "rollback", "demo").code == 0
    assert current(three) == [2]
    assert len(three.index.server.paths()) == fetched
    assert not three.recipe.exists()


def test_a_build_after_a_rollback_comes_to_what_the_recipe_says(three: World) -> None:
    assert three.ds01("image", "rollback", "demo", "1").code == 0
    built = answer(three, "build", "demo.toml")
    assert {layer["action"] for layer in built["layers"]} == {"reused"}
    assert current(three) == [3]


def test_a_dry_run_changes_nothing(three: World) -> None:
    before = (three.store / "index.json").read_bytes()
    outcome = three.ds01("image", "rollback", "demo", "--dry-run")
    assert (outcome.code, outcome.out) == (0, "demo: from generation 3 to 2\n")
    assert (three.store / "index.json").read_bytes() == before


def test_a_dry_run_says_which_files_would_be_written_and_writes_none(here: World) -> None:
    was = here.recipe.read_bytes(), here.lock.read_bytes()
    rollback = ("image", "rollback", "demo", "2", "--dry-run", "--restore")
    assert here.ds01(*rollback).out == (
        f"demo: from generation 3 to 2\n  writes {here.lock}\n  writes {here.recipe}\n"
    )
    said = answer(here, *rollback)
    assert (said["restored"], said["done"]) == ([str(here.lock), str(here.recipe)], False)
    assert (here.recipe.read_bytes(), here.lock.read_bytes()) == was
    assert current(here) == [3]


def test_recipe_and_lock_come_back_when_asked_for(here: World) -> None:
    recipe, lock = here.recipe.read_bytes(), here.lock.read_bytes()
    assert here.ds01("image", "rollback", "demo", "2").code == 0
    assert here.recipe.read_bytes() == recipe
    assert here.lock.read_bytes() == lock
    said = answer(here, "image", "rollback", "demo", "2", "--restore")
    assert said["restored"] == [str(here.lock), str(here.recipe)]
    assert b'packages = ["app", "other"]' in here.recipe.read_bytes()
    assert here.lock.read_bytes() != lock
    assert here.ds01("lock", "--check", "demo.toml").code == 0
    assert [path.name for path in here.recipe.parent.iterdir() if path.name[0] == "."] == []


def test_changes_that_no_generation_has_are_not_lost(here: World) -> None:
    place = here.recipe
    mine = place.read_bytes() + b"# my thoughts\n"
    place.write_bytes(mine)
    for more in ([], ["--dry-run"]):
        outcome = here.ds01("image", "rollback", "demo", "2", "--restore", *more)
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.complaint == [
            f"error: {place} has changes that no generation has, and they would be lost",
            f"hint:  cp {place} {place}.mine && ds01 image rollback demo 2 --restore --yes",
        ]
    assert place.read_bytes() == mine
    assert current(here) == [3]
    assert here.ds01("image", "rollback", "demo", "2", "--restore", "--yes").code == 0
    assert place.read_bytes() != mine
    assert current(here) == [2]


def test_a_place_that_is_gone_moves_nothing(three: World, grown: World) -> None:
    aside = grown.recipe.parent.rename(grown.root / "moved")
    try:
        rollback = ("image", "rollback", "demo", "2", "--restore")
        outcomes = [three.ds01(*rollback, *more) for more in ([], ["--dry-run"])]
    finally:
        aside.rename(grown.recipe.parent)
    for outcome in outcomes:
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.complaint == [
            f"error: {grown.lock} cannot be written: its directory is not there",
            f"hint:  mkdir -p -- {grown.recipe.parent} && ds01 image rollback demo 2 --restore",
        ]
    assert current(three) == [3]


def test_an_image_that_is_not_whole_is_not_gone_back_to(three: World) -> None:
    first = history(three)[0]["digest"]
    manifest = json.loads(three.blob(first))
    layer = manifest["layers"][-1]["digest"]
    (three.store / "blobs/sha256" / layer.partition(":")[2]).unlink()
    outcome = three.ds01("image", "rollback", "demo", "1")
    assert outcome.code == 1
    assert outcome.complaint == [
        f"error: demo@1 is not whole: {layer} is not in the store",
        "hint:  ds01 store verify --repair",
    ]
    assert current(three) == [3]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["history", "nosuch"], 1, "error: 'nosuch' has no generations"),
        (["rollback", "nosuch"], 1, "error: 'nosuch' has no generations"),
        (["rollback", "demo", "9"], 1, "error: 'demo' has no generation 9; there are 1"),
        (["rollback", "demo", "0"], 2, ""),
        (["rollback", "../demo"], 1, "error: '../demo' has no generations"),
        (["rollback", "demo", "1", "--load", "--no-load"], 2, ""),
    ],
)
def test_what_there_is_not_is_one_clear_error(
    world: World, arguments: list[str], code: int, says: str
) -> None:
    outcome = world.ds01("image", *arguments)
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert not says or outcome.complaint[0] == says
    assert world.images() == world.built


# --- gc


def test_old_logs_go_at_the_age_that_is_asked_for_or_after_a_month(world: World) -> None:
    now = time.time()
    for days in (1, 20, 40):
        log = world.store / "logs" / f"{days}.log"
        log.write_bytes(b"failed")
        os.utime(log, (now - days * 86400,) * 2)
    assert gc(world, "--dry-run")["logs"] == ["40.log"]
    outcome = world.ds01("store", "gc", "--no-engine", "--older-than", "12d", "--dry-run")
    assert outcome.out.splitlines() == ["log 20.log", "log 40.log"]
    said = gc(world)
    assert (said["logs"], said["bytes"]) == (["40.log"], len(b"failed"))
    assert {path.name for path in (world.store / "logs").iterdir()} == {"1.log", "20.log"}


def test_a_dry_run_says_exactly_what_goes(three: World) -> None:
    before = blobs(three)
    said = gc(three, "--keep", "1", "--dry-run")
    assert blobs(three) == before
    assert [one["number"] for one in said["generations"]] == [1, 2]
    done = gc(three, "--keep", "1")
    assert {**done, "dry_run": True} == said
    assert before - blobs(three) == set(said["blobs"])
    assert [row["number"] for row in history(three)] == [3]
    assert three.verified() == ""
    again = gc(three, "--keep", "1")
    assert (again["blobs"], again["generations"], again["bytes"]) == ([], [], 0)


def test_without_a_policy_every_generation_stays_and_can_be_gone_back_to(three: World) -> None:
    outcome = three.ds01("store", "gc", "--no-engine")
    assert outcome.code == 0, outcome.err
    assert outcome.err.splitlines()[-1].endswith(" deleted")
    assert three.ds01("image", "rollback", "demo", "1").code == 0
    assert three.images()["demo"] == three.built["demo"]
    for number in (1, 3):
        _write_back(three, number)
        built = answer(three, "build", "--offline", "--frozen", "demo.toml")
        assert built["bytes"] == {"downloaded": 0, "written": 0, "sent": 0}
    assert three.verified() == ""


def _write_back(world: World, number: int) -> None:
    """Put back what a generation was made from, as other tools can too."""
    made = json.loads((world.store / "roots/demo" / f"{number}.json").read_bytes())
    world.recipe.write_bytes(world.blob(made["recipe"]))
    world.lock.write_bytes(world.blob(made["lock"]))


def test_the_current_generation_stays_after_a_rollback(three: World) -> None:
    assert three.ds01("image", "rollback", "demo", "1").code == 0
    gone = gc(three, "--keep", "1")["generations"]
    assert [one["number"] for one in gone] == [2]
    assert current(three) == [1]
    assert three.ds01("image", "rollback", "demo", "3").code == 0


def test_generations_go_by_age(three: World) -> None:
    assert gc(three, "--older-than", "1h")["generations"] == []
    gone = gc(three, "--older-than", "0h", "--keep", "2")["generations"]
    assert [one["number"] for one in gone] == [1]


def test_a_pinned_generation_stays_until_it_is_unpinned(three: World) -> None:
    assert three.ds01("store", "pin", "demo@1").out == "demo@1\n"
    assert [row["pinned"] for row in history(three)] == [True, False, False]
    gone = gc(three, "--keep", "1")["generations"]
    assert [one["number"] for one in gone] == [2]
    assert three.ds01("image", "export", "demo@1", "--oci-dir", "out").code == 0
    assert answer(three, "store", "unpin", "demo@1")["pinned"] is False
    assert three.ds01("store", "unpin", "demo@1").code == 1
    gone = gc(three, "--keep", "1")["generations"]
    assert [one["number"] for one in gone] == [1]
    assert three.verified() == ""


def test_nothing_goes_where_enough_is_free(three: World) -> None:
    before = blobs(three)
    said = gc(three, "--min-free", "1K")
    assert (said["blobs"], said["keys"], said["names"]) == ([], [], [])
    assert blobs(three) == before
    status = os.statvfs(three.store)
    more = status.f_bavail * status.f_frsize + (1 << 30)
    gone = gc(three, "--min-free", f"{more}")["generations"]
    assert [one["number"] for one in gone] == [1, 2]


def test_files_that_share_no_layer_stay_only_when_asked_for(three: World) -> None:
    assert three.ds01("build", "--keep-sources", "demo.toml").code == 0
    large = os.urandom(5 << 20)
    three.index.offer("large", "1.0", File(name=b"large.bin", content=large))
    three.ask_for("app", "large")
    assert three.ds01("build", "--keep-sources", "demo.toml").code == 0
    wheel = _digest_in(three.lock, "large")
    small = _digest_in(three.lock, "app")
    assert wheel not in gc(three, "--keep-sources")["blobs"]
    gone = gc(three)["blobs"]
    assert wheel in gone
    assert small not in gone
    assert small in blobs(three)


def _digest_in(lock: Path, name: str) -> str:
    tables = tomli.loads(lock.read_text())
    rows = [row for row in tables["wheel"] if row["name"] == name]
    return f"sha256:{rows[0]['sha256']}"


def test_an_engine_that_does_not_answer_keeps_every_generation(three: World) -> None:
    assert "no-engine.sock" in three.environment["DOCKER_HOST"]
    outcome = three.ds01("store", "gc", "--keep", "1", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.answer["generations"] == []
    assert "what the engine has is not known" in outcome.err
    said = gc(three, "--keep", "1")
    assert [one["number"] for one in said["generations"]] == [1, 2]


@pytest.mark.parametrize(
    "arguments",
    [["--keep", "0"], ["--older-than", "3"], ["--older-than", "1y"], ["--min-free", "much"]],
)
def test_what_is_no_number_size_or_age_is_refused(world: World, arguments: list[str]) -> None:
    outcome = world.ds01("store", "gc", *arguments)
    assert outcome.code == 2, outcome.err
    assert world.images() == world.built


def damaged(world: World) -> World:
    """Let the name stand for the first generation, pin the second, and flip a bit of the index."""
    assert world.ds01("image", "rollback", "demo", "1", "--no-load").code == 0
    assert world.ds01("store", "pin", "demo@2").code == 0
    index = world.store / "index.json"
    flip(index, index.read_bytes().index(b"demo@2"))
    return world


def test_no_order_of_commands_over_a_damaged_index_loses_what_it_named(three: World) -> None:
    index = damaged(three).store / "index.json"
    bad, before = index.read_bytes(), blobs(three)
    assert current(three) == [1]
    (three.recipe.parent / "second.toml").write_text(RECIPE.replace('"demo"', '"second"'))
    for command in (
        ("build", "--no-load", "second.toml"),
        ("image", "rollback", "demo", "3", "--no-load"),
        ("store", "unpin", "demo@2"),
    ):
        outcome = three.ds01(*command)
        assert (outcome.code, outcome.complaint) == (
            1,
            [
                f"error: {index} is damaged, and what it names would be lost",
                "hint:  ds01 store verify --repair",
            ],
        )
    outcome = three.ds01("store", "gc", "--keep", "1", "--no-engine")
    assert outcome.code == 1
    assert "is damaged, and what it names is not known" in outcome.err
    assert index.read_bytes() == bad
    assert blobs(three) >= before


def test_a_repair_of_the_index_brings_back_pins_and_what_a_name_stood_for(three: World) -> None:
    outcome = damaged(three).ds01(*REPAIR)
    assert (outcome.code, "the store is whole" in outcome.err) == (0, True), outcome.err
    assert [(row["current"], row["pinned"]) for row in history(three)] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert gc(three, "--keep", "1")["generations"] == []
    assert three.verified() == ""


def test_a_collection_keeps_what_another_tool_has_named(three: World) -> None:
    require("umoci")
    first = history(three)[0]["digest"]
    succeed("umoci", "tag", "--image", f"{three.store}:demo@{first}", "mine")
    assert [row["current"] for row in history(three)] == [False, False, True]
    gone = gc(three, "--keep", "1")
    assert [one["number"] for one in gone["generations"]] == [1, 2]
    assert first not in gone["blobs"]
    assert three.images()["mine"] == first  # with all its blobs
