"""``ds01 import``: writes a recipe over nobody's, the same one twice, and says what it left out."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from images import Place, run
from world import SCRIPT

from ds01build.recipe import PythonTier, parse

if TYPE_CHECKING:
    from pathlib import Path

    from images import Ended
    from world import World

pytest_plugins = ("world_fixtures",)

RECIPE = """\
# Imported from Dockerfile.

schema = 1
name = "thesis"

[base]
image = "python:3.12-slim"

[tiers.custom]
kind = "python"
packages = ["pandas>=2.0"]
"""
COMMAND = "commands are not carried over: a run tier can execute them"
DOCKERFILE = "FROM python:3.12-slim\nRUN pip install pandas>=2.0\nRUN make\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A user in a directory with files of every kind."""
    project = tmp_path / "thesis"
    project.mkdir()
    (tmp_path / "home").mkdir()
    (project / "requirements.txt").write_text("numpy>=2\n-c bounds.txt\n")
    (project / "bounds.txt").write_text("numpy<3\n")
    (project / "environment.yml").write_text("dependencies: [scipy=1.2, libgcc]\n")
    (project / "Dockerfile").write_text(DOCKERFILE)
    (project / "pylock.toml").write_text(
        'lock-version = "1.0"\n[[packages]]\nname = "six"\nversion = "1.0"\n'
    )
    (project / "pyproject.toml").write_text(
        '[project]\nname = "Deep"\ndependencies = ["rich"]\n[dependency-groups]\ndev = ["ruff"]\n'
    )
    return Place(root=tmp_path, cwd=project)


def imported(place: Place, *words: str | Path) -> Ended:
    assert place.cwd is not None
    environment = {**place.environment, "PWD": str(place.cwd)}
    return run(SCRIPT, "import", *words, environment=environment, cwd=place.cwd)


def refused(place: Place, *words: str | Path) -> tuple[int, str]:
    ended = imported(place, *words)
    assert ended.out == ""
    return ended.code, ended.err


def test_the_recipe_is_written_where_it_is_wanted_and_its_path_is_the_answer(place: Place) -> None:
    assert place.cwd is not None
    ended = imported(place, "Dockerfile")
    assert (ended.code, ended.out) == (0, "recipe.toml\n")
    text = (place.cwd / "recipe.toml").read_text()
    assert text == RECIPE
    ranged = "as pandas>=2.0: the shell took its version for a file, and pip got pandas alone"
    assert ended.err.splitlines() == [
        f"Dockerfile:2: carried over: pandas>=2.0 ({ranged})",
        f"Dockerfile:3: not carried over: RUN make ({COMMAND})",
    ]
    quiet = imported(place, "Dockerfile", "--quiet", "-o", "-")
    assert quiet.out == text
    assert quiet.err == f"Dockerfile:3: not carried over: RUN make ({COMMAND})\n", "losses are told"


def test_what_a_line_says_is_told_with_why_it_is_not_carried_over(place: Place) -> None:
    assert place.cwd is not None
    lines = (
        "rich",
        "git+https://user:hidden-word@host/x.git",
        "--index-url https://host/hidden-word/simple",
        "six --hash=sha256:abc",
    )
    (place.cwd / "some.txt").write_text("\n".join(lines))
    ended = imported(place, "some.txt", "-o", "-")
    assert [line.partition(" (")[0] for line in ended.err.splitlines()] == [
        "some.txt:2: not carried over: git+https://...@host/x.git",
        "some.txt:3: not carried over: --index-url",
        "some.txt:4: not carried over: --hash=sha256:abc",
    ]
    assert "hidden-word" not in ended.err + ended.out
    assert 'packages = ["rich", "six"]' in ended.out


def test_what_a_project_says_is_told_with_why_it_is_not_carried_over(place: Place) -> None:
    assert place.cwd is not None
    (place.cwd / "pyproject.toml").write_text(
        '[project]\nname = "deep"\ndependencies = ["rich", "x @ http://me:hidden-word@host/x.whl"]\n'
    )
    ended = imported(place, "pyproject.toml", "-o", "-")
    at = "pyproject.toml: not carried over: pyproject.toml:project.dependencies[1]"
    assert ended.err.startswith(f"{at} x @ http://...@host/x.whl (")
    assert "hidden-word" not in ended.err + ended.out


def test_where_nothing_is_carried_over_what_there_was_is_told_first(place: Place) -> None:
    assert place.cwd is not None
    (place.cwd / "only.txt").write_text("-e .\nfoo bar\n")
    for words in (("only.txt",), ("only.txt", "--json")):
        code, err = refused(place, *words, "-o", "-")
        assert code == 1
        assert [line.partition(" (")[0].partition(": not")[0] for line in err.splitlines()] == [
            "only.txt:1",
            "only.txt:2",
            "error: there is nothing in only.txt that a recipe could ask for",
        ]


