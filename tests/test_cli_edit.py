"""Commands that change a recipe and its lock together, and the image with them, or nothing."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli
from archive import Package
from servers import status
from world import RECIPE, SCRIPT, Outcome, World, ended, own_archive

from ds01build.quantities import readable
from ds01build.store import roots

pytest_plugins = ("world_fixtures",)

UPDATE = SCRIPT.with_name("image-update")
MORE = '\n[tiers.more]\nkind = "python"\npackages = ["more"]\n'
TOOLS = '\n[tiers.tools]\nkind = "apt"\npackages = ["tool"]\n'


@pytest.fixture
def world(world: World) -> World:
    """A world whose image was built from the recipe that it has."""
    built = roots.latest(world.store, "demo")
    assert built is not None
    shutil.rmtree(world.store / "roots/demo")
    roots.append(world.store, "demo", replace(built, place=str(world.recipe)))
    return world


def files(world: World) -> tuple[bytes, bytes]:
    return world.recipe.read_bytes(), world.lock.read_bytes()


def locked(world: World, table: str = "wheel") -> dict[str, str]:
    lock = tomli.loads(world.lock.read_text(encoding="utf-8"))
    return {row["name"]: row["version"] for row in lock.get(table, [])}


def layers(world: World) -> list[tuple[str, ...]]:
    rows = tomli.loads(world.lock.read_text(encoding="utf-8"))["layer"]
    return [(row["tier"], row["kind"], *row["names"]) for row in rows]


def update(world: World, *arguments: str, seconds: float = 60) -> Outcome:
    process = subprocess.Popen(
        [str(UPDATE), *arguments],
        env=world.environment,
        cwd=world.recipe.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return ended(process, seconds)


def row(text: str, name: str) -> list[str]:
    """Return what the table of packages says of one."""
    return next(cells[1:] for cells in map(str.split, text.splitlines()) if cells[:1] == [name])


def succeeds(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


def leaves_all_alone(world: World, code: int, outcome: Outcome, was: tuple[bytes, bytes]) -> str:
    """Check that a command has failed and changed nothing; return its message."""
    assert (outcome.code, outcome.out) == (code, ""), outcome.err
    assert "Traceback" not in outcome.err
    assert files(world) == was
    assert world.images() == world.built
    assert {path.name for path in world.recipe.parent.iterdir()} == {"demo.toml", "demo.lock"}
    return "\n".join(outcome.complaint)


# add, remove, upgrade


def test_an_added_package_is_all_that_changes(world: World) -> None:
    world.index.offer("more")
    world.write("# Mine.\n" + RECIPE.replace('["app"]', '[\n  "app",  # needed\n]') + MORE)
    succeeds(world.build())
    before = world.recipe.read_text()
    world.index.offer("lib", "2.0")
    had, had_layers = locked(world), layers(world)
    outcome = succeeds(world.ds01("add", "demo.toml", "--tier", "python", "other"))
    assert outcome.out == "demo.lock\n"
    assert world.recipe.read_text() == before.replace("needed\n", 'needed\n  "other",\n')
    assert row(outcome.err, "other")[:3] == ["added", "1.0", "python"]
    assert locked(world) == {**had, "other": "1.0"}
    assert layers(world) == [*had_layers, ("python", "wheels", "other")]
    assert succeeds(world.ds01("lock", "--check", "demo.toml")).out == "demo.lock\n"


def test_what_is_added_and_removed_leaves_every_byte_as_it_was(world: World) -> None:
    was, image = files(world), world.images()
    succeeds(world.ds01("add", "demo.toml", "other", "--build"))
    assert world.images() != image
    succeeds(world.ds01("add", "--kind", "apt", "--tier", "tools", "demo.toml", "tool", "--build"))
    assert world.recipe.read_text() == RECIPE.replace('["app"]', '["app", "other"]') + TOOLS
    assert locked(world, "deb").keys() >= {"tool", "libtool"}
    succeeds(world.ds01("remove", "demo.toml", "other", "tool"))
    succeeds(world.ds01("lock", "--reorder", "demo.toml"))
    assert files(world) == was
    succeeds(world.build())
    assert world.images() == image


def test_lock_reorder_groups_as_a_first_lock_does(world: World) -> None:
    world.index.offer("more")
    world.write(RECIPE + MORE)
    succeeds(world.build())
    succeeds(world.ds01("add", "demo.toml", "other", "--tier", "python"))
    grown = layers(world)
    assert succeeds(world.ds01("lock", "demo.toml")).out == "demo.lock\n"
    assert layers(world) == grown
    world.index.server.requests.clear()
    again = succeeds(world.ds01("lock", "--reorder", "--json", "demo.toml")).answer
    assert again["changed"]
    assert world.index.server.paths() == [], "no package moves"
    reordered = world.lock.read_bytes()
    assert layers(world) != grown
    assert not succeeds(world.ds01("lock", "--reorder", "--json", "demo.toml")).answer["changed"]
    world.lock.unlink()
    succeeds(world.ds01("lock", "demo.toml"))
    assert world.lock.read_bytes() == reordered
    for contrary in ("--check", "--locked", "--frozen"):
        assert world.ds01("lock", "--reorder", contrary, "demo.toml").code == 2


def test_a_dry_run_says_what_would_change_and_changes_nothing(world: World) -> None:
    was = files(world)
    (size,) = (file["size"] for file in world.index.offers["other"].values())
    outcome = succeeds(world.ds01("add", "demo.toml", "other", "--dry-run", "--build"))
    assert outcome.out.splitlines() == [
        "--- demo.toml",
        "+++ demo.toml",
        "@@ -6,4 +6,4 @@",
        " ",
        " [tiers.python]",
        ' kind = "python"',
        '-packages = ["app"]',
        '+packages = ["app", "other"]',
        "",
        "PACKAGE  CHANGE  VERSION  TIER    SIZE",
        f"other    added   1.0      python  +{readable(size)}",
        "",
        "settings:",
        "  tiers.python.requests: + other",
    ]
    answer = succeeds(world.ds01("add", "demo.toml", "other", "--dry-run", "--json")).answer
    assert answer["schema"] == "ds01.edited/1"
    assert (answer["changed"], answer["built"]) == (True, None)
    after = {"version": "1.0", "tier": "python", "size": size}
    assert answer["packages"] == [
        {"kind": "python", "name": "other", "change": "added", "before": None, "after": after}
    ]
    assert answer["settings"] == [
        {"field": "tiers.python.requests", "before": "", "after": "other"}
    ]
    assert '+packages = ["app", "other"]' in answer["diff"].splitlines()
    assert files(world) == was
    nothing = succeeds(world.ds01("add", "demo.toml", "app", "--dry-run"))
    assert nothing.out == "nothing changes\n"


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("add", "demo.toml", "absent"), 1, "absent"),
        (("add", "demo.toml", "lib<1"), 1, "lib"),
        (("add", "demo.toml", "no such"), 2, "'no such' is not a requirement"),
        (("add", "demo.toml", "--tier", "pyton", "x"), 2, "did you mean 'python'?"),
        (("add", "demo.toml", "--kind", "apt", "tool"), 2, "has no apt tier: python (python)"),
        (("remove", "demo.toml", "lib"), 1, "it is there because of app"),
        (("remove", "demo.toml", "ap"), 1, "does not ask for 'ap'; did you mean 'app'?"),
        (("remove", "demo.toml", "app==1"), 2, "'app==1' is not the name of a Python package"),
        (("remove", "demo.toml", "--tier", "zz", "app"), 2, "has no tier 'zz'; its tiers are "),
        (("upgrade", "demo.toml", "absent"), 1, "the lock has no package 'absent'"),
        (("upgrade", "demo.toml", "app>1"), 2, "'app>1' is not the name of a Python package"),
        (("rebase", "demo.toml", "--to", "nowhere"), 1, "has no suite nowhere"),
        (("add", "demo.toml", "other", "--load"), 2, ""),
        (
            ("add", "demo.toml", "lib==1.0", "lib==1.1"),
            2,
            "'lib' is named twice: lib==1.0 and lib==1.1",
        ),
        (
            ("add", "demo.toml", "other", "Other>=1"),
            2,
            "'other' is named twice: other and Other>=1",
        ),
        (("add", "demo.toml", "other", "--build", "--load"), 4, "no engine answers"),
    ],
)
def test_what_cannot_be_done_leaves_both_files_byte_for_byte(
    world: World, command: tuple[str, ...], code: int, message: str
) -> None:
    was = files(world)
    assert message in leaves_all_alone(world, code, world.ds01(*command), was)


def test_the_very_same_package_may_be_named_twice(world: World) -> None:
    succeeds(world.ds01("add", "demo.toml", "other>=1", "Other >= 1"))
    assert world.recipe.read_text() == RECIPE.replace('["app"]', '["app", "other>=1"]')
    succeeds(world.ds01("remove", "demo.toml", "other", "Other"))
    assert world.recipe.read_text() == RECIPE


def test_a_file_that_is_copied_may_not_ask_for_a_package_twice(
    world: World, tmp_path: Path
) -> None:
    away = tmp_path / "away.txt"
    away.write_text("lib<2; python_version<'3.9'\nother\nlib>=1; python_version>='3.9'\n")
    was = files(world)
    told = leaves_all_alone(world, 1, update(world, "demo", "-r", str(away), "--yes"), was)
    assert f"error: {away} asks for 'lib' twice, which only a file beside the recipe can do" in told


def test_a_build_that_fails_leaves_recipe_lock_and_image(world: World) -> None:
    was = files(world)
    world.index.route("files/other-1.0-py3-none-any.whl", status(404))
    outcome = world.ds01("add", "demo.toml", "other", "--build")
    assert "other" in leaves_all_alone(world, 1, outcome, was)


def test_upgrade_moves_what_is_named_or_all(world: World) -> None:
    recipe = world.recipe.read_bytes()
    for name in ("app", "lib"):
        world.index.offer(name, "2.0", requires=["lib>=1"] if name == "app" else [])
    outcome = succeeds(world.ds01("upgrade", "demo.toml", "lib"))
    assert row(outcome.err, "lib")[:5] == ["upgraded", "1.0", "->", "2.0", "python"]
    assert locked(world) == {"app": "1.0", "lib": "2.0"}
    succeeds(world.ds01("upgrade", "demo.toml"))
    assert locked(world) == {"app": "2.0", "lib": "2.0"}
    assert world.recipe.read_bytes() == recipe


def test_rebase_brings_a_root_of_debs_up_to_date_and_leaves_tiers(world: World) -> None:
    own = own_archive(world)
    own.write(RECIPE + TOOLS)
    succeeds(own.build())
    own.archive.publish(
        Package("bash", "5.2.15-3", files={"bin/bash": b"#!\n"}), Package("tool", "1.0-2")
    )
    own.index.offer("lib", "2.0")
    had = locked(own, "deb")
    succeeds(own.ds01("rebase", "demo.toml"))
    assert locked(own, "deb") == {**had, "bash": "5.2.15-3"}
    assert locked(own) == {"app": "1.0", "lib": "1.0"}


def test_a_recipe_that_changes_meanwhile_is_left_alone(world: World) -> None:
    theirs = RECIPE + "# a thought\n"

    def slow(answer: Any, request: Any) -> None:  # noqa: ANN401
        world.write(theirs)
        offered(answer, request)

    page = f"{world.index.prefix}/simple/other/"
    offered = world.index.server.routes[page]
    world.index.server.routes[page] = slow
    lock = world.lock.read_bytes()
    outcome = world.ds01("add", "demo.toml", "other")
    assert outcome.code == 1
    assert "was changed by somebody else in the meantime" in outcome.complaint[0]
    assert (world.recipe.read_text(), world.lock.read_bytes()) == (theirs, lock)


def test_two_edits_at_once_are_both_made(world: World) -> None:
    world.index.offer("more")
    both = [world.start("add", "demo.toml", name) for name in ("other", "more")]
    for process in both:
        succeeds(ended(process))
    assert locked(world).keys() == {"app", "lib", "other", "more"}


# image-update


def test_image_update_edits_builds_and_names_the_image(world: World) -> None:
    outcome = succeeds(update(world, "demo", "--add", "other lib>=1", "--yes"))
    assert world.recipe.read_text() == RECIPE.replace('["app"]', '["app", "other", "lib>=1"]')
    assert outcome.out == f"oci:{world.store}:demo@{world.images()['demo']}\n"
    assert world.images() != world.built
    succeeds(update(world, f"ds01-{os.geteuid()}/demo:latest", "--remove", "other lib", "--yes"))
    assert world.recipe.read_text() == RECIPE
    succeeds(world.ds01("lock", "--reorder", "demo.toml"))
    answer = succeeds(update(world, "demo.toml", "--rebuild", "--json")).answer
    assert answer["built"]["image"]["digest"] == world.built["demo"] == world.images()["demo"]
    assert {layer["action"] for layer in answer["built"]["layers"]} == {"reused"}


def test_image_update_makes_tiers_where_it_has_to(world: World) -> None:
    second = RECIPE + '\n[tiers.more]\nkind = "python"\npackages = ["lib"]\n'
    world.write(second)
    succeeds(update(world, "demo", "--add-system", "tool", "--yes"))
    succeeds(update(world, "demo", "--add", "other", "--yes"))
    succeeds(update(world, "demo", "--add", "lib==1.0", "--yes"))
    assert world.recipe.read_text() == (
        second.replace('["lib"]', '["lib==1.0"]')
        + '\n[tiers.system]\nkind = "apt"\npackages = ["tool"]\n'
        + '\n[tiers.custom]\nkind = "python"\npackages = ["other"]\n'
    )


def test_image_update_from_the_name_alone_wherever_one_is(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outcome = succeeds(world.ds01("image", "update", "demo", "--upgrade", "--yes"))
    assert outcome.out.endswith(f"{world.built['demo']}\n")
    process = subprocess.run(
        [UPDATE, "demo", "--add", "other", "--yes"],
        env=world.environment,
        cwd=elsewhere,
        capture_output=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "other" in locked(world)
    world.write(world.recipe.read_text().replace('"demo"', '"other"'))
    outcome = update(world, "demo", "--rebuild")
    assert outcome.code == 1
    assert outcome.complaint[0].endswith("makes an image called 'other' now")


@pytest.mark.parametrize("remark", ["", "# A remark.\n"])
def test_image_update_finds_a_recipe_where_it_was_built_last(world: World, remark: str) -> None:
    succeeds(world.build())
    there = world.root / "elsewhere"
    world.recipe.parent.rename(there)
    world.recipe.parent.mkdir()
    moved = there / world.recipe.name
    moved.write_text(remark + moved.read_text())
    succeeds(world.ds01("build", str(moved)))
    last = roots.latest(world.store, "demo")
    assert last is not None
    assert (last.number, last.place) == (1, str(moved))
    succeeds(update(world, "demo", "--add", "other", "--yes"))
    assert "other" in moved.read_text()


def test_image_update_lists_the_images_when_there_is_none(world: World) -> None:
    was = files(world)
    message = leaves_all_alone(world, 1, update(world, "dmo", "--rebuild"), was)
    assert message == (
        "error: no image is called 'dmo'; did you mean 'demo'?; the images are demo\n"
        "hint:  ds01 image list, or give the path of a recipe"
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "say what to change: --add, --add-system, --remove, -r, --rebuild, --edit, --upgrade"),
        (("--add", "x", "--rebuild"), "one change per run, not --add and --rebuild"),
        (("--add", "other"), "there is no terminal to ask on: --yes goes on without"),
        (("--rebuild", "--tier", "x"), "--tier has no meaning with --rebuild"),
        (("--add", " ", "--yes"), "no package is named"),
    ],
)
def test_image_update_does_one_thing(world: World, flags: tuple[str, ...], message: str) -> None:
    was = files(world)
    told = leaves_all_alone(world, 2, update(world, "demo", *flags), was)
    assert told == f"Error: {message}"


@pytest.mark.parametrize("flag", [("--add", "other"), ("--add-system", "tool"), ("-r", "more.txt")])
def test_image_update_makes_no_tier_of_a_slip(world: World, flag: tuple[str, str]) -> None:
    away = world.root / "more.txt"
    away.write_text("other\n")
    flag = (flag[0], flag[1].replace("more.txt", str(away)))
    was = files(world)
    outcome = update(world, "demo", "--tier", "pyton", *flag, "--yes")
    kind = "apt" if flag[0] == "--add-system" else "python"
    assert leaves_all_alone(world, 2, outcome, was) == (
        f"error: {world.recipe} has no tier 'pyton'; did you mean 'python'?; its tiers are python "
        f"(python)\nhint:  to make it: ds01 add {world.recipe} --tier pyton --kind {kind} PKG"
    )


def test_image_update_makes_the_tier_that_it_would_make_unasked(world: World) -> None:
    succeeds(update(world, "demo", "--tier", "custom", "--add", "other", "--yes"))
    assert "[tiers.custom]" in world.recipe.read_text()


def test_image_update_says_which_word_is_an_option(world: World) -> None:
    was = files(world)
    told = leaves_all_alone(world, 2, update(world, "demo", "--add", "-r x", "--yes"), was)
    assert told == "error: '-r' is an option, not a requirement"


def test_image_update_takes_a_requirement_with_a_url_as_one(world: World) -> None:
    was = files(world)
    url = "lib other @ https://h.example/x.whl"
    told = leaves_all_alone(world, 2, update(world, "demo", "--add", url, "--yes"), was)
    assert (
        told == "error: 'other': the direct URL lacks #sha256= and the file's SHA-256 in 64 digits"
    )


def test_image_update_asks_and_takes_no_for_an_answer(world: World) -> None:
    was = files(world)
    assert answered(world, "n\n", "demo", "--add", "other") == 0
    assert files(world) == was
    assert world.images() == world.built
    assert answered(world, "\n", "demo", "--add", "other") == 0
    assert "other" in locked(world)


def answered(world: World, answer: str, *arguments: str) -> int:
    """Run image-update on a terminal where somebody answers, and return its exit code."""
    ours, theirs = pty.openpty()
    with open(ours, "w", encoding="utf-8") as keyboard:  # noqa: PTH123
        process = subprocess.Popen(
            [UPDATE, *arguments],
            env=world.environment,
            cwd=world.recipe.parent,
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(theirs)
        keyboard.write(answer)
        keyboard.flush()
        outcome = ended(process)
    assert row(outcome.err, "other")[:3] == ["added", "1.0", "python"]
    assert "Update the image demo? [Y/n]" in outcome.err
    return outcome.code


def test_image_update_edits_a_copy_and_takes_it_when_it_is_sound(world: World) -> None:
    script = """sed -i 's/"app"/"app", "other"/' "$0"; echo shown"""
    world.variables["VISUAL"] = f"sh -c {shlex.quote(script)}"
    world.variables["EDITOR"] = "false"
    outcome = succeeds(update(world, "demo", "--edit", "--yes"))
    assert "shown" in outcome.err
    assert outcome.out == f"oci:{world.store}:demo@{world.images()['demo']}\n"
    assert world.recipe.read_text() == RECIPE.replace('["app"]', '["app", "other"]')
    assert world.images() != world.built


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("sed -i s/kind/kinds/", "tiers.python.kind: required"),
        ('sed -i s/"app"/"absent"/', "absent"),
    ],
)
def test_what_was_written_in_vain_is_kept(world: World, editor: str, message: str) -> None:
    was = files(world)
    world.variables.update(EDITOR=editor, TMPDIR=str(world.root))
    told = leaves_all_alone(world, 1, update(world, "demo", "--edit", "--yes"), was)
    assert message in told
    copy = Path(told.rpartition("what you wrote is in ")[2])
    assert copy.name == "demo.toml"
    assert copy.parent.name.startswith("image-update-")


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("sh -c 'exit 3'", "error: the editor ended with 3, and nothing is changed"),
        ("sh -c 'rm \"$0\"'", "/demo.toml' cannot be read: No such file or directory"),
    ],
)
def test_an_editor_that_writes_nothing_leaves_nothing(
    world: World, editor: str, message: str
) -> None:
    was = files(world)
    world.variables.update(EDITOR=editor, TMPDIR=str(world.root))
    told = leaves_all_alone(world, 1, update(world, "demo", "--edit", "--yes"), was)
    assert told.startswith("error: ")
    assert told.endswith(message)
    assert not list(world.root.glob("image-update-*"))


def test_no_editor_is_started_where_nobody_could_type(world: World, tmp_path: Path) -> None:
    was = files(world)
    vim = tmp_path / "vim"
    vim.write_text('#!/bin/sh\nsed -i s/app/other/ "$1"\n')
    vim.chmod(0o755)
    world.variables["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    told = leaves_all_alone(world, 2, update(world, "demo", "--edit", "--yes"), was)
    assert told == "Error: there is nobody to edit: VISUAL or EDITOR names a program that does"


def test_image_update_names_a_file_beside_the_recipe_and_copies_another(
    world: World, tmp_path: Path
) -> None:
    world.write("other\n", "more.txt")
    succeeds(update(world, "demo", "-r", "more.txt", "--yes"))
    assert world.recipe.read_text() == RECIPE + 'requirements = "more.txt"\n'
    assert "other" in locked(world)
    world.write("other\nlib>=1\n", "more.txt")
    assert world.ds01("lock", "--check", "demo.toml").code == 3
    away = tmp_path / "away.txt"
    away.write_text("# all\nlib >= 1\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("other<2\n")
    succeeds(update(world, "demo", "-r", str(away), "--yes"))
    assert '["app", "lib>=1", "other<2"]' in world.recipe.read_text()
    away.write_text("-c more.txt\n")
    outcome = update(world, "demo", "-r", str(away), "--yes")
    assert outcome.code == 1
    assert "has constraints or hashes" in outcome.complaint[0]


def test_no_cache_makes_every_layer_again_and_they_are_the_same(world: World) -> None:
    outcome = succeeds(update(world, "demo", "--rebuild", "--no-cache", "--json"))
    built = outcome.answer["built"]
    assert {layer["action"] for layer in built["layers"]} == {"written"}
    assert built["image"]["digest"] == world.built["demo"]


def test_image_update_that_fails_leaves_all_as_it_was(world: World) -> None:
    was = files(world)
    world.index.route("files/other-1.0-py3-none-any.whl", status(404))
    outcome = update(world, "demo", "--add", "other", "--yes")
    assert "other" in leaves_all_alone(world, 1, outcome, was)
    assert locked(world) == {"app": "1.0", "lib": "1.0"}
