"""``image-list``: what a store has, who uses which bytes, and what became of the recipes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from terminals import terminal
from world import RECIPE, SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

pytest_plugins = ("world_fixtures",)

LIST = ("image", "list", "--no-engine")


def listed(world: World, *arguments: str) -> list[dict[str, Any]]:
    outcome = world.ds01(*LIST, *arguments, "--json")
    assert outcome.code == 0, outcome.err
    rows: list[dict[str, Any]] = outcome.answer["images"]
    return rows


def build(world: World, name: str, *packages: str) -> Path:
    """Build an image called ``name`` from a recipe of its own."""
    names = ", ".join(f'"{each}"' for each in packages)
    text = RECIPE.replace('"demo"', f'"{name}"').replace('"app"', names)
    path = world.write(text, f"{name}.toml")
    outcome = world.ds01("build", "--no-load", path.name)
    assert outcome.code == 0, outcome.err
    return path


@pytest.fixture
def here(world: World) -> World:
    """A world whose image was built from where its recipe lies."""
    assert world.build("--no-load").code == 0
    return world


def verdict(world: World) -> str:
    (row,) = listed(world)
    assert row["stale"] == (row["verdict"] != "fresh")
    return str(row["verdict"])


def test_bytes_that_another_image_uses_are_shared_and_the_rest_is_exclusive(world: World) -> None:
    (alone,) = listed(world)
    assert (alone["exclusive"], alone["shared"]) == (alone["size"], 0)
    build(world, "second", "app", "other")
    demo, second = listed(world)
    blobs = {name: world.images()[name] for name in ("demo", "second")}
    assert [demo["digest"], second["digest"]] == list(blobs.values())
    assert demo["shared"] == second["shared"] > 0  # the root of .debs, and their state
    for row in (demo, second):
        assert row["exclusive"] + row["shared"] == row["size"]
        assert row["exclusive"] > 0
    answer = world.ds01(*LIST, "--json").answer
    assert answer["size"] == demo["size"] + second["exclusive"]


def test_bytes_of_an_earlier_generation_of_the_same_name_are_exclusive(here: World) -> None:
    here.ask_for("app", "other")
    assert here.build("--no-load").code == 0
    (row,) = listed(here)
    assert (row["generation"], row["generations"], row["shared"]) == (2, 2, 0)
    rows = listed(here, "--all")
    assert [(each["generation"], each["current"]) for each in rows] == [(2, True), (1, False)]
    assert here.ds01("image", "rollback", "demo", "--no-load").code == 0
    assert [each["generation"] for each in listed(here)] == [1]


def test_an_image_says_what_it_stands_on(world: World) -> None:
    (row,) = listed(world)
    assert row["base"] == {"reference": "debian:bookworm", "digest": None}


def test_an_image_is_stale_by_what_its_recipe_says_and_not_by_how(here: World) -> None:
    assert verdict(here) == "fresh"
    before = here.recipe.read_text()
    here.recipe.write_text(f"# a thought\n{before}")
    assert verdict(here) == "fresh"
    here.ask_for("app", "other")
    assert verdict(here) == "recipe changed"
    here.recipe.write_text("schema = ")
    assert verdict(here) == "recipe unreadable"
    here.recipe.unlink()
    assert verdict(here) == "recipe gone"
    here.recipe.symlink_to(here.write(before, "other.toml"))
    assert verdict(here) == "recipe unreadable"
    here.recipe.unlink()
    here.recipe.write_text(before)
    assert verdict(here) == "fresh"


def test_an_image_is_stale_where_its_lock_is_another(here: World) -> None:
    before = here.lock.read_text()
    here.lock.write_text(f"{before}# noted\n")
    assert verdict(here) == "fresh"
    here.index.offer("app", "2.0", requires=["lib>=1"])
    assert here.ds01("lock", "--upgrade", "demo.toml").code == 0
    assert verdict(here) == "lock changed"
    here.lock.write_text("version = ")
    assert verdict(here) == "lock unreadable"
    here.lock.unlink()
    assert verdict(here) == "lock gone"


def test_an_image_is_stale_where_a_file_that_its_recipe_includes_has_changed(world: World) -> None:
    world.write("app\n", "requirements.txt")
    included = 'requirements = "requirements.txt"'
    world.write(RECIPE.replace('packages = ["app"]', included))
    assert world.build("--no-load").code == 0
    assert verdict(world) == "fresh"
    world.write("app\nother\n", "requirements.txt")
    assert verdict(world) == "recipe changed"


def test_without_an_answer_of_an_engine_nothing_is_said_of_containers(world: World) -> None:
    (row,) = listed(world)
    assert (row["tags"], row["containers"]) == (None, None)
    outcome = world.ds01("image", "list")  # of which DOCKER_HOST names one that is not there
    assert outcome.code == 0
    assert outcome.err.startswith("what the engine has is not known: no engine answers at ")
    assert outcome.out.splitlines()[1].endswith("?")


def test_the_table_is_short_and_the_details_are_whole(here: World) -> None:
    """What is listed of an image is read from where its build wrote it: nothing is left out."""
    build(here, "second", "other")
    lines = here.ds01(*LIST).out.splitlines()
    assert lines[0].split() == ["NAME", "GEN", "BUILT", "SIZE", "STALE", "USED", "BY"]
    assert [line.split()[0] for line in lines[1:]] == ["demo", "second"]
    assert max(map(len, lines)) <= 80
    assert here.ds01(*LIST).err.endswith(" compressed\n")
    sized = here.ds01(*LIST, "-s").out.splitlines()
    assert sized[0].split()[3:5] == ["EXCLUSIVE", "SHARED"]
    here.recipe.unlink()
    details = here.ds01(*LIST, "-d").out
    first, _, _ = details.partition("second")
    assert first.splitlines()[0] == "demo"
    told = dict(line.strip().split(maxsplit=1) for line in first.splitlines()[1:])
    assert told["recipe"] == str(here.recipe)
    assert told["stale"] == "recipe gone"
    assert " compressed: " in told["size"]
    assert told["base"] == "debian:bookworm"
    assert told["digest"] == here.images()["demo"]
    assert set(told) == {
        *("generation", "digest", "base", "layers", "size", "recipe", "stale", "containers"),
    }


LONG = "a-project-with-a-name-as-long-as-they-come-in-a-course"


@pytest.mark.parametrize("option", [(), ("-s",)])
def test_eighty_columns_are_enough_and_a_pipe_has_all(here: World, option: tuple[str, ...]) -> None:
    build(here, LONG, "app", "other")
    program = SCRIPT.with_name("image-list")
    with terminal([program, "--no-engine", *option], here.environment, here.root) as shown:
        assert shown.end() == 0
    lines = shown.text.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["NAME", lines[1].split()[0], "demo"]
    assert len(lines) == 4, "each image has one line, and so has the sum"
    assert lines[1].startswith("a-pr")
    assert lines[1].split()[0].endswith("-course")
    assert "…" in lines[1]
    assert LONG in here.ds01(*LIST, *option).out


def test_a_generation_is_told_beside_how_many_are_kept(here: World) -> None:
    here.ask_for("app", "other")
    assert here.build().code == 0
    assert " 2 (2 kept) " in here.ds01(*LIST).out.splitlines()[1]
    assert here.ds01("store", "gc", "--no-engine", "--keep", "1").code == 0
    assert " 2 (1 kept) " in here.ds01(*LIST).out.splitlines()[1]
    assert "generation   2, 1 kept, built " in here.ds01(*LIST, "-d").out


def test_no_image_is_no_error(world: World) -> None:
    world.variables["DS01_STORE"] = str(world.root / "empty")
    outcome = world.ds01(*LIST)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "there are no images yet\nhint:  image-create, or ds01 build RECIPE\n"
    assert world.ds01(*LIST, "--json").answer["images"] == []


def test_the_command_has_a_name_of_its_own(world: World) -> None:
    done = subprocess.run(
        [SCRIPT.with_name("image-list"), "--no-engine", "--json"],
        env=world.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == world.ds01(*LIST, "--json").out


def test_images_are_listed_without_the_graph_of_layers_or_a_resolver() -> None:
    code = (
        "import sys, ds01build.cli, ds01build.cli.telling, ds01build.engine.connect;"
        "import ds01build.workflow.inventory, ds01build.store;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"networkx", "rich", "diskcache", "tomli", "tomlkit", "debian", "uv", "isal", "jinja2"}
    assert not heavy & set(done.stdout.split())