def test_a_recipe_that_is_there_is_nobodys_to_replace(place: Place) -> None:
    assert place.cwd is not None
    recipe = place.cwd / "recipe.toml"
    recipe.write_text("mine\n")
    code, err = refused(place, "Dockerfile")
    assert code == 1
    assert "error: there is a recipe recipe.toml already\nhint:  --force replaces it" in err
    assert recipe.read_text() == "mine\n"
    recipe.unlink()
    recipe.symlink_to(place.cwd / "nowhere")
    assert refused(place, "Dockerfile")[0] == 1
    assert not (place.cwd / "nowhere").exists()
    recipe.unlink()
    recipe.write_text("mine\n")
    assert imported(place, "Dockerfile", "--force").code == 0
    first = recipe.read_bytes()
    again = imported(place, "Dockerfile")
    assert (again.code, recipe.read_bytes()) == (0, first), "the same again is no replacement"


def test_what_is_no_recipe_is_replaced_in_no_case(place: Place) -> None:
    """A pipe stands for a device, which root could replace."""
    assert place.cwd is not None
    source = place.cwd / "requirements.txt"
    before = source.read_bytes()
    os.mkfifo(place.cwd / "pipe")
    (place.cwd / "link").symlink_to("Dockerfile")
    os.link(source, place.cwd / "hard")
    for path, problem in {
        "pipe": "pipe is no regular file",
        "link": "link is a link",
        "requirements.txt": "requirements.txt is read from",
        "hard": "hard is read from",
    }.items():
        code, err = refused(place, "requirements.txt", "--force", "-o", path)
        assert code == 1
        told = f"error: {problem}, and stays as it is\nhint:  -o names another file\n"
        assert err.endswith(told)
    assert refused(place, "requirements.txt", "-o", "pipe")[0] == 1, "which nobody writes to"
    assert source.read_bytes() == before
    assert (place.cwd / "pipe").is_fifo()
    assert (place.cwd / "link").is_symlink()


def test_what_a_source_includes_is_replaced_in_no_case(place: Place) -> None:
    assert place.cwd is not None
    (place.cwd / "requirements.txt").write_text("numpy\n-r more.txt\n-c bounds.txt\n")
    (place.cwd / "more.txt").write_text("scipy\n")
    (place.cwd / "Dockerfile").write_text(
        "FROM python:3.12-slim\nCOPY requirements.txt /r.txt\nRUN pip install -r /r.txt\n"
    )
    for source in ("requirements.txt", "Dockerfile"):
        for path in ("more.txt", "bounds.txt", "requirements.txt"):
            before = (place.cwd / path).read_bytes()
            code, err = refused(place, source, "--force", "-o", path)
            assert code == 1
            assert f"error: {path} is read from, and stays as it is\n" in err
            assert (place.cwd / path).read_bytes() == before


def test_a_dry_run_writes_nothing_and_json_has_everything(place: Place) -> None:
    assert place.cwd is not None
    ended = imported(place, "environment.yml", "Dockerfile", "--dry-run", "--json")
    answer = json.loads(ended.out)
    assert not (place.cwd / "recipe.toml").exists()
    assert (answer["schema"], answer["recipe"], answer["written"]) == (
        "ds01.imported/1",
        None,
        False,
    )
    assert parse(answer["text"], source="test").name == answer["name"] == "thesis"
    assert [(row["source"], row["line"], row["text"]) for row in answer["not_carried"]] == [
        ("environment.yml", 1, "libgcc"),
        ("Dockerfile", 3, "RUN make"),
    ]
    assert [row["text"] for row in answer["changed"]] == ["pandas>=2.0"]
    assert answer["not_needed"] == []


def test_a_requirements_file_below_the_recipe_is_named_so_that_later_edits_count(
    place: Place, tmp_path: Path
) -> None:
    assert place.cwd is not None
    named = parse(imported(place, "requirements.txt", "-o", "-").out, source="test")
    (tier,) = named.tiers
    assert isinstance(tier, PythonTier)
    assert (tier.requirements, tier.packages) == ("requirements.txt", ())
    above = imported(place, "requirements.txt", "--dry-run", "-o", "../recipe.toml").out
    assert 'requirements = "thesis/requirements.txt"' in above
    beside = tmp_path / "beside"
    beside.mkdir()
    for words in (("--copy", "-o", "-"), ("--dry-run", "-o", str(beside / "r.toml"))):
        copied = parse(imported(place, "requirements.txt", *words).out, source="test")
        assert [each.packages for each in copied.tiers if isinstance(each, PythonTier)] == [
            ("numpy>=2", "numpy<3")
        ]


