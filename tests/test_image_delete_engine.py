"""``image-delete`` with engines: tags go, what others have stays, and so do containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_image_list_engine import OTHER, UID, Yard, yard
from tools_image import tools

from ds01build.engine.names import moving_tag

if TYPE_CHECKING:
    from world import Outcome

pytest_plugins = ("world_fixtures", "engine_fixtures")

__all__ = ["yard"]  # the fixture

ENDS = "trap 'exit 0' TERM; while :; do sleep 0.1; done"  # when it is asked to


def delete(yard: Yard, *arguments: str) -> Outcome:
    return yard.world.ds01("image", "delete", yard.name, *arguments)


def tags(yard: Yard) -> set[str]:
    """Return the tags of the image of this test, whoever's."""
    listed = yard.engine.client.images()
    found = {str(tag) for row in listed for tag in row.get("RepoTags") or ()}
    return {tag.removeprefix("docker.io/") for tag in found if yard.name in tag}


def containers(yard: Yard) -> set[str]:
    listed = yard.engine.client.containers(all=True)
    return {name[1:] for row in listed for name in row["Names"] if yard.name in name}


def found(yard: Yard, tag: str) -> Any:  # noqa: ANN401 (the engine's image)
    image = yard.engine.inspect(tag)
    assert image is not None
    return image


def names(yard: Yard) -> list[str]:
    return [each["name"] for each in yard.listed()["images"]]


@pytest.fixture
def built(yard: Yard) -> Yard:
    """A user whose image has two builds in the engine."""
    for packages in (("app",), ("other",)):
        yard.build(*packages)
    assert len(tags(yard)) == 3
    return yard


def test_the_tags_of_all_builds_go_and_those_that_people_gave_stay(built: Yard) -> None:
    image = found(built, moving_tag(UID, built.name))
    mine, theirs = f"ds01-{UID}/{built.name}:mine", moving_tag(OTHER, built.name)
    for tag in (mine, theirs):
        built.engine.tag(image.engine_id, tag)
    said = delete(built, "--dry-run", "--json").answer["images"][0]
    assert set(said["tags"]) == tags(built) - {mine, theirs}
    assert mine in said["left"]
    outcome = delete(built, "--yes", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.answer["images"][0] == said
    assert tags(built) == {mine, theirs}
    assert built.name not in names(built)


def test_an_image_stays_while_a_container_of_any_of_its_builds_is_there(built: Yard) -> None:
    old = f"{moving_tag(UID, built.name).rpartition(':')[0]}:{_first(built)}"
    container, before = built.create(old), tags(built)
    outcome = delete(built, "--yes")
    assert outcome.code == 1
    assert outcome.complaint == ["error: 0 deleted, 0 skipped, 1 failed"]
    assert (
        f"failed: {built.name}: containers were made from it: {container} (created)"
        f" (image-delete --force {built.name} stops and removes them first)"
    ) in outcome.err
    assert tags(built) == before
    assert containers(built) == {container}
    assert built.name in names(built)


def _first(built: Yard) -> str:
    """Return the fixed tag of the first build."""
    rows = {each["generation"]: each for each in built.listed("-a")["images"]}
    (tag,) = (each for each in rows[1]["tags"] if each.startswith(f"ds01-{UID}/{built.name}:"))
    return str(tag.rpartition(":")[2])


def test_force_stops_and_removes_the_containers_that_it_has_named(built: Yard) -> None:
    moving = moving_tag(UID, built.name)
    mine = built.create(moving)
    image = found(built, moving)
    theirs = moving_tag(OTHER, built.name)
    built.engine.tag(image.engine_id, theirs)
    other = built.create(theirs)  # of the same image, by another user's name for it
    elsewhere = built.create(str(image.engine_id), f"._.{OTHER}")
    outcome = delete(built, "--force")
    assert outcome.code == 0, outcome.err
    assert f"container {mine} (created): stopped and removed" in outcome.err
    assert containers(built) == {other, elsewhere}
    assert tags(built) == {theirs}


def test_what_an_engine_does_not_let_go_is_said_and_nothing_else_is_deleted(built: Yard) -> None:
    moving = moving_tag(UID, built.name)
    other = built.create(moving, f"._.{OTHER}")  # another user's, of an image with my tags alone
    outcome = delete(built, "--yes")
    assert (outcome.code, outcome.out) == (1, "")
    assert f"failed: {built.name}: the engine keeps ds01-{UID}/{built.name}:" in outcome.err
    assert moving in tags(built)
    assert built.name in names(built)
    assert containers(built) == {other}


def test_an_image_that_only_the_engine_has_is_deleted_there(yard: Yard) -> None:
    lone = f"ds01-{UID}/{yard.name}-lone:latest"
    yard.put(lone)
    outcome = yard.world.ds01("image", "delete", "--yes", f"{yard.name}-lone")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines() == [f"tag {lone}", f"image {yard.name}-lone"]
    assert tags(yard) == set()


def test_a_running_container_is_stopped_by_force_alone(yard: Yard) -> None:
    lone = f"ds01-{UID}/{yard.name}-lone:latest"
    yard.put(lone, more=[tools()])
    made = yard.engine.client.create_container(
        lone, ["sh", "-c", ENDS], name=f"{yard.name}-runs", host_config={"NetworkMode": "none"}
    )
    yard.made.append(made["Id"])
    yard.engine.client.start(made["Id"])
    outcome = yard.world.ds01("image", "delete", "--yes", f"{yard.name}-lone")
    assert outcome.code == 1
    assert f"{yard.name}-runs (running)" in outcome.err
    assert containers(yard) == {f"{yard.name}-runs"}
    outcome = yard.world.ds01("image", "delete", "--force", f"{yard.name}-lone")
    assert outcome.code == 0, outcome.err
    assert (containers(yard), tags(yard)) == (set(), set())
