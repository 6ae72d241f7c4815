"""Several builds at once, and builds that are killed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from servers import content, slow
from straced import ds01, killed, needs_strace
from wheels import File
from world import RECIPE, copied, ended, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

LARGE = File(name=b"large.bin", content=bytes(range(256)) * 4000, method=0)
MORE = RECIPE.replace('"app"', '"app", "other", "large"')


def furnished(world: World) -> World:
    """Return a world with an empty store and a lock with a wheel of several chunks."""
    shutil.rmtree(world.store)
    world.index.offer("large", "1.0", LARGE)
    world.write(MORE)
    return world


MANY = [pytest.param(16, lock, marks=pytest.mark.slow) for lock in (False, True)]


@pytest.mark.parametrize(("count", "has_lock"), [(2, False), (2, True), (4, True), *MANY])
def test_builds_at_once_do_the_work_once(world: World, count: int, has_lock: bool) -> None:  # noqa: FBT001
    world = furnished(world)
    if has_lock:
        assert world.ds01("lock", "demo.toml").code == 0
        shutil.rmtree(world.store)
    else:
        world.lock.unlink()
    world.index.server.requests.clear()
    started = [world.start("build", "--json", "demo.toml") for _ in range(count)]
    outcomes = [ended(process, 30 + 10 * count) for process in started]
    assert [outcome.code for outcome in outcomes] == [0] * count, [o.err for o in outcomes]
    assert len({outcome.answer["image"]["digest"] for outcome in outcomes}) == 1
    fetched = _fetched(world)
    assert len(fetched) > 30
    assert set(fetched.values()) == {1}, fetched.most_common(3)
    assert _written(outcomes) == {1}
    for outcome in outcomes:
        waits = [line for line in outcome.err.splitlines() if "waiting for what" in line]
        assert len(waits) == len(set(waits)), outcome.err
    assert world.verified() == ""


@pytest.mark.parametrize("count", [4, pytest.param(16, marks=pytest.mark.slow)])
def test_overlapping_builds_at_once_do_the_common_work_once(world: World, count: int) -> None:
    """Each recipe has two tiers that all have, and one that half of the others have."""
    shutil.rmtree(world.store)
    alone = [f"own-{number}" for number in range(count // 2)]
    for name in alone:
        world.index.offer(name)
    recipes = [f"r{number}" for number in range(count)]
    for number, name in enumerate(recipes):
        tier = f'\n[tiers.more]\nkind = "python"\npackages = ["{alone[number // 2]}"]\n'
        text = RECIPE.replace('"demo"', f'"{name}"') + tier
        world.write(text, f"{name}.toml")
        assert world.ds01("lock", f"{name}.toml").code == 0
    world.index.server.requests.clear()
    started = [world.start("build", "--json", f"{name}.toml") for name in recipes]
    outcomes = [ended(process, 30 + 10 * count) for process in started]
    assert [outcome.code for outcome in outcomes] == [0] * count, [o.err for o in outcomes]
    assert set(_fetched(world).values()) == {1}, _fetched(world).most_common(3)
    assert _written(outcomes) == {1}
    images = world.images()
    assert images.keys() == set(recipes)
    assert {o.answer["name"]: o.answer["image"]["digest"] for o in outcomes} == images
    assert world.verified() == ""
    layers = [each["digest"] for o in outcomes for each in o.answer["layers"]]
    assert len(set(layers)) == 3 + count // 2
    alone_again = replace(world, variables={"DS01_STORE": str(world.root / "other")})
    for name in recipes[::5]:
        digest = alone_again.ds01("build", "--json", f"{name}.toml").answer["image"]["digest"]
        assert digest == images[name]


def _fetched(world: World) -> Counter[str]:
    """Return how often each file was asked for."""
    paths = world.index.server.paths()
    return Counter(path for path in paths if path.endswith((".whl", ".deb")))


def _written(outcomes: list[Outcome]) -> set[int]:
    """Return how often layers were written, over all builds."""
    layers = [layer for outcome in outcomes for layer in outcome.answer["layers"]]
    digests = {layer["digest"] for layer in layers}
    written = Counter(layer["digest"] for layer in layers if layer["action"] == "written")
    return {written[digest] for digest in digests}


@pytest.fixture(scope="module")
def expected(pristine: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world without layers, in which the next build is known to give ``built``."""
    world = furnished(copied(pristine, tmp_path_factory.mktemp("expected")))
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    found = world.images()
    shutil.rmtree(world.store)
    assert world.ds01("lock", "--upgrade", "demo.toml").code == 0  # knows where the files are
    return replace(world, built=found)


@pytest.mark.parametrize("seconds", [0, 0.5])
def test_a_build_that_is_killed_is_followed_by_one_that_succeeds(
    expected: World, tmp_path: Path, seconds: float
) -> None:
    world = copied(expected, tmp_path)
    path = f"{expected.index.prefix}/files/large-1.0-py3-none-any.whl"
    server, made = world.index.server, world.index.offer("large", "1.0", LARGE)
    server.add(path, slow(made, piece=1 << 16, pause=0.2), content(made))
    server.requests.clear()
    process = world.start("build", "demo.toml")
    wait_until(lambda: path in server.paths())
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    assert ended(process).code == -signal.SIGKILL
    check_recovery(world)


def check_recovery(world: World) -> None:
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    assert world.images() == world.built
    assert world.verified() == ""
    for name in ("tmp", "leases", "locks"):
        assert list((world.store / name).iterdir()) == [], name


@needs_strace
@pytest.mark.parametrize(
    ("call", "number"),
    [("fsync", 4), ("rename", 2), ("rename", 5), ("write", 3)],
)
def test_a_build_that_is_killed_at_a_system_call_is_followed_by_one_that_succeeds(
    expected: World, tmp_path: Path, call: str, number: int
) -> None:
    world = copied(expected, tmp_path)
    world.index.offer("large", "1.0", LARGE)
    build = ds01("build", "demo.toml", cwd=world.recipe.parent, environment=world.environment)
    assert killed(build, world.root / "strace.log", call, number)
    check_recovery(world)