def test_every_kind_of_source_can_be_imported_together(place: Place) -> None:
    words = ("requirements.txt", "environment.yml", "pylock.toml", "pyproject.toml", "Dockerfile")
    ended = imported(place, *words, "--group", "dev", "-o", "-", "--base", "pytorch:2.8.0-aime")
    assert ended.code == 0, ended.err
    recipe = parse(ended.out, source="test")
    assert recipe.name == "deep"
    assert {each.name for each in recipe.tiers} == {
        *("requirements", "environment", "pinned", "project", "dev", "custom")
    }
    assert imported(
        place, *words, "--group", "dev", "-o", "-", "--base", "pytorch:2.8.0-aime"
    ).out == (ended.out)


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        ((), 2, "name a SOURCE, or a container with --from-container"),
        (("Dockerfile", "--pin-all"), 2, "--pin-all has no meaning without --from-container"),
        (("Dockerfile", "--extra", "x"), 2, "--extra has no meaning without a pyproject.toml"),
        (("Dockerfile", "--add-to", "Dockerfile", "--name", "x"), 2, "--name has no meaning with"),
        (("Dockerfile", "Dockerfile"), 2, "an image has one Dockerfile"),
        (("pylock.toml", "--name", "A b"), 2, "'A b' is not an image name"),
        (("requirements.txt", "--base", "-"), 2, "--base '-': not an image reference"),
        (("--from-container", "x"), 4, "no engine answers that could have containers"),
    ],
)
def test_what_cannot_be_imported_is_told(
    place: Place, words: tuple[str, ...], code: int, problem: str
) -> None:
    ended = refused(place, *words)
    assert ended[0] == code, ended[1]
    assert problem in ended[1]


def test_of_what_kind_a_file_is_is_told_by_its_name(place: Place) -> None:
    assert place.cwd is not None
    (place.cwd / "notes.md").write_text("# no\n")
    code, err = refused(place, "notes.md")
    assert code == 2
    assert "notes.md: of what kind it is cannot be told from its name" in err
    (place.cwd / "empty.txt").write_text("")
    assert refused(place, "empty.txt", "--copy")[1].startswith(
        "error: there is nothing in empty.txt"
    )


def test_packages_of_a_file_are_added_to_a_recipe_and_locked(world: World, tmp_path: Path) -> None:
    world.index.offer("more", "2.5")
    world.index.offer("other", "1.1")
    file = tmp_path / "requirements.txt"
    file.write_text("more>=2\nother\n")
    docker = tmp_path / "Dockerfile"
    docker.write_text("FROM python:3.12-slim\nENV A=1\nRUN make\n")
    words = ("import", str(file), str(docker), "--add-to", str(world.recipe), "--json", "--quiet")
    ended = run(SCRIPT, *words, environment=world.environment, cwd=world.recipe.parent)
    assert ended.code == 0, ended.err
    keeps = "(the recipe that is added to keeps its own)"
    assert ended.err.splitlines() == [
        f"Dockerfile:3: not carried over: RUN make ({COMMAND})",
        f"Dockerfile: not carried over: its base {keeps}",
        f"Dockerfile: not carried over: settings {keeps}",
    ]
    answer = ended.answer
    assert answer["schema"] == "ds01.edited/1"
    assert {row["name"] for row in answer["packages"]} == {"more", "other"}
    recipe = parse(world.recipe.read_text(), source="test")
    (tier,) = recipe.tiers
    assert isinstance(tier, PythonTier)
    assert tier.packages == ("app", "more>=2", "other")
    assert replace(recipe, tiers=()) == replace(
        parse(world.recipe.read_text(), source="t"), tiers=()
    )


def test_what_is_changed_in_an_imported_file_later_makes_the_lock_stale(world: World) -> None:
    world.index.offer("more", "2.5")
    file = world.recipe.with_name("requirements.txt")
    file.write_text("app\n")
    recipe = world.recipe.with_name("imported.toml")
    for words in (("import", file, "-o", recipe), ("lock", recipe), ("lock", "--check", recipe)):
        outcome = world.ds01(*words)
        assert outcome.code == 0, outcome.err
    file.write_text("app\nmore>=2\n")
    assert world.ds01("lock", "--check", recipe).code == 3
    assert world.ds01("lock", recipe).code == 0
    assert 'name = "more"' in recipe.with_suffix(".lock").read_text()
