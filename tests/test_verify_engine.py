"""What an engine executes, and the layers of bases, when a recipe or its store is verified."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import served_images as served
from engines import clean, place
from served_images import Shelf
from test_repair import REPAIR, flip, remove
from tools_image import tools
from world import NUMBERS

from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from world import World

    from ds01build.engine.api import Engine

pytest_plugins = ("world_fixtures", "engine_fixtures")
pytestmark = pytest.mark.parametrize("engine", ["graph"], indirect=True)

NAME = f"verify-{secrets.token_hex(4)}"
SAME = "mkdir /srv && touch -d @1000000000 /srv/same && touch -d @1000000000 /srv"
RANDOM = "mkdir /srv && head -c 9 /dev/urandom >/srv/random"
NAMED = "mkdir /srv && read name </proc/sys/kernel/random/uuid && touch /srv/$name"


@pytest.fixture
def bench(world: World, engine: Engine) -> Iterator[World]:
    """Yield a user whose recipes stand on the image of tools, and who has an engine."""
    world.lock.unlink()
    world.variables["DOCKER_HOST"] = place(engine.kind)
    world.built.clear()
    yield world
    clean(engine, f"ds01-{os.geteuid()}/{NAME}")


def built(world: World, command: str) -> Any:  # noqa: ANN401 (JSON)
    """Build an image with a tier that runs ``command`` over a base, and one of files."""
    shelf = Shelf(world.index.server, f"tools/{next(NUMBERS)}")
    shelf.show(served.packed([tools()]))
    world.write("of the user\n", "data")
    world.write(
        f'schema = 1\nname = "{NAME}"\n\n[base]\nimage = "{shelf.reference}"\n\n'
        '[tiers.data]\nkind = "files"\nfiles = [{ from = "data", to = "/etc/data" }]\n\n'
        f'[tiers.work]\nkind = "run"\ncommands = {json.dumps([command])}\n'
    )
    outcome = world.build("--json")
    assert outcome.code == 0, outcome.err
    return outcome.answer


def verified(world: World, code: int) -> dict[str, Any]:
    outcome = world.ds01("verify", "--json", "demo.toml")
    assert outcome.code == code, outcome.err
    return {row["tier"]: row for row in outcome.answer["layers"]}


def layer(world: World, answer: Any, tier: str) -> Path:  # noqa: ANN401 (JSON)
    digest = next(each["digest"] for each in answer["layers"] if each["tier"] == tier)
    return world.store / "blobs" / "sha256" / str(digest).partition(":")[2]


def test_what_is_executed_the_same_is_equal(bench: World) -> None:
    built(bench, SAME)
    rows = verified(bench, 0)
    assert (rows["data"]["outcome"], rows["work"]["outcome"]) == ("equal", "equal")


@pytest.mark.slow
def test_what_is_executed_may_have_other_bytes_but_no_other_paths(bench: World) -> None:
    built(bench, RANDOM)
    row = verified(bench, 0)["work"]
    assert row["outcome"] == "alike"
    assert "srv/random" in {one["path"] for one in row["differences"]}
    built(bench, NAMED)
    row = verified(bench, 3)["work"]
    assert row["outcome"] == "different"
    assert sorted(one["problem"] for one in row["differences"]) == ["is new", "is only stored"]


def test_without_an_engine_the_rest_is_compared(bench: World) -> None:
    built(bench, SAME)
    bench.variables["DOCKER_HOST"] = f"unix://{bench.root}/no-engine.sock"
    rows = verified(bench, 0)
    assert rows["data"]["outcome"] == "equal"
    assert (rows["work"]["outcome"], rows["work"]["reason"]) == (
        "not compared",
        "no engine answers",
    )


@pytest.mark.slow
def test_layers_of_a_base_come_from_its_registry_again(bench: World) -> None:
    built(bench, SAME)
    exported = bench.recipe.with_name("out.tar")
    assert bench.ds01("image", "export", NAME, "--oci-archive", exported).code == 0
    lock = lock_path(bench.recipe).read_text()
    blobs = (bench.store / "blobs" / "sha256").iterdir()
    (one,) = [
        path for path in blobs if f'"sha256:{path.name}"' in lock and path.stat().st_size > 9999
    ]
    whole = one.read_bytes()
    flip(one)
    outcome = bench.ds01(*REPAIR)
    assert outcome.code == 0, outcome.err
    assert one.read_bytes() == whole
    flip(one)
    for path in list(bench.index.server.routes):
        if "/v2/tools/" in path:
            del bench.index.server.routes[path]
    outcome = bench.ds01(*REPAIR)  # nothing needs it: it is fetched when something does
    assert (outcome.code, one.exists()) == (0, False), outcome.err
    assert "not fetched again until it is needed: " in outcome.err


@pytest.mark.parametrize("damage", [flip, remove])
def test_an_executed_layer_is_made_again_if_it_can_be(bench: World, damage: Any) -> None:  # noqa: ANN401
    answer = built(bench, SAME)
    work, data = layer(bench, answer, "work"), layer(bench, answer, "data")
    whole = work.read_bytes(), data.read_bytes()
    damage(work)
    damage(data)
    engine = bench.variables["DOCKER_HOST"]
    bench.variables["DOCKER_HOST"] = f"unix://{bench.root}/no-engine.sock"
    outcome = bench.ds01(*REPAIR)
    assert outcome.code == 3
    assert "tier work is executed in a container engine, and " in outcome.err
    assert (data.read_bytes(), work.exists()) == (whole[1], False)
    bench.variables["DOCKER_HOST"] = engine
    outcome = bench.ds01(*REPAIR)
    assert outcome.code == 0, outcome.err
    assert (work.read_bytes(), data.read_bytes()) == whole
    assert bench.ds01("store", "verify").code == 0


def test_an_executed_layer_that_comes_out_otherwise_is_said(bench: World) -> None:
    answer = built(bench, RANDOM)
    layer(bench, answer, "work").unlink()
    outcome = bench.ds01(*REPAIR)
    assert outcome.code == 3
    said = f"not repaired: generation 1 of {NAME}: its lock comes to another image here, sha256:"
    assert said in outcome.err
    assert f"(ds01 build {bench.recipe})" in outcome.err


def test_going_back_needs_of_the_store_only_what_the_engine_has_not(bench: World) -> None:
    first = built(bench, RANDOM)
    built(bench, SAME)
    work = layer(bench, first, "work")
    flip(work)
    outcome = bench.ds01(*REPAIR)
    assert (outcome.code, work.exists()) == (3, False)
    refused = bench.ds01("image", "rollback", NAME, "1", "--no-load")
    assert (refused.code, refused.complaint) == (
        1,
        [
            f"error: {NAME}@1 is not whole: sha256:{work.name} is not in the store",
            "hint:  ds01 store verify --repair",
        ],
    )
    outcome = bench.ds01("image", "rollback", NAME, "1")
    tag = f"ds01-{os.geteuid()}/{NAME}:latest"
    assert (outcome.code, outcome.out) == (0, f"{tag}\n"), outcome.err
    told = f"{NAME}@1 is not whole in the store: sha256:{work.name} is missing; the engine has it"
    assert told in outcome.err
    rows = bench.ds01("image", "history", NAME, "--json").answer["generations"]
    assert [row["current"] for row in rows] == [True, False]
    assert bench.ds01("store", "gc", "--keep", "1").code == 0
    engine = bench.variables["DOCKER_HOST"]
    assert bench.ds01("image", "rollback", NAME, "2").code == 0
    bench.variables["DOCKER_HOST"] = f"unix://{bench.root}/no-engine.sock"
    assert bench.ds01("image", "rollback", NAME, "1").code == 1
    bench.variables["DOCKER_HOST"] = engine
