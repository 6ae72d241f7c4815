"""``container-upgrade`` and ``container-retire``: what was installed by hand, and what stays."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest
from images import SCRIPT, Ended, run, succeed
from terminals import ENTER, INTERRUPT, terminal
from world import wheel_of

from ds01build.recipe import parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from desks import Desk
    from standin_fixtures import StandIns
    from terminals import Terminal
    from world import Index

pytest_plugins = ("standin_fixtures", "desk_fixtures")
pytestmark = pytest.mark.network  # stand-ins are made of packages

UID = os.geteuid()
DEPLOY, UPGRADE, RETIRE = "container-deploy", "container-upgrade", "container-retire"


@dataclass(frozen=True)
class Berth:
    """A user with an image that has ``app``, over ``base``, and a container of it that runs."""

    desk: Desk
    offers: Index
    base: str

    @property
    def environment(self) -> dict[str, str]:
        return {**self.desk.place.environment, "DS01_ENGINE_NETWORK": "host"}

    @property
    def name(self) -> str:
        return self.desk.name

    @property
    def container(self) -> str:
        return f"{self.name}._.{UID}"

    @property
    def tag(self) -> str:
        return f"ds01-{UID}/{self.name}:latest"

    @property
    def workspace(self) -> Path:
        return self.desk.place.home / "workspace" / self.name

    @property
    def recipe(self) -> Path:
        return self.workspace / "recipe.toml"

    def program(self, program: str, *words: str) -> Ended:
        where = self.desk.place.root
        return run(SCRIPT.with_name(program), *words, environment=self.environment, cwd=where)

    def make(self, image: bool = True) -> None:  # noqa: FBT001, FBT002
        words = (self.name, "--base", self.base, "-p", "app", "--yes", "--quiet", "--no-container")
        if image:
            succeed(SCRIPT.with_name("image-create"), *words, environment=self.environment)
        ended = self.program(DEPLOY, self.name, "--background")
        assert ended.code == 0, ended.err

    def update(self, *words: str) -> None:
        ended = self.program("image-update", self.name, "--yes", "--quiet", *words)
        assert ended.code == 0, ended.err

    def at(self, program: str, *words: str) -> AbstractContextManager[Terminal]:
        command: list[str | Path] = [SCRIPT.with_name(program), *words]
        return terminal(command, self.environment, self.desk.place.root, 120)

    def inside(self, *argv: str) -> str:
        return self.desk.docker("exec", self.container, *argv)

    def install(self, *packages: str) -> str:
        """Install packages as the container's user does, and return what pip says."""
        words = ("install", "--disable-pip-version-check", "--index-url", self.offers.url)
        return self.inside("python3", "-m", "pip", *words, *packages)

    def seen(self) -> dict[str, Any]:
        (found,) = json.loads(self.desk.docker("inspect", self.container))
        return dict(found)

    def containers(self) -> list[str]:
        named = f"--filter=name={self.name}"
        return self.desk.docker("ps", "--all", "--format={{.Names}}", named).split()

    def images(self) -> list[str]:
        """Return the images of the engine that were made for this test."""
        listed = self.desk.docker(
            "images", "--no-trunc", "--format={{.ID}} {{.Repository}}:{{.Tag}}"
        )
        return sorted(line for line in listed.splitlines() if self.name in line)

    def asks_for(self) -> list[str]:
        """Return the packages that the recipe asks for by itself."""
        recipe = parse(self.recipe.read_text(), source="r")
        return [each for tier in recipe.tiers for each in getattr(tier, "packages", ())]

    def clean(self) -> None:
        for each in self.containers():
            run("docker", "--host", self.desk.host, "rm", "--force", each)
        self.desk.made.append(self.tag)


@pytest.fixture
def berth(desk: Desk, offers: Index, stand_ins: StandIns) -> Iterator[Berth]:
    for name in ("app", "other", "brought"):
        offers.offer(name)
    offers.offer("wanted", "2.1", requires=["brought"])
    made = Berth(desk, offers, stand_ins.load("a-light", desk.host))
    yield made
    made.clean()


def test_what_was_installed_by_hand_is_in_the_recipe_and_no_image_is_made(berth: Berth) -> None:
    berth.make()
    (berth.workspace / "kept").write_text("1")
    berth.install("wanted")
    before = berth.images()
    ended = berth.program(RETIRE, berth.name, "--save-packages", "--yes", "--json")
    assert ended.code == 0, ended.err
    assert ended.answer == {
        "schema": "ds01.retired/1",
        "dry_run": False,
        "name": berth.container,
        "workspace": str(berth.workspace),
        "by_hand": ["wanted==2.1"],
        "not_saved": [],
        "unknown": None,
        "recipe": str(berth.recipe),
        "saved": True,
        "image": berth.name,
        "image_deleted": False,
    }
    assert berth.containers() == []
    assert berth.images() == before
    assert berth.asks_for()[-1] == "wanted==2.1"
    assert "brought" in berth.recipe.with_suffix(".lock").read_text()
    assert (berth.workspace / "kept").read_text() == "1"


