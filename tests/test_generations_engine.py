"""Generations in an engine: going back there, and what stays of them while somebody uses one."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from engines import clean, place
from world import RECIPE, World

from ds01build.digest import Digest
from ds01build.engine.holdings import Holding, Holdings
from ds01build.engine.names import fixed_tag, moving_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.engine.api import Engine

pytest_plugins = ("world_fixtures", "engine_fixtures")

UID = os.geteuid()


@dataclass(frozen=True)
class Loaded:
    """A user whose image has three generations, all of them in an engine."""

    world: World
    engine: Engine
    name: str

    def ds01(self, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
        outcome = self.world.ds01(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.answer

    def build(self, *packages: str) -> None:
        names = ", ".join(f'"{each}"' for each in packages)
        recipe = RECIPE.replace('"demo"', f'"{self.name}"').replace('"app"', names)
        self.world.write(recipe)
        self.ds01("build", "--load", "demo.toml")

    def history(self) -> Any:  # noqa: ANN401 (JSON)
        return self.ds01("image", "history", self.name)["generations"]

    def fixed(self, number: int) -> str:
        digest = self.history()[number - 1]["digest"]
        return fixed_tag(UID, self.name, _config(self.world, digest))

    def has(self, tag: str) -> bool:
        return self.engine.inspect(tag) is not None

    def collected(self, *arguments: str) -> list[int]:
        said = self.ds01("store", "gc", *arguments, "--dry-run")
        done = self.ds01("store", "gc", *arguments)
        assert {**done, "dry_run": True} == said
        return [one["number"] for one in done["generations"] if one["name"] == self.name]


def _config(world: World, image: str) -> Digest:
    return Digest(json.loads(world.blob(image))["config"]["digest"])


@pytest.fixture
def loaded(world: World, engine: Engine) -> Iterator[Loaded]:
    world.variables["DOCKER_HOST"] = place(engine.kind)
    world.lock.unlink()
    made = Loaded(world, engine, f"gen-{secrets.token_hex(4)}")
    for packages in (("app",), ("app", "other"), ("other",)):
        made.build(*packages)
    yield made
    clean(engine, f"ds01-{UID}/{made.name}")


def test_an_engine_goes_back_without_a_byte_and_loads_what_it_lost(loaded: Loaded) -> None:
    moving = moving_tag(UID, loaded.name)
    assert [row["in_engine"] for row in loaded.history()] == [True] * 3
    said = loaded.ds01("image", "rollback", loaded.name)
    assert (said["to"], said["reference"], said["sent"]) == (2, moving, 0)
    second = loaded.engine.inspect(loaded.fixed(2))
    assert second is not None
    assert loaded.engine.inspect(moving) == second
    loaded.engine.remove(loaded.fixed(1))
    assert [row["in_engine"] for row in loaded.history()] == [False, True, True]
    said = loaded.ds01("image", "rollback", loaded.name, "1")
    assert said["sent"] > 0
    first = loaded.engine.inspect(loaded.fixed(1))
    assert first is not None
    assert loaded.engine.inspect(moving) == first
    said = loaded.ds01("image", "rollback", loaded.name, "3", "--no-load")
    assert said["reference"].startswith("oci:")
    assert loaded.engine.inspect(moving) == first
    # The engine's own name stands for the first: nothing takes it away.
    assert loaded.collected("--keep", "1") == [2]


def test_a_generation_stays_while_a_container_uses_it(loaded: Loaded) -> None:
    tags = [loaded.fixed(number) for number in (1, 2, 3)]
    made = loaded.engine.client.create_container(tags[0], ["/bin/true"])
    try:
        assert loaded.collected("--keep", "1") == [2]
        assert [loaded.has(tag) for tag in tags] == [True, False, True]
        assert loaded.world.verified() == ""
    finally:
        loaded.engine.client.remove_container(made["Id"])
    assert loaded.collected("--keep", "1") == [1]
    assert [loaded.has(tag) for tag in tags] == [False, False, True]
    assert loaded.has(moving_tag(UID, loaded.name))
    assert loaded.world.verified() == ""


def test_a_generation_stays_while_people_have_named_its_image(loaded: Loaded) -> None:
    found = loaded.engine.inspect(loaded.fixed(1))
    assert found is not None
    mine = f"ds01-{UID}/{loaded.name}:mine"
    loaded.engine.tag(found.engine_id, mine)
    assert loaded.collected("--keep", "1") == [2]
    loaded.engine.remove(mine)
    assert loaded.collected("--keep", "1") == [1]


def _holding(*tags: str) -> Holding:
    return Holding(engine_id="sha256:" + "0" * 64, tags=tags, labels=frozenset(), created=0)


def test_only_an_image_that_is_a_stage_by_every_name_is_taken_for_one() -> None:
    stage = "ds01/tier:" + "a" * 64
    assert _holding(stage).is_tier
    assert not _holding(stage, "python:3.12-slim").is_tier
    assert not _holding().is_tier
    assert not _holding("ds01/tier:latest").is_tier
    assert _holding(stage, "mine:latest").has_other_names
    assert not _holding("ds01-1000/a:latest", "ds01-0/a:0123456789ab").has_other_names
    assert _holding("ds01-1000/a:mine").has_other_names


def test_a_container_is_of_an_image_by_its_id_or_by_what_it_inherits() -> None:
    made = frozenset({("ds01.name", "a"), ("ds01.lock", "sha256:1")})
    used = Holdings(
        images=(),
        used=frozenset({"sha256:1"}),
        used_labels=frozenset({frozenset({("ds01.name", "my-own"), ("ds01.lock", "sha256:1")})}),
    )
    assert used.uses("sha256:1", frozenset())
    assert used.uses("sha256:2", made)
    assert not used.uses("sha256:2", frozenset())
    assert not used.uses("sha256:2", frozenset({("ds01.name", "my-own"), ("ds01.lock", "2")}))
