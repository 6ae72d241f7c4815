"""Locks that are stale, edited, cut short or about things that are gone; options that move them."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tomli
from archive import Package
from servers import status
from world import RECIPE, is_shown_safely, own_archive, wheel_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

pytest_plugins = ("world_fixtures",)

BUILD = ("build", "demo.toml")
AGAIN = "hint:  ds01 lock demo.toml"
APT_TIER = '\n[tiers.system]\nkind = "apt"\npackages = ["tool", "lonely"]\n'
NEWER_TOOL = Package("tool", "2.0-1", depends="libtool (>= 2.0)", files={"usr/bin/tool": b"2\n"})
NEWER_LIBTOOL = Package("libtool", "2.0-1", files={"usr/lib/libtool": b"2\n"})


def versions(world: World, table: str) -> dict[str, str]:
    lock = tomli.loads(world.lock.read_text(encoding="utf-8"))
    return {row["name"]: row["version"] for row in lock[table]}


def digests(world: World) -> tuple[str, str]:
    """Return the digest of the recipe that the lock was made for, and of the recipe now."""
    was = tomli.loads(world.lock.read_text(encoding="utf-8"))["recipe"]
    text = world.lock.read_text(encoding="utf-8")
    assert world.ds01("lock", "demo.toml").code == 0
    now = tomli.loads(world.lock.read_text(encoding="utf-8"))["recipe"]
    world.lock.write_text(text, encoding="utf-8")
    return was, now


@pytest.mark.parametrize("command", [("build", "--locked"), ("lock", "--check")])
def test_a_stale_lock_is_told_without_a_network(world: World, command: tuple[str, str]) -> None:
    world.ask_for("app", "other")
    was, now = digests(world)
    world.index.server.requests.clear()
    stale = f"it was made for {was}, the recipe is {now}"
    world.refuses(3, *command, "demo.toml", says=[f"error: demo.lock is stale: {stale}", AGAIN])
    assert world.index.server.paths() == []


@pytest.mark.parametrize("command", [("build", "--locked"), ("lock", "--check")])
def test_a_lock_that_is_not_there_fails_a_check(world: World, command: tuple[str, str]) -> None:
    world.lock.unlink()
    world.refuses(3, *command, "demo.toml", says=["error: demo.lock does not exist", AGAIN])


def test_frozen_without_a_lock_is_refused(world: World) -> None:
    world.lock.unlink()
    world.refuses(1, "build", "--frozen", "demo.toml", says=["error: demo.lock: does not exist"])


def test_frozen_builds_what_the_lock_says_whatever_the_recipe_says(world: World) -> None:
    world.ask_for("app", "other")
    before = world.lock.read_bytes()
    outcome = world.build("--frozen")
    assert outcome.code == 0, outcome.err
    assert world.images() == world.built
    assert world.lock.read_bytes() == before


def test_a_fresh_lock_passes_the_check(world: World) -> None:
    outcome = world.ds01("lock", "--check", "demo.toml")
    assert (outcome.code, outcome.out) == (0, "demo.lock\n")


def edited(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, count)

    return edit


EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "a key that nobody knows": (
        edited("[base]\n", '[base]\nsuit = "bookworm"\n'),
        "base.suit: unknown key; did you mean 'suite'?",
    ),
    "a value of another type": (
        edited('suite = "bookworm"', "suite = 12"),
        "base.suite: expected a string, found an integer",
    ),
    "no value": (edited('suite = "bookworm"\n', ""), "base.suite: required"),
    "a digest that is none": (
        lambda text: re.sub('recipe = "sha256:.*"', 'recipe = "md5:"', text),
        "recipe: 'md5:' is not a digest",
    ),
    "a wheel that no layer has": (
        edited('    "app",\n    "lib",\n', '    "lib",\n'),
        "wheel 'app': is in no layer",
    ),
    "a wheel twice": (
        lambda text: text + text[text.index("[[wheel]]") : text.index("[[layer]]")],
        "wheel: 'app' stands there twice",
    ),
    "a size that none has": (
        lambda text: re.sub("size = [0-9]+", "size = -1", text, count=1),
        f"deb[0].size: -1 is not a number from 0 to {2**53}",
    ),
    "a tier that is not there": (
        edited('tier = "python"\nindex', 'tier = "pyton"\nindex'),
        "wheel app: there is no tier 'pyton'",
    ),
    "a path out of the pool": (
        edited("pool/main/b/bash/bash_5.2.15-2_amd64.deb", "../../main/b/bash"),
        "deb[2].path: '../../main/b/bash' is not a path below the archive's root",
    ),
    "a wheel's file in another directory": (
        edited('file = "app-', 'file = "../app-'),
        "wheel[0].file: '../app-1.0-py3-none-any.whl' is not the name of a wheel",
    ),
    "a newline and an escape in a name": (
        edited('name = "app"', 'name = "app\\n\\u001b[31m"'),
        "wheel[0].name: contains the character U+000A",
    ),
    "a machine that no base is for": (
        edited('"amd64"', '"mips"'),
        "base.architecture: 'mips' is not one of amd64, arm64",
    ),
    "a newer format": (
        edited("version = 1\n", "version = 99\n"),
        "version: 99 was written by a newer ds01; this one reads 1",
    ),
    "nothing at all": (lambda _: "", "version: required"),
    "something else": (lambda _: "\0\0\0", "not TOML: Invalid statement (at line 1, column 1)"),
}


@pytest.mark.parametrize(("edit", "problem"), EDITS.values(), ids=EDITS.keys())
def test_an_edited_lock_is_refused_with_the_place(
    world: World, edit: Callable[[str], str], problem: str
) -> None:
    world.lock.write_text(edit(world.lock.read_text(encoding="utf-8")), encoding="utf-8")
    outcome = world.ds01("build", "--frozen", "demo.toml")
    assert outcome.complaint[0] == f"error: demo.lock: {problem}"
    newer = "hint:  in the clone of ds01: git pull && .ci/venv"
    damaged = "hint:  restore demo.lock, or remove it, then: ds01 lock RECIPE"
    assert outcome.complaint[-1] == (newer if "newer ds01" in problem else damaged)
    assert (outcome.code, outcome.out) == (1, "")
    assert is_shown_safely(outcome.err)
    assert world.images() == world.built


@pytest.mark.parametrize("part", [0.3, 0.999])
def test_a_lock_that_was_cut_short_is_refused(world: World, part: float) -> None:
    text = world.lock.read_bytes()
    world.lock.write_bytes(text[: int(len(text) * part)])
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0].startswith("error: demo.lock: ")
    assert world.images() == world.built


def test_a_lock_larger_than_any_is_refused_unread(world: World) -> None:
    with world.lock.open("r+b") as file:
        file.truncate(10 << 30)
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0].startswith("error: ")
    assert "larger than" in outcome.complaint[0]


def test_a_lock_that_is_a_pipe_does_not_hang_a_build(world: World) -> None:
    world.lock.unlink()
    os.mkfifo(world.lock)
    outcome = world.ds01("build", "--frozen", "demo.toml", seconds=20)
    assert outcome.code == 1, outcome.err
    assert "is not a regular file" in outcome.complaint[0]


def test_a_lock_that_names_a_wheel_of_another_platform_is_refused(world: World) -> None:
    foreign = "app-1.0-cp311-cp311-win_amd64.whl"
    world.index.add(foreign, wheel_of("app"))
    text = world.lock.read_text(encoding="utf-8")
    world.lock.write_text(text.replace("app-1.0-py3-none-any.whl", foreign), encoding="utf-8")
    world.refuses(
        1,
        "build",
        "--frozen",
        "demo.toml",
        says=[f"error: {foreign}: is for another platform (cp311-cp311-win_amd64)"],
    )


def with_tools(world: World) -> World:
    """Return a world with an archive of its own, and a lock with an apt tier over it."""
    world = own_archive(world)
    world.write(RECIPE + APT_TIER)
    outcome = world.ds01("lock", "demo.toml")
    assert outcome.code == 0, outcome.err
    return world


def test_a_deb_that_the_mirror_dropped_is_named_and_update_missing_moves_only_it(
    world: World,
) -> None:
    world = with_tools(world)
    before = versions(world, "deb")
    newer = Package("libtool", "1.0-2", files={"usr/lib/libtool": b"2\n"})
    world.archive.publish(newer, Package("lonely", "9.0-1"))
    world.archive.drop("libtool")
    world.refuses(
        1,
        *BUILD,
        says=[
            "error: the mirror no longer has libtool=1.0-1",
            "hint:  ds01 build --update-missing demo.toml",
        ],
    )
    outcome = world.build("--update-missing")
    assert outcome.code == 0, outcome.err
    assert versions(world, "deb") == {**before, "libtool": "1.0-2"}
    assert world.images() != world.built


def test_update_missing_moves_what_depends_on_the_dropped_deb_too(world: World) -> None:
    world = with_tools(world)
    before = versions(world, "deb")
    world.archive.publish(NEWER_TOOL, NEWER_LIBTOOL)
    world.archive.drop("tool")
    outcome = world.build("--update-missing")
    assert outcome.code == 0, outcome.err
    assert versions(world, "deb") == {**before, "tool": "2.0-1", "libtool": "2.0-1"}


def test_locking_anew_with_a_dropped_deb_names_it_too(world: World) -> None:
    world = with_tools(world)
    world.archive.publish(NEWER_TOOL, NEWER_LIBTOOL)
    world.archive.drop("tool")
    world.archive.drop("libtool")
    world.write(RECIPE + APT_TIER.replace('"tool", ', '"tool", "python3", '))
    world.refuses(
        1,
        "lock",
        "demo.toml",
        says=[
            "error: the mirror no longer has libtool=1.0-1, tool=1.0-1",
            "hint:  ds01 lock --update-missing demo.toml",
        ],
    )
    outcome = world.ds01("lock", "--update-missing", "demo.toml")
    assert outcome.code == 0, outcome.err
    assert versions(world, "deb")["tool"] == "2.0-1"


def test_versions_stay_until_an_option_moves_them(world: World) -> None:
    world.index.offer("app", "2.0", requires=["lib>=1"])
    world.index.offer("lib", "2.0")
    world.index.offer("extra", requires=["lib"])
    world.ask_for("app", "extra")
    assert world.ds01("lock", "demo.toml").code == 0
    assert versions(world, "wheel") == {"app": "1.0", "extra": "1.0", "lib": "1.0"}
    assert world.ds01("lock", "--upgrade-package", "Lib", "demo.toml").code == 0
    assert versions(world, "wheel") == {"app": "1.0", "extra": "1.0", "lib": "2.0"}
    assert world.ds01("lock", "--upgrade", "demo.toml").code == 0
    assert versions(world, "wheel") == {"app": "2.0", "extra": "1.0", "lib": "2.0"}


@pytest.mark.parametrize(
    "options",
    [
        ("build", "--locked", "--frozen"),
        ("build", "--locked", "--upgrade"),
        ("build", "--frozen", "--upgrade-package", "app"),
        ("plan", "--frozen", "--update-missing"),
        ("lock", "--check", "--upgrade"),
        ("lock", "--check", "--frozen"),
    ],
)
def test_options_that_contradict_each_other_are_a_usage_error(
    world: World, options: tuple[str, ...]
) -> None:
    command, first, second = options[:3]
    world.refuses(
        2,
        command,
        *options[1:],
        "demo.toml",
        says=[f"Error: {first} and {second} contradict each other"],
    )


def test_a_wheel_whose_version_is_gone_from_the_index_is_named(world: World) -> None:
    world.ask_for("app", "other")
    assert world.ds01("lock", "demo.toml").code == 0
    world.index.route("simple/other/", status(404))
    cold = replace(world, variables={"DS01_STORE": str(world.root / "cold")})
    outcome = cold.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint == [
        "error: no package index offers the locked file of other==1.0 any more",
        "hint:  ds01 lock --upgrade-package other demo.toml",
    ]
