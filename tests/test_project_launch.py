"""``project-launch``: whether images are what recipes come to, and a container that runs."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from images import SCRIPT, run
from layered import Item, tar
from served_images import Shelf, packed
from terminals import DOWN, ENTER, INTERRUPT, terminal
from tools_image import tools

from ds01build.asking import Defaults
from ds01build.cli import launching
from ds01build.engine.containers import Row
from ds01build.workflow import byhand
from ds01build.workflow.byhand import ByHand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from desks import Desk
    from world import Index, World

pytest_plugins = ("world_fixtures", "desk_fixtures", "engine_fixtures")

MORE = '\n[tiers.note]\nkind = "files"\nfiles = [{ from = "README.md", to = "/srv/note" }]\n'
LAUNCH = SCRIPT.with_name("project-launch")


def home(world: World) -> Path:
    return Path(world.environment["HOME"])


def begun(world: World, name: str, *words: str) -> Path:
    outcome = world.ds01(
        *("project", "init", name, "--debian", "bookworm", "--type", "custom", "--no-git"),
        *("--quick", *words),
    )
    assert outcome.code == 0, outcome.err
    directory = home(world) / "workspace" / name
    text = (directory / "recipe.toml").read_text()
    bare = "".join(part for part in text.split("\n\n") if "[tiers." not in part)
    (directory / "recipe.toml").write_text(
        f'schema = 1\nname = "{name}"\n\n[base]\ndebian = "bookworm"\n'
    )
    assert bare
    return directory


def states(world: World) -> dict[str, tuple[str, str | None]]:
    outcome = world.ds01("project", "list", "--json")
    assert outcome.code == 0, outcome.err
    rows = json.loads(outcome.out)["projects"]
    return {each["name"]: (each["state"], each["reason"]) for each in rows}


def test_an_image_is_missing_ready_or_stale_by_what_recipe_and_lock_say(world: World) -> None:
    directory = begun(world, "thesis")
    assert states(world) == {"thesis": ("missing", None)}
    assert world.ds01("build", directory / "recipe.toml").code == 0
    assert states(world) == {"thesis": ("ready", None)}
    recipe = directory / "recipe.toml"
    text = recipe.read_text()
    recipe.write_text(f"# a remark\n{text}")
    os.utime(recipe)
    assert states(world) == {"thesis": ("ready", None)}, "another text that means the same"
    recipe.write_text(f'{text}\n[tiers.more]\nkind = "python"\npackages = ["other"]\n')
    assert states(world) == {"thesis": ("stale", "recipe changed")}
    recipe.write_text(text)
    (directory / "recipe.lock").unlink()
    assert states(world) == {"thesis": ("stale", "lock gone")}


def test_a_changed_requirements_file_makes_an_image_stale(world: World) -> None:
    """It was read once, and what was changed in it later was ignored, `--rebuild` included."""
    directory = home(world) / "workspace" / "thesis"
    directory.mkdir(parents=True)
    (directory / "requirements.txt").write_text("app\n")
    words = ("thesis", "--debian", "bookworm", "--no-git", "--quick")
    assert world.ds01("project", "init", *words).code == 0
    recipe = directory / "recipe.toml"
    parts = [each for each in recipe.read_text().split("\n\n") if "[tiers.system]" not in each]
    recipe.write_text("\n\n".join(parts))
    outcome = world.ds01("build", recipe)
    assert outcome.code == 0, outcome.err
    assert states(world) == {"thesis": ("ready", None)}
    (directory / "requirements.txt").write_text("app\nother\n")
    assert states(world) == {"thesis": ("stale", "recipe changed")}


def test_only_projects_are_listed(world: World) -> None:
    begun(world, "thesis")
    workspace = home(world) / "workspace"
    (workspace / "notes").mkdir()
    (workspace / "link").symlink_to(workspace / "thesis")
    (workspace / "file").write_text("x")
    broken = {"broken": "= 1", "evil": 'name = "../x"', "nameless": "schema = 1"}
    for name, text in broken.items():
        (workspace / name).mkdir()
        (workspace / name / "recipe.toml").write_text(text)
    (workspace / "linked").mkdir()
    (workspace / "linked" / "recipe.toml").symlink_to(workspace / "thesis" / "recipe.toml")
    found = states(world)
    assert set(found) == {"thesis", "linked", *broken}
    assert {found[name][0] for name in ("linked", *broken)} == {"unreadable"}
    table = world.ds01("project", "list").out
    assert "needs image" in table
    shutil.rmtree(workspace)
    assert "there are no projects yet" in world.ds01("project", "list").err


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        (2, (), "nothing is asked without a terminal: give NAME"),
        (2, ("thesis",), "nothing is asked without a terminal: give --background or --open"),
        (2, ("thesis", "--yes"), "nothing is asked with --yes: give --background or --open"),
        (2, ("thesis", "--background", "--open"), "contradict"),
        (2, ("../x", "--background"), "is no project's name"),
        (1, ("nosuch", "--background"), "there is no project 'nosuch'"),
        (1, ("thesis", "--background", "--no-rebuild"), "thesis has no image, and --no-rebuild"),
        (2, ("thesis", "--background", "--framework", "jax"), "--framework is for a new project"),
        (2, ("thesis", "--background", "--base", "x"), "says what the image stands on"),
        (4, ("thesis", "--background"), "no engine answers"),
    ],
)
def test_what_cannot_be_launched_is_told(
    world: World, code: int, words: tuple[str, ...], says: str
) -> None:
    directory = begun(world, "thesis")
    outcome = world.ds01("project", "launch", *words)
    assert (outcome.code, outcome.out) == (code, ""), outcome.err
    assert says in outcome.err
    assert "Traceback" not in outcome.err
    assert states(world) == {"thesis": ("missing", None)}, "nothing is built for no container"
    assert not (directory / "recipe.lock").exists()


def test_who_does_not_want_an_image_now_is_told_how_to_go_on(world: World) -> None:
    begun(world, "thesis")
    with terminal([LAUNCH], world.environment, world.root) as shown:
        shown.answer("Which project?", ENTER)
        shown.answer("Build image now?", "n", ENTER)
        assert shown.end() == 0
    assert "thesis (custom, needs image)" in shown.text
    assert "Later: project-launch thesis" in shown.text


def test_the_menu_begins_a_new_project(world: World) -> None:
    begun(world, "thesis")
    with terminal([LAUNCH, "--debian", "bookworm"], world.environment, world.root) as shown:
        shown.answer("Which project?", DOWN, ENTER)
        shown.answer("Name of the project", "seminar", ENTER)
        shown.answer("Type of the project", ENTER)
        shown.answer("Description", ENTER)
        shown.answer("Structure", ENTER)
        shown.answer("Keep it in a git repository?", "n", ENTER)
        shown.answer("Where do you work?", ENTER)
        shown.answer("Build image now?", INTERRUPT)
        assert shown.end() == 130
    assert (home(world) / "workspace" / "seminar" / "recipe.toml").exists()


def test_a_directory_without_a_recipe_can_become_a_project(world: World) -> None:
    directory = home(world) / "workspace" / "notes"
    directory.mkdir(parents=True)
    (directory / "notes.txt").write_text("mine")
    with terminal(
        [LAUNCH, "notes", "--debian", "bookworm"], world.environment, world.root
    ) as shown:
        shown.answer("has no recipe. Begin a project there?", ENTER)
        shown.answer("~/workspace/notes exists", ENTER)
        shown.answer("Type of the project", INTERRUPT)
        assert shown.end() == 130
    assert [path.name for path in directory.iterdir()] == ["notes.txt"]


@pytest.fixture
def name() -> str:
    return f"launch-{secrets.token_hex(4)}"


@pytest.fixture
def container(name: str, desk: Desk) -> Iterator[str]:
    yield f"{name}._.{os.geteuid()}"
    run("docker", "--host", desk.host, "rm", "--force", f"{name}._.{os.geteuid()}")
    desk.made.append(f"ds01-{os.geteuid()}/{name}:latest")


def launched(desk: Desk, name: str, *words: str) -> dict[str, Any]:
    ended = desk.place.ds01("project", "launch", name, "--background", "--json", *words)
    assert ended.code == 0, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    return answer


@pytest.fixture
def site(desk: Desk, offers: Index, name: str) -> Desk:
    """Return a desk with a project on a base of its own, whose containers have a network."""
    place = desk.place
    variables = {**place.variables, "DS01_ENGINE_NETWORK": "host"}
    desk = replace(desk, place=replace(place, variables=variables))
    shelf = Shelf(offers.server, f"base/{name}")
    layers = [tools("bash", "id"), tar([Item("etc/name", name.encode())])]
    shelf.show(packed(layers))
    words = ("--base", shelf.reference, "--type", "custom", "--no-git", "--quick")
    assert desk.place.ds01("project", "init", name, *words).code == 0
    return desk


def test_a_project_becomes_a_container_that_runs_on_its_files(
    site: Desk, name: str, container: str
) -> None:
    desk = site
    first = launched(desk, name)
    assert first["project"]["state"] == "missing"
    assert first["image"] == {"reference": f"ds01-{os.geteuid()}/{name}:latest", "built": True}
    assert first["container"] == {"name": container, "did": "created", "old_build": False}
    desk.docker("exec", container, "touch", "/workspace/made")
    project = desk.place.home / "workspace" / name
    assert (project / "made").exists()

    again = launched(desk, name)
    assert again["image"]["built"] is False
    assert again["container"]["did"] == "running"
    desk.docker("stop", container)
    assert launched(desk, name)["container"]["did"] == "started"

    recipe = project / "recipe.toml"
    recipe.write_text(recipe.read_text() + MORE)
    kept = launched(desk, name)
    assert kept["image"]["built"] is True
    assert kept["container"] == {"name": container, "did": "running", "old_build": True}, (
        "what runs in it is not ended unasked"
    )
    changed = launched(desk, name, "--recreate")
    assert kept["project"]["reason"] == "recipe changed"
    assert changed["container"]["did"] == "recreated"
    assert name in desk.docker("exec", container, "cat", "/srv/note")
    assert (project / "made").exists()

    recipe.write_text(recipe.read_text().replace("/srv/note", "/srv/other"))
    with terminal([LAUNCH, name], desk.place.environment, desk.place.root) as shown:
        shown.answer("Build image now?", ENTER)
        shown.answer("Put a new container in its place?", ENTER)
        shown.answer("The container runs", ENTER)
        shown.answer("bash-", "exit", ENTER)
        shown.answer(f"What becomes of {name}?", ENTER)
        assert shown.end() == 0
    assert f"{container} is of an earlier build of the image, and runs." in shown.text
    desk.docker("exec", container, "cat", "/srv/note")


def test_a_container_of_another_project_is_nobody_elses(
    site: Desk, name: str, container: str
) -> None:
    """A project that is copied has its recipe's name, and so had the other one's container."""
    launched(site, name)
    workspace = site.place.home / "workspace"
    shutil.copytree(workspace / name, workspace / "copy")
    before = site.docker("inspect", "--format", "{{.Id}}", container)
    recipe = workspace / "copy" / "recipe.toml"
    recipe.write_text(recipe.read_text() + MORE)
    refused = site.place.ds01("project", "launch", "copy", "--background", "--recreate")
    assert (refused.code, refused.out) == (1, "")
    says = f"the container {container} works on {workspace / name}, and not on {workspace / 'copy'}"
    assert says in refused.err
    assert site.docker("inspect", "--format", "{{.Id}}", container) == before
    assert launched(site, name)["project"]["state"] == "ready", "nothing is built over its image"


def test_jupyter_can_be_reached_in_a_launched_container(
    site: Desk, name: str, container: str
) -> None:
    launched(site, name)
    port = site.docker("inspect", "--format", '{{index .Config.Labels "ds01.port"}}', container)
    assert 10_000 <= int(port) < 32_768


def test_of_two_who_launch_a_project_at_once_both_have_its_container(
    site: Desk, name: str, container: str
) -> None:
    recipe = site.place.home / "workspace" / name / "recipe.toml"
    assert site.place.ds01("build", "--load", recipe).code == 0
    found: list[dict[str, Any]] = []
    threads = [Thread(target=lambda: found.append(launched(site, name))) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each["container"]["name"] for each in found] == [container] * 2
    assert "created" in {each["container"]["did"] for each in found}


def test_what_was_installed_by_hand_is_told_before_it_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = dict.fromkeys(
        ("container_id", "name", "image", "image_id", "state", "status"), "thesis"
    )
    row = Row(**words, created=0, labels={}, is_whole=True)
    monkeypatch.setattr(byhand, "by_hand", lambda *_: ByHand(unknown="it is damaged"))
    rest = {"recreate": True, "quiet": False, "as_json": False}
    assert launching._replaces(row, None, rest, Defaults())  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert told.splitlines() == [
        "thesis is of an earlier build of the image.",
        "  what was installed by hand is not known: it is damaged",
    ]
