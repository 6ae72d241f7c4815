"""``image-update`` on a terminal with an engine: the container of an image follows it, or stays."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from images import SCRIPT, run
from terminals import ENTER, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from desks import Desk
    from standin_fixtures import StandIns
    from world import Index

pytest_plugins = ("standin_fixtures", "desk_fixtures")
pytestmark = pytest.mark.network  # stand-ins are made of packages

CREATE, UPDATE = (SCRIPT.with_name(name) for name in ("image-create", "image-update"))
IMPORTS = "import app, other; print(app.V, other.V)"


@dataclass(frozen=True)
class Bench:
    """A user with an image that has ``app``, made by image-create over ``base``."""

    desk: Desk
    base: str

    @property
    def environment(self) -> dict[str, str]:
        return {**self.desk.place.environment, "DS01_ENGINE_NETWORK": "host"}

    @property
    def container(self) -> str:
        return f"{self.desk.name}._.{os.geteuid()}"

    @property
    def tag(self) -> str:
        return f"ds01-{os.geteuid()}/{self.desk.name}:latest"

    @property
    def workspace(self) -> Path:
        return self.desk.place.home / "workspace" / self.desk.name

    def create(self, option: str) -> str:
        """Create the image, and return what was told."""
        words = (self.desk.name, "--base", self.base, "-p", "app", "--yes", option)
        done = run(CREATE, *words, environment=self.environment)
        assert done.code == 0, done.err
        return done.err

    def update(self, *answers: tuple[str, str]) -> str:
        """Add ``other`` on the menu, answer what is asked then, and return what was shown."""
        with terminal([UPDATE, self.desk.name], self.environment, self.desk.place.root) as shown:
            shown.answer("What now?", "2", ENTER)
            shown.answer("Python packages (", "other", ENTER)
            shown.await_text(", other")
            shown.press("8", ENTER)
            shown.answer("Update the image", ENTER)
            for question, key in answers:
                shown.answer(question, key, ENTER)
            assert shown.end() == 0, shown.text
        return shown.text

    def seen(self) -> dict[str, Any]:
        """Return what the engine says of the container."""
        (found,) = json.loads(self.desk.docker("inspect", self.container))
        return dict(found)

    def image(self) -> str:
        """Return the id of the image that is the current build."""
        return self.desk.docker("image", "inspect", "--format={{.Id}}", self.tag).strip()

    def containers(self) -> list[str]:
        """Return the names of all containers of this test."""
        named = f"--filter=name={self.desk.name}"
        return self.desk.docker("ps", "--all", "--format={{.Names}}", named).split()

    def clean(self) -> None:
        for each in self.containers():
            run("docker", "--host", self.desk.host, "rm", "--force", each)
        self.desk.made.append(self.tag)


@pytest.fixture
def bench(desk: Desk, offers: Index, stand_ins: StandIns) -> Iterator[Bench]:
    offers.offer("app")
    offers.offer("other")
    made = Bench(desk, stand_ins.load("owners", desk.host))
    yield made
    made.clean()


def test_who_agrees_has_the_container_on_the_new_image_over_the_same_files(bench: Bench) -> None:
    bench.create("--container")
    before = bench.seen()
    assert before["Image"] == bench.image()
    bench.desk.docker("exec", bench.container, "sh", "-c", "echo 1 > kept; echo 2 > /tmp/lost")

    assert f"{bench.container} has the new image" in bench.update(("Recreate the", "y"))

    after = bench.seen()
    assert after["Id"] != before["Id"]
    assert after["Image"] == bench.image() != before["Image"]
    assert after["State"]["Running"]
    assert after["Mounts"] == before["Mounts"]
    assert after["Config"]["User"] == before["Config"]["User"] == f"{os.geteuid()}:{os.getegid()}"
    assert (bench.workspace / "kept").read_text() == "1\n"
    inside = ("exec", bench.container)
    assert bench.desk.docker(*inside, "python3", "-c", IMPORTS) == "1.0 1.0\n"
    assert bench.desk.docker(*inside, "sh", "-c", "cat kept; ls /tmp") == "1\n"
    assert bench.containers() == [bench.container], "nothing is left of the old one"


def test_who_takes_the_defaults_has_no_container_and_no_screen_about_one(bench: Bench) -> None:
    told = bench.create("--yes")
    assert "Phase 2/3" in told
    assert "Phase 3/3" not in told
    assert told.endswith(f"Later: container-create {bench.desk.name} {bench.desk.name}\n")
    assert bench.containers() == []


def test_who_creates_an_image_again_may_have_its_container_on_it(bench: Bench) -> None:
    bench.create("--container")
    before = bench.seen()
    words = (bench.desk.name, "--base", bench.base, "-p", "app other", "-t", "custom", "--force")
    with terminal([CREATE, *words], bench.environment, bench.desk.place.root) as shown:
        shown.answer("Build image now?", ENTER)
        shown.answer("Create container now?", ENTER)
        shown.answer("Recreate the container", ENTER)
        assert shown.end() == 0, shown.text
    after = bench.seen()
    assert after["Id"] != before["Id"]
    assert after["Image"] == bench.image() != before["Image"]
    assert after["State"]["Running"]
    assert bench.containers() == [bench.container]


def test_who_declines_has_the_container_as_it_was(bench: Bench) -> None:
    bench.create("--container")
    before = bench.seen()
    assert "has the new image" not in bench.update(("Recreate the", "n"))
    after = bench.seen()
    assert (after["Id"], after["State"]) == (before["Id"], before["State"])
    assert after["Image"] == before["Image"] != bench.image()


def test_without_a_container_of_the_image_nobody_is_asked_for_one(bench: Bench) -> None:
    bench.create("--no-container")
    before = bench.image()
    assert "Recreate" not in bench.update()
    assert bench.image() != before
    assert bench.containers() == []
