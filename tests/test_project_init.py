"""``project-init``: prompted or from flags it is the same project, and what is there stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from images import SCRIPT
from terminals import DOWN, ENTER, INTERRUPT, terminal
from world import ended

from ds01build.project import KINDS, Author, Project, declaration, read
from ds01build.project.tree import LEAVES
from ds01build.recipe import parse

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from terminals import Terminal
    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

INIT = SCRIPT.with_name("project-init")
ANSWERS = (
    ("Name of the project", "My Thesis", ENTER),
    ("Type of the project", "3", ENTER),
    ("Description", "What parties promise", ENTER),
    ("Structure", "1", ENTER),
    ("Keep it in a git repository?", ENTER),
    ("Where do you work?", "1", ENTER),
)
FLAGS = ("my-thesis", "--type", "nlp", "--desc", "What parties promise", "--quick")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def desk(world: World) -> World:
    """A world whose user has told git who he is."""
    text = "[user]\nname = A. Person\nemail = a@example.org\n[init]\ndefaultBranch = main\n"
    (home(world) / ".gitconfig").write_text(text)
    return world


def home(world: World) -> Path:
    return Path(world.environment["HOME"])


def project(world: World, name: str = "my-thesis") -> Path:
    return home(world) / "workspace" / name


def init(world: World, *words: str | Path) -> Outcome:
    return world.ds01("project", "init", *words)


def made(world: World, *words: str | Path) -> dict[str, Any]:
    outcome = init(world, *words, "--json")
    assert outcome.code == 0, outcome.err
    answer: dict[str, Any] = json.loads(outcome.out)
    return answer


def at(world: World, *words: str) -> AbstractContextManager[Terminal]:
    return terminal([INIT, *words], world.environment, world.root)


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and ".git/" not in str(path))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def git(world: World, *words: str, name: str = "my-thesis") -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=project(world, name),
        env=world.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def refused(world: World, code: int, *words: str | Path, says: str) -> None:
    outcome = init(world, *words)
    assert (outcome.code, outcome.out) == (code, ""), outcome.err
    assert says in outcome.err
    assert "Traceback" not in outcome.err


def test_a_person_who_answers_everything_gets_a_project(desk: World) -> None:
    with at(desk) as shown:
        for question, *keys in ANSWERS:
            shown.answer(question, *keys)
        assert shown.end() == 0
    found = contents(project(desk))
    assert {f"{leaf}/.gitkeep" for leaf in LEAVES} <= set(found)
    assert "Work on it: project-launch my-thesis" in shown.text
    recipe = parse(found["recipe.toml"].decode(), source="recipe.toml")
    assert recipe.name == "my-thesis"
    assert 'bundle = "nlp"' in found["recipe.toml"].decode()
    assert "# my-thesis\n\nWhat parties promise\n" in found["README.md"].decode()


def test_flags_and_prompts_come_to_the_same_bytes(desk: World) -> None:
    with at(desk) as shown:
        for question, *keys in ANSWERS:
            shown.answer(question, *keys)
        assert shown.end() == 0
    prompted = contents(project(desk))
    shutil.rmtree(project(desk))
    made(desk, *FLAGS)
    assert contents(project(desk)) == prompted


def test_a_project_says_what_it_is_without_time_and_uid(desk: World) -> None:
    made(desk, *FLAGS)
    found = tomli.loads((project(desk) / "pyproject.toml").read_text())
    assert found["tool"]["ds01"] == {"type": "nlp", "image": "my-thesis"}
    assert found["project"] == {
        "name": "my-thesis",
        "version": "0.1.0",
        "description": "What parties promise",
        "authors": [{"name": "A. Person", "email": "a@example.org"}],
    }


def test_packages_stand_in_the_recipe_and_nowhere_else(desk: World) -> None:
    """Two lists of packages, of which one was ignored, were how builds went stale unseen."""
    made(desk, *FLAGS)
    found = contents(project(desk))
    assert not {"requirements.txt", "Dockerfile"} & set(found)
    listing = [path for path, content in found.items() if b"transformers" in content]
    assert listing == []  # the recipe names the bundle
    assert [path for path, content in found.items() if b"bundle =" in content] == ["recipe.toml"]


def test_run_twice_it_changes_no_byte(desk: World) -> None:
    made(desk, *FLAGS)
    (project(desk) / "README.md").write_text("mine\n")
    (project(desk) / "recipe.toml").write_text(
        'schema = 1\nname = "other"\n\n[base]\ndebian = "bookworm"\n'
    )
    before = contents(project(desk))
    again = made(desk, "my-thesis", "--type", "cv", "--quick")
    assert contents(project(desk)) == before
    assert {each["state"] for each in again["files"]} == {"kept"}
    assert again["type"] == "nlp", "what pyproject.toml says stays"


def test_what_lacks_is_added_and_what_is_there_stays(desk: World) -> None:
    project(desk).mkdir(parents=True)
    (project(desk) / "README.md").write_text("mine\n")
    (project(desk) / "data").symlink_to(desk.root)
    answer = made(desk, *FLAGS)
    states = {each["path"]: each["state"] for each in answer["files"]}
    assert states["README.md"] == "kept"
    assert states["data/raw/.gitkeep"] == "kept", "below a link nothing is written"
    assert states["recipe.toml"] == "written"
    assert (project(desk) / "README.md").read_text() == "mine\n"
    assert not (desk.root / "raw").exists()


def test_two_at_once_come_to_one_project(desk: World) -> None:
    words = ("project", "init", *FLAGS)
    started = [desk.start(*words) for _ in range(3)]
    outcomes = [ended(each) for each in started]
    assert [each.code for each in outcomes] == [0, 0, 0], outcomes
    assert all("Traceback" not in each.err for each in outcomes)
    found = contents(project(desk))
    assert not [path for path in found if "-" in Path(path).name], "nothing is left aside"
    shutil.rmtree(project(desk))
    made(desk, *FLAGS)
    assert contents(project(desk)) == found


def test_a_directory_that_is_there_is_asked_about_and_never_emptied(desk: World) -> None:
    project(desk, "thesis").mkdir(parents=True)
    (project(desk, "thesis") / "precious").write_text("x")
    with at(desk, "thesis") as shown:
        shown.answer("~/workspace/thesis exists", DOWN, ENTER)
        assert shown.end() == 1
    assert "nothing is changed" in shown.text
    assert list(contents(project(desk, "thesis"))) == ["precious"]


@pytest.mark.parametrize("place", range(len(ANSWERS)))
def test_an_interrupt_leaves_nothing(desk: World, place: int) -> None:
    with at(desk) as shown:
        for question, *keys in ANSWERS[:place]:
            shown.answer(question, *keys)
        shown.answer(ANSWERS[place][0], INTERRUPT)
        assert shown.end() == 130
    assert not project(desk).exists()
    assert "Traceback" not in shown.text


def test_requirements_that_are_there_are_named_by_the_recipe(desk: World) -> None:
    project(desk).mkdir(parents=True)
    (project(desk) / "requirements.txt").write_text("app>=0.1\n")
    made(desk, *FLAGS)
    recipe = (project(desk) / "recipe.toml").read_text()
    assert 'requirements = "requirements.txt"' in recipe
    assert "bundle = " not in recipe.partition("[tiers.requirements]")[2]
    assert (project(desk) / "requirements.txt").read_text() == "app>=0.1\n"


def test_the_image_of_a_recipe_that_is_there_is_the_projects(desk: World) -> None:
    project(desk).mkdir(parents=True)
    text = 'schema = 1\nname = "seminar"\n\n[base]\ndebian = "bookworm"\n'
    (project(desk) / "recipe.toml").write_text(text)
    assert made(desk, *FLAGS)["image"] == "seminar"
    found = tomli.loads((project(desk) / "pyproject.toml").read_text())
    assert found["tool"]["ds01"]["image"] == "seminar"


def test_a_recipe_is_what_image_create_writes_for_the_same_answers(desk: World) -> None:
    made(desk, *FLAGS, "--debian", "bookworm")
    words = ("my-thesis", "--debian", "bookworm", "-t", "nlp", "--dry-run", "--yes")
    created = desk.ds01("image", "create", *words)
    assert (project(desk) / "recipe.toml").read_text() == created.out


@needs_git
def test_the_first_commit_has_what_was_written_and_an_author_whom_git_knows(desk: World) -> None:
    answer = made(desk, *FLAGS, "--devcontainer")
    assert answer["git"] == {"state": "committed", "problem": None}
    assert git(desk, "log", "--format=%an <%ae> %s").strip() == (
        "A. Person <a@example.org> Begin my-thesis"
    )
    tracked = set(git(desk, "ls-files").split())
    assert {"recipe.toml", "README.md", "pyproject.toml", "data/raw/.gitkeep"} <= tracked
    assert ".devcontainer/devcontainer.json" not in tracked, "it names a uid"
    assert git(desk, "status", "--porcelain") == ""


@needs_git
def test_data_models_and_outputs_are_in_no_commit(desk: World) -> None:
    made(desk, *FLAGS)
    for path in ("data/x.csv", "data/raw/y.csv", "models/m.pt", "outputs/logs/deep/z"):
        (project(desk) / path).parent.mkdir(parents=True, exist_ok=True)
        (project(desk) / path).write_text("x")
    (project(desk) / "scripts" / "run.py").write_text("x")
    assert git(desk, "status", "--porcelain", "-uall").split() == ["??", "scripts/run.py"]


@needs_git
def test_the_first_commit_has_what_a_run_that_was_killed_has_written(desk: World) -> None:
    made(desk, *FLAGS, "--no-git")
    (project(desk) / "README.md").write_text("mine\n")
    assert made(desk, *FLAGS)["git"]["state"] == "committed"
    assert git(desk, "status", "--porcelain") == "?? README.md\n"


@needs_git
def test_files_that_were_there_are_not_committed(desk: World) -> None:
    project(desk).mkdir(parents=True)
    (project(desk) / "notes.txt").write_text("mine")
    made(desk, *FLAGS)
    assert "notes.txt" not in git(desk, "ls-files").split()


@needs_git
def test_a_repository_that_is_there_stays_as_it_is(desk: World) -> None:
    project(desk).mkdir(parents=True)
    git(desk, "init", "--quiet")
    assert made(desk, *FLAGS)["git"]["state"] == "there"
    assert git(desk, "status", "--porcelain").startswith("??")


@needs_git
def test_hooks_of_the_user_are_heard_and_what_they_say_is_told(desk: World) -> None:
    hooks = desk.root / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    with (home(desk) / ".gitconfig").open("a") as file:
        file.write(f"[core]\nhooksPath = {hooks}\n")
    outcome = init(desk, *FLAGS)
    assert outcome.code == 0
    assert "git says: not today" in outcome.err
    assert (project(desk) / "recipe.toml").exists()


@needs_git
def test_who_has_told_git_no_name_gets_no_made_up_one(world: World) -> None:
    (home(world) / ".gitconfig").write_text("[user]\nemail = a@example.org\n")
    answer = made(world, *FLAGS)
    assert answer["git"]["state"] == "begun"
    assert "git config --global user.name" in answer["git"]["problem"]
    declared = (project(world) / "pyproject.toml").read_text()
    assert 'authors = [{ email = "a@example.org" }]' in declared


def test_without_git_there_is_a_project_all_the_same(world: World) -> None:
    world.variables["PATH"] = str(world.root / "nothing")
    assert made(world, *FLAGS)["git"]["state"] == "missing"
    assert (project(world) / "recipe.toml").exists()


def test_no_git_begins_none(desk: World) -> None:
    assert made(desk, *FLAGS, "--no-git")["git"]["state"] == "unwanted"
    assert not (project(desk) / ".git").exists()


def test_a_blank_project_has_no_directories(desk: World) -> None:
    made(desk, *FLAGS, "--blank", "--no-git")
    assert set(contents(project(desk))) == {
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "recipe.toml",
    }
    assert "data/raw" not in (project(desk) / "README.md").read_text()


def test_a_devcontainer_names_the_built_image(desk: World) -> None:
    made(desk, *FLAGS, "--devcontainer")
    path = project(desk) / ".devcontainer/devcontainer.json"
    found = json.loads(path.read_text())
    assert found["image"] == f"ds01-{os.geteuid()}/my-thesis:latest"
    assert "build" not in found
    assert found["workspaceFolder"] == "/workspace"


def test_a_dry_run_writes_nothing(desk: World) -> None:
    outcome = init(desk, *FLAGS[:-1], "--dry-run")
    assert outcome.code == 0
    assert f"write {project(desk)}/recipe.toml" in outcome.out.splitlines()
    assert not project(desk).exists()
    answer = made(desk, *FLAGS[:-1], "--dry-run")
    assert (answer["dry_run"], answer["git"]) == (True, None)
    assert not project(desk).exists()
    assert made(desk, *FLAGS)["dry_run"] is False


def test_a_project_may_lie_elsewhere(desk: World) -> None:
    place = desk.root / "elsewhere"
    assert made(desk, *FLAGS, "--dir", place)["directory"] == str(place)
    assert (place / "recipe.toml").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing is asked without a terminal: give NAME"),
        (("--quick",), "--quick asks nothing: give NAME"),
        (("--dry-run",), "--dry-run asks nothing: give NAME"),
        (("a/b", "--quick"), "'/' has no place in one"),
        (("..", "--quick"), "is not an image name"),
        (("demo", "--type", "nlpp", "--quick"), "did you mean 'nlp'?"),
        (("demo", "--desc", "a\nb", "--quick"), "contains the character U+000A"),
        (("demo", "--debian", "bookwrm", "--quick"), "did you mean 'bookworm'?"),
    ],
)
def test_what_means_nothing_is_a_usage_error(
    desk: World, words: tuple[str, ...], says: str
) -> None:
    refused(desk, 2, *words, says=says)
    assert not (home(desk) / "workspace").exists()


def test_what_is_in_the_way_is_told_before_anything_is_written(desk: World) -> None:
    project(desk).mkdir(parents=True)
    (project(desk) / "data").write_text("x")
    refused(desk, 1, *FLAGS, says="data is no directory, and stays as it is")
    assert list(contents(project(desk))) == ["data"]
    shutil.rmtree(project(desk))
    project(desk).symlink_to(desk.root)
    refused(desk, 1, *FLAGS, says="is a link")
    project(desk).unlink()
    project(desk).write_text("x")
    refused(desk, 1, *FLAGS, says="is no directory")


def test_a_pyproject_that_is_no_toml_is_told(desk: World) -> None:
    project(desk).mkdir(parents=True)
    (project(desk) / "pyproject.toml").write_text("= 1")
    refused(desk, 1, *FLAGS, says="pyproject.toml: not TOML")


LINES = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=60)


@given(LINES, LINES, st.sampled_from(KINDS))
def test_what_a_project_declares_is_read_again(description: str, name: str, kind: str) -> None:
    author = Author(name=name, email="a@example.org")
    one = Project(name="x", kind=kind, image="x.y", description=description, author=author)
    text = declaration(one)
    found = read(text)
    assert found is not None
    assert (found.kind, found.image, found.description) == (kind, "x.y", description)
    assert tomli.loads(text)["project"]["authors"][0].get("name", "") == name


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("", None),
        ("[tool.other]\n", None),
        ("[tool]\nds01 = 1\n", None),
        ('[tool.ds01]\nimage = "ds01-1000/x:latest"\n', ""),
        ("[tool.ds01]\nimage = 1\ntype = []\n", ""),
        ('project = "x"\n[tool.ds01]\nimage = "x"\ncreated = "2025"\n', "x"),
    ],
)
def test_what_others_wrote_into_a_pyproject_reads_as_far_as_it_is_known(
    text: str, image: str | None
) -> None:
    found = read(text)
    assert (found.image if found else None) == image
