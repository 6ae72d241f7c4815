"""``image-create``: prompted on a terminal, or from flags, it is the same recipe."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import served_images as served
from archive import Package
from images import SCRIPT, read_lock
from layered import Item
from registries import address
from served_images import LIBC, PYTHON, RUNTIME, Shelf
from terminals import DOWN, ENTER, INTERRUPT, SPACE, UP, terminal
from world import NUMBERS, own_archive

from ds01build.catalogue import find_framework
from ds01build.lock import LockedImage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from terminals import Terminal
    from world import World

pytest_plugins = ("world_fixtures",)

CREATE = SCRIPT.with_name("image-create")
BACKSPACE = "\x7f"
TOOLS = ("curl", "git", "htop", "vim", "wget")

# What a person types to be asked everything, by question: scratch, no bundle, a package of one's
# own in each place.
ANSWERS = (
    ("Name of the image", "My Project", ENTER),
    ("Select base framework", "6", ENTER),
    ("Debian release", ENTER),
    ("Where do the Python packages come from?", ENTER),
    ("Install Jupyter Lab", "2", ENTER),
    ("Install core data science", "3", ENTER),
    ("Packages (separated", "app", ENTER),
    ("Select use case", "8", ENTER),
    ("Packages (separated", ENTER),
    ("Additional Python packages", "other", ENTER),
    ("System packages", "lonely", ENTER),
)
FLAGS = (
    *("my-project", "--debian", "bookworm", "--jupyter", "no", "--data-science", "app"),
    *("-t", "custom", "-p", "other", "-s", "lonely"),
)


@pytest.fixture
def desk(world: World) -> World:
    """A world whose archive has the usual tools."""
    own = own_archive(world)
    own.archive.publish(*(Package(name, "1.0-1") for name in TOOLS))
    return own


def home(world: World) -> Path:
    return Path(world.environment["HOME"])


def recipe(world: World, name: str = "my-project") -> Path:
    return home(world) / "workspace" / name / "recipe.toml"


def at(world: World, *words: str, columns: int = 80) -> AbstractContextManager[Terminal]:
    return terminal([CREATE, *words], world.environment, world.root, columns)


def refused(world: World, code: int, *words: str, says: str) -> None:
    outcome = world.ds01("image", "create", *words)
    assert (outcome.code, outcome.out) == (code, "")
    assert says in outcome.err
    assert "Traceback" not in outcome.err


def left(world: World) -> list[str]:
    """Return what lies in the places that image-create writes to."""
    places = (home(world) / "workspace", home(world) / "dockerfiles")
    return sorted(str(path) for place in places for path in place.rglob("*"))


@pytest.mark.parametrize("columns", [80, 120])
def test_a_person_who_answers_everything_gets_an_image(desk: World, columns: int) -> None:
    with at(desk, columns=columns) as shown:
        for question, *keys in ANSWERS:
            shown.answer(question, *keys)
        shown.answer("Build image now?", ENTER)
        assert shown.end() == 0
    text = shown.text
    assert "✓ Phase 1/3: Recipe Created" in text
    assert "• System packages (curl, git, htop, lonely, vim, wget)" in text
    assert "• Additional: other" in text
    assert "Total packages to install: 8" in text
    assert recipe(desk).exists()
    assert recipe(desk).with_suffix(".lock").exists()
    assert "oci:" in text.replace("\n", "")


def test_flags_and_prompts_come_to_the_same_bytes(desk: World) -> None:
    with at(desk, "--no-build") as shown:
        for question, *keys in ANSWERS:
            shown.answer(question, *keys)
        assert shown.end() == 0
    prompted = recipe(desk).read_bytes()
    recipe(desk).unlink()
    outcome = desk.ds01("image", "create", *FLAGS, "--no-build")
    assert outcome.code == 0, outcome.err
    assert recipe(desk).read_bytes() == prompted


def test_the_usual_tools_can_be_declined(desk: World) -> None:
    with at(desk, "--no-build") as shown:
        for question, *keys in ANSWERS[:-1]:
            shown.answer(question, *keys)
        shown.await_text("unless you say no: curl git htop vim wget")
        shown.answer("System packages", "no", ENTER)
        assert shown.end() == 0
    prompted = recipe(desk).read_text()
    assert "apt" not in prompted
    recipe(desk).unlink()
    assert desk.ds01("image", "create", *FLAGS[:-1], "no", "--no-build").code == 0
    assert recipe(desk).read_text() == prompted
    says = "--system no leaves no place for packages"
    refused(desk, 2, *FLAGS, "-s", "no", says=says)


@pytest.mark.parametrize("place", range(len(ANSWERS)))
def test_an_interrupt_leaves_nothing(desk: World, place: int) -> None:
    with at(desk) as shown:
        for question, *keys in ANSWERS[:place]:
            shown.answer(question, *keys)
        shown.answer(ANSWERS[place][0], INTERRUPT)
        assert shown.end() == 130
    assert left(desk) == []
    assert "Traceback" not in shown.text


@pytest.mark.parametrize("place", range(len(ANSWERS)))
def test_the_end_of_the_input_leaves_nothing(desk: World, place: int) -> None:
    with at(desk) as shown:
        for question, *keys in ANSWERS[:place]:
            shown.answer(question, *keys)
        assert shown.leave(ANSWERS[place][0]) == 130
    assert left(desk) == []
    assert "Traceback" not in shown.text


def test_the_end_of_the_input_ends_a_list_and_a_question(desk: World) -> None:
    with at(desk, "demo", "--debian", "bookworm", "--bundles") as shown:
        shown.answer("Select package bundles", DOWN, SPACE)
        assert shown.leave("Select package bundles") == 130
    assert left(desk) == []
    with at(desk, *FLAGS) as shown:
        assert shown.leave("Build image now?") == 130
    assert recipe(desk).with_suffix(".lock").exists(), "what the screen before said is there"


def test_an_interrupt_before_the_build_leaves_whole_files(desk: World) -> None:
    with at(desk, *FLAGS) as shown:
        shown.answer("Build image now?", INTERRUPT)
        assert shown.end() == 130
    outcome = desk.ds01("build", "--locked", "--quiet", recipe(desk))
    assert outcome.code == 0, outcome.err


def test_who_interrupts_when_files_are_there_is_told_how_to_go_on(desk: World) -> None:
    with at(desk, *FLAGS) as shown:
        shown.answer("Build image now?", INTERRUPT)
        assert shown.end() == 130
    assert f"To go on: ds01 build {recipe(desk)}" in shown.text.replace("\n", "")


def test_what_is_not_built_yet_is_updated_by_its_name(desk: World) -> None:
    assert desk.ds01("image", "create", *FLAGS, "--no-build").code == 0
    outcome = desk.ds01("image", "create", *FLAGS, "--no-build")
    assert "image-update my-project changes it" in outcome.err
    outcome = desk.ds01("image", "update", "my-project", "--add", "lib", "--yes")
    assert outcome.code == 0, outcome.err
    assert '"lib"' in recipe(desk).read_text()
    assert desk.ds01("image", "show", "my-project").code == 0


def test_an_image_of_another_name_is_not_found_in_a_project(desk: World) -> None:
    assert desk.ds01("image", "create", *FLAGS, "--no-build").code == 0
    recipe(desk).write_text(recipe(desk).read_text().replace("my-project", "another"))
    outcome = desk.ds01("image", "update", "my-project", "--rebuild")
    assert outcome.code == 1
    assert "no image is called 'my-project'" in outcome.err


def test_a_wrong_answer_is_told_and_asked_again(desk: World) -> None:
    with at(desk, "--dry-run") as shown:
        assert shown.end() == 2
    with at(desk) as shown:
        shown.answer("Name of the image", "///", ENTER)
        shown.await_text("an image name")
        shown.press(INTERRUPT)
        assert shown.end() == 130


def test_a_release_that_nobody_knows_is_asked_again(desk: World) -> None:
    with at(desk, "demo") as shown:
        shown.answer("Select base framework", "6", ENTER)
        shown.answer("Debian release", "nosuchrelease", ENTER)
        shown.await_text("Debian has no release 'nosuchrelease'")
        shown.press(*["\x7f"] * len("nosuchrelease"), "Trixie", ENTER)
        shown.answer("Where do the Python packages", ENTER)
        shown.answer("Install Jupyter Lab", INTERRUPT)
        assert shown.end() == 130
    assert "From scratch: Debian trixie" in shown.text


def test_arrow_keys_choose_as_numbers_do(desk: World) -> None:
    with at(desk, "demo", "--no-build") as shown:
        shown.answer("Select base framework", *[DOWN] * 5, ENTER)
        shown.answer("Debian release", INTERRUPT)
        assert shown.end() == 130


def test_what_was_chosen_stands_on_one_line(desk: World) -> None:
    with at(desk, "demo") as shown:
        shown.answer("Select base framework", "5", ENTER)
        shown.answer("? Image", INTERRUPT)
        assert shown.end() == 130
    chosen = "Custom - Specify an image (e.g. ubuntu:22.04, python:3.11)"
    assert any(line.endswith(f"  {chosen}") for line in shown.text.splitlines()), shown.text


def test_bundles_are_one_list(desk: World) -> None:
    with at(desk, "demo", "--debian", "bookworm", "--bundles", "--no-build") as shown:
        shown.answer("Select package bundles", SPACE, ENTER)
        shown.answer("Additional Python packages", "app", ENTER)
        shown.answer("System packages", ENTER)
        assert shown.end() == 0
    assert "essential" not in recipe(desk, "demo").read_text()


@pytest.mark.parametrize("place", range(3))
def test_an_interrupt_on_the_way_of_the_list_leaves_nothing(desk: World, place: int) -> None:
    answers = (
        ("Select package bundles", DOWN, SPACE, UP, SPACE, ENTER),
        ("Additional Python packages", "app", ENTER),
        ("System packages", ENTER),
    )
    with at(desk, "demo", "--debian", "bookworm", "--bundles") as shown:
        for question, *keys in answers[:place]:
            shown.answer(question, *keys)
        shown.answer(answers[place][0], INTERRUPT)
        assert shown.end() == 130
    assert left(desk) == []


def test_the_same_bundles_are_the_same_bytes_from_a_flag(desk: World) -> None:
    words = ("demo", "--debian", "bookworm")
    with at(desk, *words, "--bundles", "--no-build") as shown:
        shown.answer("Select package bundles", SPACE, ENTER)
        shown.answer("Additional Python packages", "app", ENTER)
        shown.answer("System packages", ENTER)
        assert shown.end() == 0
    outcome = desk.ds01("image", "create", *words, "--bundles=", "-p", "app", "--dry-run")
    assert outcome.out == recipe(desk, "demo").read_text()


def test_without_a_terminal_nothing_is_asked(desk: World) -> None:
    refused(desk, 2, says="give NAME, --framework, --type")
    refused(desk, 2, "demo", "-t", "ml", says="give --framework")


def test_flags_alone_build_an_image(desk: World) -> None:
    outcome = desk.ds01("image", "create", *FLAGS, "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    answer = json.loads(outcome.out)
    assert answer["built"]["name"] == "my-project"
    assert answer["summary"]["packages"] == 8
    assert answer["container"] is None
    assert Path(answer["recipe"]) == recipe(desk)
    assert answer["dockerfile"] is None, "there is no image that it could start from"


def test_a_recipe_that_is_there_is_not_written_over(desk: World) -> None:
    assert desk.ds01("image", "create", *FLAGS, "--no-build").code == 0
    before = recipe(desk).read_bytes()
    refused(desk, 1, *FLAGS, "-p", "lib", "--no-build", says="exists, and nothing is changed")
    assert recipe(desk).read_bytes() == before
    assert desk.ds01("image", "create", *FLAGS, "-p", "lib", "--no-build", "--force").code == 0
    assert b'"lib"' in recipe(desk).read_bytes()


def test_the_recipe_of_another_image_is_taken_over_in_no_case(desk: World) -> None:
    assert desk.ds01("image", "create", *FLAGS, "--no-build").code == 0
    mine = recipe(desk)
    before = mine.read_bytes()
    words = ("other", *FLAGS[1:], "--no-build", "--force", "--recipe")
    outcome = desk.ds01("image", "create", *words, mine)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.complaint == [
        f"error: {mine} is the recipe of another image, 'my-project', and stays as it is",
        f"hint:  --recipe names another file; or mv -T -- {mine} {mine}.old",
    ]
    assert mine.read_bytes() == before
    assert not recipe(desk, "other").exists()


def test_what_is_no_recipe_is_written_over_in_no_case(desk: World) -> None:
    """A pipe stands for a device, which root could replace."""
    file = desk.write("app\n", "requirements.txt")
    os.mkfifo(desk.root / "pipe")
    (desk.root / "link").symlink_to(file)
    words = ("demo", "--debian", "bookworm", "-r", file, "--no-build", "--force", "--recipe")
    for path, problem in {
        desk.root / "pipe": "no regular file",
        desk.root / "link": "a link",
        file: "read from",
    }.items():
        outcome = desk.ds01("image", "create", *words, path)
        assert outcome.code == 1
        assert outcome.complaint == [
            f"error: {path} is {problem}, and stays as it is",
            "hint:  --recipe names another file",
        ]
    assert file.read_text() == "app\n"


def test_packages_that_there_are_not_are_asked_for_again_as_they_were_typed(desk: World) -> None:
    with at(desk, "--no-build") as shown:
        for question, *keys in ANSWERS[:-2]:
            shown.answer(question, *keys)
        shown.answer("Additional Python packages", "other nosuch-x", ENTER)
        shown.answer("System packages", "lonelyy", ENTER)
        shown.await_text("error: tier 'system': Debian bookworm has no package 'lonelyy'")
        shown.await_text("System packages (apt)? (or Enter to skip) lonelyy", times=2)
        shown.press(BACKSPACE, ENTER)
        shown.await_text("the package index has no nosuch-x")
        shown.await_text("   other nosuch-x", times=2)
        shown.press(*[BACKSPACE] * len(" nosuch-x"), ENTER)
        assert shown.end() == 0
    corrected = recipe(desk).read_bytes()
    recipe(desk).unlink()
    assert desk.ds01("image", "create", *FLAGS, "--no-build").code == 0
    assert recipe(desk).read_bytes() == corrected


def test_what_was_asked_for_is_in_a_command_to_correct(desk: World) -> None:
    file = desk.write("nosuch-x\n", "list.txt")
    with at(desk, "demo", "-r", str(file), columns=200) as shown:
        shown.answer("Select base framework", "6", ENTER)
        shown.answer("Debian release", ENTER)
        shown.answer("Additional Python packages", ENTER)
        shown.answer("System packages", ENTER)
        assert shown.end() == 1
    hint = shown.text.partition("hint:  ")[2].strip()
    assert hint.startswith(
        "change what --requirements names; or, image-create demo --debian bookworm --jupyter no"
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("-s", "lonelyy"), "leave lonelyy out of --system, or give its right name"),
        (("-p", "nosuch-x>=1 lib"), "leave nosuch-x>=1 out of --packages, or ask for nosuch-x"),
    ],
)
def test_the_hint_of_flags_that_cannot_be_locked_is_the_flag_to_change(
    desk: World, words: tuple[str, ...], hint: str
) -> None:
    outcome = desk.ds01("image", "create", *FLAGS[:-4], *words, "--no-build")
    assert outcome.code == 1
    assert outcome.complaint[-1] == f"hint:  {hint}"


def test_an_image_that_there_is_not_is_asked_for_again(desk: World) -> None:
    shelf = Shelf(desk.index.server, f"base/{next(NUMBERS)}")
    shelf.show(served.image([*RUNTIME, LIBC, *PYTHON]))
    wrong = shelf.reference.replace(":latest", "") + ":nosuch"
    with at(desk, "demo", "--no-build", columns=120) as shown:
        shown.answer("Select base framework", "5", ENTER)
        shown.answer("? Image", wrong, ENTER)
        shown.await_text("error: ")
        shown.press(ENTER)  # an image again
        shown.await_text(f"? Image {wrong}", times=2)
        shown.press(*[BACKSPACE] * len(":nosuch"), ENTER)
        shown.answer("View full package list?", INTERRUPT)
        assert shown.end() == 130
    refused(desk, 1, "demo", "--base", wrong, "-t", "ml", says="nosuch")


def test_a_name_that_is_taken_is_told_before_anything_else_is_asked(desk: World) -> None:
    assert desk.ds01("image", "create", *FLAGS, "--no-build").code == 0
    with at(desk) as shown:
        shown.answer("Name of the image", "my-project", ENTER)
        shown.answer("recipe.toml exists. Overwrite?", ENTER)
        assert shown.end() == 1
    assert "Select base framework" not in shown.text


def test_what_cannot_be_locked_writes_nothing(desk: World) -> None:
    outcome = desk.ds01("image", "create", *FLAGS, "-p", "no-such-package", "--no-build")
    assert outcome.code == 1
    assert "no-such-package" in outcome.err
    assert left(desk) == []


def test_a_workspace_that_is_no_directory_is_told(desk: World) -> None:
    (home(desk) / "workspace").write_text("mine")
    refused(desk, 1, *FLAGS, "--no-build", says="Not a directory")


def test_the_requirements_of_a_project_are_named_and_those_elsewhere_copied(desk: World) -> None:
    project = recipe(desk).parent
    project.mkdir(parents=True)
    (project / "requirements.txt").write_text("app>=0.1\n")
    words = ("my-project", "--debian", "bookworm", "-r", project / "requirements.txt")
    assert desk.ds01("image", "create", *words, "--no-build").code == 0
    assert 'requirements = "requirements.txt"' in recipe(desk).read_text()

    elsewhere = desk.root / "list.txt"
    elsewhere.write_text("app>=0.1\n")
    words = (*words[:-1], elsewhere)
    assert desk.ds01("image", "create", *words, "--no-build", "--force").code == 0
    assert 'packages = ["app>=0.1"]' in recipe(desk).read_text()


def test_a_file_is_named_by_its_path_and_asked_for_again_where_it_cannot_be_taken(
    desk: World,
) -> None:
    bad, good = desk.root / "bad.txt", desk.root / "good.txt"
    bad.write_text("app\n-e .\n")
    good.write_text("app>=0.1\n")
    with at(desk, "--no-build", columns=120) as shown:
        for question, *keys in ANSWERS[:3]:
            shown.answer(question, *keys)
        shown.answer("Where do the Python packages", "1", ENTER)
        shown.answer("Path of the file", str(bad), ENTER)
        shown.await_text("error: bad.txt:2: -e .: editable installs are not part of an image")
        shown.press(ENTER)
        shown.await_text("Path of the file", times=2)
        shown.press(*[BACKSPACE] * len("bad.txt"), "good.txt", ENTER)
        shown.answer("Additional Python packages", ENTER)
        shown.answer("System packages", ENTER)
        assert shown.end() == 0
    assert 'packages = ["app>=0.1"]' in recipe(desk).read_text()


def test_a_line_that_no_image_can_have_is_named_with_what_to_do(desk: World) -> None:
    file = desk.root / "list.txt"
    file.write_text("app\n-e ./here\n")
    outcome = desk.ds01("image", "create", "demo", "-f", "scratch", "-r", file)
    assert outcome.code == 1
    assert outcome.complaint == [
        "error: list.txt:2: -e ./here: editable installs are not part of an image: name a package",
        f"hint:  take it out of the file; or, ds01 import {file} takes the rest",
    ]


def test_a_file_of_the_project_is_named_below_it_whenever_the_name_is_asked(desk: World) -> None:
    project = recipe(desk).parent
    project.mkdir(parents=True)
    (project / "requirements.txt").write_text("app>=0.1\n")
    with at(desk, "--no-build") as shown:
        for question, *keys in ANSWERS[:3]:
            shown.answer(question, *keys)
        shown.answer("Where do the Python packages", "1", ENTER)
        shown.answer("Additional Python packages", ENTER)
        shown.answer("System packages", ENTER)
        assert shown.end() == 0
    assert 'requirements = "requirements.txt"' in recipe(desk).read_text()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("demo", "-f", "pytorch", "--debian", "bookworm"), "is no scratch base"),
        (("demo", "-f", "custom"), "needs --base REF"),
        (("demo", "--arch", "CUDA_ADA"), "--arch needs a --framework"),
        (("demo", "-f", "pytorch", "-t", "nlpp"), "did you mean 'nlp'?"),
        (("demo", "-f", "scratch", "-p", "a b>>1"), "is not a requirement"),
        (("demo", "-f", "scratch", "--bundles", "cvv"), "did you mean 'cv'?"),
        (
            ("-f", "scratch", "--bundles", "demo"),
            "audio, ts, llm; where that is the NAME, it comes before --bundles",
        ),
        (("///", "-f", "scratch", "-t", "ml"), "an image name"),
        (("../evil", "-f", "scratch", "-t", "ml"), "'/' has no place in one"),
        (("demo", "-f", "scratch", "-t", "ml", "--jupyter", "true"), "yes, no, or packages"),
        (("demo", "--debian", "bookwrm", "-t", "ml"), "did you mean 'bookworm'?"),
        (("demo", "--debian", "12", "-t", "ml"), "the codename of a Debian release"),
        (("demo", "-f", "Scratch", "--bundles", "cv", "-t", "ml"), "the place of --type"),
        (("demo", "-f", "scratch", "--bundles", "cv", "--jupyter", "yes"), "place of --jupyter"),
        (("demo", "-f", "nothing-such", "-t", "ml"), "--framework: "),
        (
            ("demo", "-f", "scratch", "-p", "six", "-p", "six>=1", "-t", "ml"),
            "twice: six and six>=1",
        ),
        (("demo", "-f", "scratch", "--dry-run"), "nothing is asked with --dry-run: give --type"),
        (("demo", "-f", "scratch", "-r", "/"), "is a directory"),
        (("demo", "-f", "scratch", "-t", "ml", "--container", "--no-build"), "contradict"),
        (("demo", "-f", "scratch", "-t", "ml", "--container", "--no-load"), "contradict"),
    ],
)
def test_flags_that_mean_nothing_are_usage_errors(
    desk: World, words: tuple[str, ...], problem: str
) -> None:
    refused(desk, 2, *words, says=problem)
    assert left(desk) == []


def test_a_dry_run_in_json_has_the_recipe(desk: World) -> None:
    outcome = desk.ds01("image", "create", *FLAGS, "--jupyter", "No", "--dry-run", "--json")
    answer = json.loads(outcome.out)
    assert answer["schema"] == "ds01.drafted/1"
    assert answer["text"] == desk.ds01("image", "create", *FLAGS, "--dry-run").out


def test_a_name_that_is_made_of_another_is_told(desk: World) -> None:
    outcome = desk.ds01("image", "create", "Thésis 2", *FLAGS[1:], "--jupyter", "y", "--dry-run")
    assert outcome.code == 0
    assert "It is going to be called thesis-2." in outcome.err
    assert 'name = "thesis-2"' in outcome.out
    assert 'bundle = "jupyter"' in outcome.out


def test_a_dry_run_is_the_recipe_and_no_file(desk: World) -> None:
    outcome = desk.ds01("image", "create", *FLAGS, "--dry-run")
    assert outcome.code == 0
    assert 'name = "my-project"' in outcome.out
    assert left(desk) == []


def test_the_framework_of_today_is_pinned(desk: World) -> None:
    ada = replace(desk, variables={"MLC_ARCH": "CUDA_ADA"})
    outcome = ada.ds01("image", "create", "demo", "-f", "pytorch", "-t", "ml", "--dry-run")
    assert 'version = "2.8.0-aime"\narch = "CUDA_ADA"' in outcome.out


def test_who_takes_the_defaults_has_the_usual_framework_of_the_machine(desk: World) -> None:
    image = find_framework("pytorch", architecture="CUDA_ADA").image
    shelf = Shelf(desk.index.server, image)
    shelf.show(served.image([*RUNTIME, LIBC, *PYTHON]))
    host = shelf.reference.partition("/")[0]
    ada = replace(
        desk,
        variables={
            "MLC_ARCH": "CUDA_ADA",
            "DS01_PLAIN_REGISTRIES": host,
            "DS01_REGISTRY_MIRRORS": host,
        },
    )
    outcome = ada.ds01("image", "create", "demo", "--yes", "--dry-run")
    assert outcome.code == 0, outcome.err
    named = ada.ds01("image", "create", "demo", "-f", "pytorch", "--yes", "--dry-run")
    assert outcome.out == named.out
    assert '[base]\nframework = "pytorch"' in outcome.out


def test_from_scratch_there_is_no_dockerfile_for_the_project(desk: World) -> None:
    outcome = desk.ds01("image", "create", *FLAGS, "--no-build", "--project-dockerfile")
    assert "--project-dockerfile: an image from scratch has no Dockerfile." in outcome.err


def test_who_does_not_build_is_told_how_to_do_it_later(desk: World) -> None:
    outcome = desk.ds01("image", "create", *FLAGS, "--no-build")
    assert f"Build it: ds01 build {recipe(desk)}" in outcome.err.splitlines()
    assert outcome.out == f"{recipe(desk)}\n"


DOCKERFILE = """\
FROM debian:bookworm
# System packages
RUN apt-get update && apt-get install -y lonely
# Core Data Science
RUN pip install --no-cache-dir app>=0.1
RUN make everything
"""


def test_a_dockerfile_is_taken_over_and_what_no_recipe_has_is_told(desk: World) -> None:
    file = desk.root / "Dockerfile"
    file.write_text(DOCKERFILE)
    outcome = desk.ds01("image", "create", "old", "--dockerfile", file, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert 'name = "old"' in outcome.out
    assert '"app>=0.1"' in outcome.out
    assert '"lonely"' in outcome.out
    assert "make everything" in outcome.err


def test_a_dockerfile_has_all_the_answers(desk: World) -> None:
    file = desk.root / "Dockerfile"
    file.write_text(DOCKERFILE)
    refused(desk, 2, "old", "--dockerfile", str(file), "-t", "ml", says="--type has no meaning")
    refused(desk, 2, "--dockerfile", str(file), says="needs the NAME")


def test_the_lock_is_of_the_base_that_was_shown_and_its_name_is_asked_for_once(
    desk: World,
) -> None:
    shelf = Shelf(desk.index.server, f"base/{next(NUMBERS)}")
    shown_first, newer = (
        served.image([*RUNTIME, LIBC, *PYTHON, Item("etc/note", note)]) for note in (b"1", b"2")
    )
    shelf.show(shown_first)
    with at(desk, "demo", "--base", shelf.reference, "--no-build") as shown:
        shown.answer("View full package list?", ENTER)
        shown.await_text("Additional Python packages")
        shelf.show(newer)
        shown.press("app", ENTER)
        shown.answer("System packages", ENTER)
        assert shown.end() == 0, shown.text
    lock = read_lock(recipe(desk, "demo"))
    assert isinstance(lock.base, LockedImage)
    assert str(lock.base.manifest) == address(shown_first.manifest)
    assert sum(asked.endswith("manifests/latest") for asked in shelf.asked()) == 1
    outcome = desk.ds01("lock", "--check", "--json", recipe(desk, "demo"))
    assert outcome.answer["base_moved_to"] == address(newer.manifest), "it is not hidden"


def test_a_container_without_an_engine_is_refused_before_anything_is_built(desk: World) -> None:
    refused(desk, 4, *FLAGS, "--container", says="no engine answers")
    assert desk.ds01("image", "show", "my-project").code == 1