def test_where_the_lock_fails_nothing_is_stopped(berth: Berth) -> None:
    berth.make()
    berth.install("wanted")
    recipe, container = berth.recipe.read_bytes(), berth.seen()["Id"]
    for each in ("wanted", "brought"):
        for path in [p for p in berth.offers.server.routes if f"/{each}" in p]:
            del berth.offers.server.routes[path]
    ended = berth.program(RETIRE, berth.name, "--save-packages", "--force")
    assert ended.code == 1
    assert "wanted" in ended.err
    assert berth.recipe.read_bytes() == recipe
    assert (berth.seen()["Id"], berth.seen()["State"]["Running"]) == (container, True)


def test_what_cannot_be_saved_keeps_its_container_until_it_is_given_up(berth: Berth) -> None:
    berth.make()
    berth.install("wanted")
    (berth.workspace / "rbtool-1.0-py3-none-any.whl").write_bytes(wheel_of("rbtool"))
    berth.install("/workspace/rbtool-1.0-py3-none-any.whl")
    recipe, before = berth.recipe.read_bytes(), berth.seen()["Id"]
    for more in ("--yes", "--force", "--dry-run"):
        ended = berth.program(RETIRE, berth.name, "--save-packages", more)
        assert (ended.code, ended.out) == (1, ""), more
        assert "error: rbtool 1.0 cannot be saved: not from an index: " in ended.err
        hint = f"container-retire {berth.container}, without --save-packages, gives it up"
        assert f"hint:  {hint}\n" in ended.err
    assert (berth.seen()["Id"], berth.seen()["State"]["Running"]) == (before, True)
    assert berth.recipe.read_bytes() == recipe
    berth.update("--add", "other")
    lost = [{"name": "rbtool", "version": "1.0", "why": ANY}]
    (row,) = berth.program(UPGRADE, berth.name, "--dry-run", "--json").answer["containers"]
    assert (row["by_hand"], row["not_saved"]) == (["wanted==2.1"], lost)
    ended = berth.program(RETIRE, berth.name, "--yes", "--json")
    assert ended.code == 0, ended.err
    assert (ended.answer["saved"], ended.answer["not_saved"]) == (False, lost)
    assert berth.containers() == []


def test_a_container_can_be_of_an_earlier_generation(berth: Berth) -> None:
    berth.make()
    berth.update("--add", "other")
    old, name = f"{berth.name}@1", f"{berth.name}-old"
    ended = berth.program("container-create", name, old)
    assert ended.code == 0, ended.err
    made, first = berth.desk.docker("inspect", f"{name}._.{UID}"), berth.seen()["Image"]
    assert json.loads(made)[0]["Image"] == first
    upgraded = berth.program(UPGRADE, name)
    assert (upgraded.code, upgraded.out) == (0, "")
    assert "is on the current build of" in upgraded.err
    assert berth.program(RETIRE, name, "--yes").code == 0
    missing = berth.program("container-create", name, f"{berth.name}@7")
    assert (missing.code, missing.out) == (1, "")
    assert f"'{berth.name}' has no generation 7; there are 1, 2" in missing.err
    (tag,) = (each.split()[1] for each in berth.images() if each.startswith(f"{first} "))
    assert berth.program(RETIRE, berth.name, "--yes").code == 0
    berth.desk.docker("rmi", tag)
    gone = berth.program("container-create", name, old)
    assert (gone.code, gone.out) == (1, "")
    assert f"has no image of {old}\nhint:  ds01 image load {old}, which lets" in gone.err


def test_a_person_is_asked_before_anything_goes(berth: Berth) -> None:
    berth.make()
    berth.install("wanted")
    before = berth.recipe.read_bytes()
    with berth.at(RETIRE, berth.name) as shown:
        shown.await_text("installed by hand: wanted==2.1")
        shown.answer("Retire", ENTER)
        assert shown.end() == 0
    assert "nothing is retired" in shown.text
    with berth.at(RETIRE, berth.name) as shown:
        shown.answer("Retire", "y", ENTER)
        shown.answer("Add that to", "y", ENTER)
        shown.answer("Delete the image", INTERRUPT)
        assert shown.end() == 130
    assert berth.seen()["State"]["Running"]
    assert berth.recipe.read_bytes() == before
    with berth.at(RETIRE, "--skip-initial-confirm", berth.name) as shown:
        shown.answer("Add that to", "n", ENTER)
        shown.answer("Delete the image", "y", ENTER)
        assert shown.end() == 0, shown.text
    assert (berth.containers(), berth.images()) == ([], [])
    assert berth.recipe.read_bytes() == before
    assert f"image {berth.name}" in shown.text


def test_a_dry_run_says_what_would_go_and_nothing_does(berth: Berth) -> None:
    berth.make()
    berth.install("wanted")
    berth.desk.docker("stop", berth.container)  # one that is stopped is looked into as well
    words = (berth.name, "--dry-run", "--save-packages", "--images")
    ended = berth.program(RETIRE, *words)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        f"container {berth.container}",
        f"recipe {berth.recipe}",
        f"image {berth.name}",
    ]
    assert "installed by hand: wanted==2.1" in ended.err
    assert "nothing is retired: this is what would be" in ended.err
    assert berth.containers() == [berth.container]
    assert berth.asks_for() == ["app"]


