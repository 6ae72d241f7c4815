"""``image-list`` with engines: tags, containers, old builds, and what only an engine has."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest
from engines import Tars, clean, image, place, tar
from world import RECIPE, World

from ds01build.engine.load import load
from ds01build.engine.names import moving_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.engine.api import Engine

pytest_plugins = ("world_fixtures", "engine_fixtures")

UID = os.geteuid()
OTHER = 4_000_000_001  # a uid that nobody has


@dataclass(frozen=True)
class Yard:
    """A user with an engine, where containers are made and removed."""

    world: World
    engine: Engine
    name: str
    made: list[str] = field(default_factory=list)

    def build(self, *packages: str) -> None:
        names = ", ".join(f'"{each}"' for each in packages)
        self.world.write(RECIPE.replace('"demo"', f'"{self.name}"').replace('"app"', names))
        outcome = self.world.build("--load")
        assert outcome.code == 0, outcome.err

    def create(self, what: str, suffix: str = "", **options: Any) -> str:  # noqa: ANN401 (docker's)
        """Create a container, which never runs, and return its name."""
        name = f"{self.name}-{len(self.made)}{suffix}"
        made = self.engine.client.create_container(what, ["/bin/true"], name=name, **options)
        self.made.append(made["Id"])
        return name

    def listed(self, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
        outcome = self.world.ds01("image", "list", *arguments, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.answer

    def row(self) -> dict[str, Any]:
        (row,) = (each for each in self.listed()["images"] if each["name"] == self.name)
        return dict(row)

    def apart(self, *arguments: str) -> list[dict[str, Any]]:
        """Return what only the engine has, of this test."""
        rows = self.listed(*arguments)["engine_only"]
        return [each for each in rows if self.name in each["name"]]

    def containers(self) -> dict[str, bool]:
        """Return which containers of the image there are, and whether they are of an old build."""
        return {each["name"]: each["old_build"] for each in self.row()["containers"]}

    def put(self, *tags: str, more: Sequence[bytes] = (), **container: Any) -> None:  # noqa: ANN401 (JSON)
        """Load an image that no store has, of a layer of its own over ``more``."""
        tars = [*more, tar({"etc/own": secrets.token_bytes(8)})]
        load(self.engine, image(tars, **container), Tars.of(tars), tags)


@pytest.fixture
def yard(world: World, engine: Engine) -> Iterator[Yard]:
    world.variables["DOCKER_HOST"] = place(engine.kind)
    world.lock.unlink()
    made = Yard(world, engine, f"yard-{secrets.token_hex(4)}")
    yield made
    for each in made.made:
        with contextlib.suppress(docker.errors.NotFound):
            engine.client.remove_container(each, force=True)
    for uid in (UID, OTHER):
        for name in (made.name, f"{made.name}-lone"):
            clean(engine, f"ds01-{uid}/{name}")


def test_containers_are_counted_by_their_image_and_not_by_what_they_inherit(yard: Yard) -> None:
    """A label that containers of every image made upon it inherit counts nothing."""
    yard.build("app")
    moving = moving_tag(UID, yard.name)
    first = yard.create(moving)
    assert yard.row()["tags"] == sorted([moving, _fixed_of(yard, moving)])
    assert yard.containers() == {first: False}
    # Made upon this image, as a Dockerfile does: the labels are inherited, the image is another.
    labels = yard.engine.inspect(moving).labels  # type: ignore[union-attr]
    yard.put(f"ds01-{UID}/{yard.name}-lone:latest", Labels=dict(labels))
    upon = yard.create(f"ds01-{UID}/{yard.name}-lone:latest")
    assert yard.containers() == {first: False}
    (lone,) = yard.apart()
    assert [each["name"] for each in lone["containers"]] == [upon]


def test_an_earlier_build_keeps_a_name_when_the_tag_moves_on(yard: Yard) -> None:
    """No build leaves an image behind that has no name, which nobody could tell from garbage."""
    for packages in (("app",), ("other",)):
        yard.build(*packages)
    tags = [each["tags"] for each in yard.listed("--all")["images"] if each["name"] == yard.name]
    assert [len(each) for each in tags] == [2, 1]
    assert yard.apart("--all") == []


def test_a_container_of_an_earlier_build_is_told_from_one_of_the_current(yard: Yard) -> None:
    yard.build("app")
    moving = moving_tag(UID, yard.name)
    first = yard.create(moving)
    yard.build("app", "other")
    second = yard.create(moving)
    assert yard.containers() == {first: True, second: False}
    rows = {each["generation"]: each for each in yard.listed("-a")["images"]}
    assert [each["name"] for each in rows[1]["containers"]] == [first]
    lines = yard.world.ds01("image", "list").out.splitlines()
    assert next(line for line in lines if line.startswith(yard.name)).endswith("2, 1 old")
    assert yard.world.ds01("image", "rollback", yard.name).code == 0
    assert yard.containers() == {first: False, second: True}


def test_a_container_whose_image_lost_its_name_is_known_by_how_that_was_made(yard: Yard) -> None:
    yard.build("app")
    moving = moving_tag(UID, yard.name)
    first, fixed = yard.create(moving), _fixed_of(yard, moving)
    yard.build("other")
    yard.engine.client.remove_image(fixed, force=True)
    assert yard.containers() == {first: True}


def _fixed_of(yard: Yard, moving: str) -> str:
    found = yard.engine.inspect(moving)
    assert found is not None
    return next(tag for tag in found.tags if tag != moving)


def test_a_container_of_another_user_is_not_counted(yard: Yard) -> None:
    yard.build("app")
    found = yard.engine.inspect(moving_tag(UID, yard.name))
    assert found is not None
    theirs = moving_tag(OTHER, yard.name)
    yard.engine.tag(found.engine_id, theirs)  # equal recipes of two users are one image
    yard.create(theirs)
    yard.create(str(found.engine_id), f"._.{OTHER}")
    mine = yard.create(moving_tag(UID, yard.name))
    also = yard.create(str(found.engine_id), f"._.{UID}")
    assert yard.containers() == {mine: False, also: False}


def test_images_that_only_the_engine_has_are_listed_apart(yard: Yard) -> None:
    mine, theirs = (f"ds01-{uid}/{yard.name}-lone:latest" for uid in (UID, OTHER))
    yard.put(mine)
    yard.put(theirs)
    (row,) = yard.apart()
    assert (row["tag"], row["user"], row["builds"]) == (mine, UID, 1)
    assert {each["tag"] for each in yard.apart("--all")} == {mine, theirs}
    out = yard.world.ds01("image", "list").out
    assert mine in out
    assert theirs not in out
    container = yard.create(mine)
    yard.put(mine)  # the tag stands for another image by now
    (row,) = yard.apart()
    assert row["containers"] == []  # no tag says that it was of this name
    assert container not in out


def test_an_image_is_shown_with_its_tags_and_containers(yard: Yard) -> None:
    yard.build("app")
    moving = moving_tag(UID, yard.name)
    fixed, container = _fixed_of(yard, moving), yard.create(moving)
    yard.build("other")
    found = yard.world.ds01("image", "show", yard.name, "--json").answer
    assert found["tags"] == sorted([moving, _fixed_of(yard, moving)])
    (row,) = found["containers"]
    assert (row["name"], row["state"], row["old_build"]) == (container, "created", True)
    first = yard.world.ds01("image", "show", f"{yard.name}@1", "--json").answer
    assert first["tags"] == [fixed]
    assert [each["name"] for each in first["containers"]] == [container]
    lone = f"{yard.name}-lone"
    yard.put(f"ds01-{UID}/{lone}:latest")
    outcome = yard.world.ds01("image", "show", lone)
    assert outcome.code == 1
    assert outcome.complaint == [
        f"error: {lone!r} is in the engine alone, and the store has not what it was made from",
        f"hint:  docker image inspect ds01-{UID}/{lone}:latest",
    ]