def test_what_needs_an_answer_is_not_done_without_a_terminal(berth: Berth) -> None:
    ended = berth.program(RETIRE, "nosuch")
    assert (ended.code, ended.out) == (2, "")
    ended = berth.program(RETIRE, "nosuch", "--yes")
    assert (ended.code, ended.out) == (1, "")
    assert "you have no container 'nosuch'" in ended.err
    for words in ((), ("a", "--all")):
        assert berth.program(UPGRADE, *words).code == 2


def test_an_image_that_others_need_stays_and_that_is_no_success(berth: Berth) -> None:
    berth.make()
    second = f"{berth.name}-b"
    assert berth.program("container-create", second, berth.name).code == 0
    ended = berth.program(RETIRE, berth.name, "--images", "--yes")
    assert (ended.code, ended.out) == (1, f"container {berth.container}\n")
    assert f"the image stays: containers were made from it: {second}._.{UID}" in ended.err
    assert berth.containers() == [f"{second}._.{UID}"]
    assert berth.images()


def test_without_a_recipe_nothing_is_lost_that_was_to_be_kept(berth: Berth) -> None:
    name, image = f"{berth.name}-raw", berth.base
    assert berth.program(DEPLOY, name, image, "--background").code == 0
    full = f"{name}._.{UID}"
    pip = ("python3", "-m", "pip", "install", "-i", berth.offers.url, "wanted")
    berth.desk.docker("exec", full, *pip)
    ended = berth.program(RETIRE, name, "--save-packages", "--yes")
    assert (ended.code, ended.out) == (1, "")
    assert "error: there is no recipe to add to: " in ended.err
    assert berth.containers() == [full]
    ended = berth.program(RETIRE, name, "--yes")
    assert ended.code == 0, ended.err
    assert "installed by hand: wanted==2.1" in ended.err
    assert f"ds01 import --from-container {full} makes a recipe of it" in ended.err


def test_a_container_is_upgraded_over_the_same_files_and_runs_again(berth: Berth) -> None:
    berth.make()
    before = berth.seen()
    current = berth.program(UPGRADE, berth.name)
    assert (current.code, current.out) == (0, "")
    assert f"{berth.container} is on the current build of {berth.tag}" in current.err
    berth.inside("sh", "-c", "echo 1 > /workspace/kept")
    berth.install("wanted")
    berth.update("--add", "other")
    planned = berth.program(UPGRADE, "--all", "--dry-run", "--json").answer
    (row,) = (each for each in planned["containers"] if each["name"] == berth.container)
    assert (row["state"], row["by_hand"], row["upgraded"]) == ("old", ["wanted==2.1"], False)
    assert berth.program(UPGRADE, berth.name).code == 2, "there is no terminal to ask on"
    assert berth.seen()["Id"] == before["Id"]
    ended = berth.program(UPGRADE, berth.name, "--yes")
    assert (ended.code, ended.out) == (0, f"{berth.container}\n"), ended.err
    assert "installed by hand: wanted==2.1" in ended.err
    after = berth.seen()
    assert after["Image"] != before["Image"]
    assert after["State"]["Running"]
    assert after["Mounts"] == before["Mounts"]
    assert (berth.workspace / "kept").read_text() == "1\n"
    assert berth.inside("python3", "-c", "import app, other; print(app.V)") == "1.0\n"
    assert berth.containers() == [berth.container]


def test_a_container_that_is_stopped_stays_so_when_it_is_upgraded(berth: Berth) -> None:
    berth.make()
    berth.desk.docker("stop", berth.container)
    berth.update("--add", "other")
    with berth.at(UPGRADE, berth.name) as shown:
        shown.answer("Recreate", ENTER)
        assert shown.end() == 0, shown.text
    assert berth.seen()["State"]["Status"] == "created"


def test_where_the_image_is_gone_a_container_stays_as_it_is(berth: Berth) -> None:
    berth.make()
    before = berth.seen()
    berth.desk.docker("tag", berth.tag, f"{berth.name}-kept")
    for each in berth.images():
        if f"ds01-{UID}/" in each:
            berth.desk.docker("rmi", each.split()[1])
    ended = berth.program(UPGRADE, berth.name, "--yes")
    told = berth.program(UPGRADE, berth.name, "--yes", "--json")
    berth.desk.docker("tag", f"{berth.name}-kept", berth.tag)
    berth.desk.docker("rmi", f"{berth.name}-kept")
    assert (ended.code, ended.out) == (1, "")
    says = f"{berth.container} stays: the engine has no image {berth.tag}"
    assert ended.err.count(says) == 1
    assert ended.err.startswith(f"error: {says}\n")
    (row,) = told.answer["containers"]
    assert (row["state"], row["problem"]) == (
        "image gone",
        f"the engine has no image {berth.tag}",
    )
    assert berth.seen()["Id"] == before["Id"]
