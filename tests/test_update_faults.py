"""A small update that is killed, or whose disk is full, at any of its calls loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from straced import ds01, killed, needs_strace, traced
from test_cli_concurrency import check_recovery
from world import World, copied

from ds01build.store.audit import examined, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from straced import Program

pytest_plugins = ("world_fixtures",)

UID = os.geteuid()
FILES = '\n[tiers.data]\nkind = "files"\nfiles = [{ from = "data", to = "/etc/data" }]\n'
FAULTY = Path(__file__).with_name("faulty.py")


def edited(world: World) -> World:
    """Return the world with a package and a file more in its recipe, not built yet."""
    world.write("of the user\n", "data")
    world.ask_for("app", "other", more=FILES)
    return world


@dataclass(frozen=True)
class Update:
    """A world before a small update, what comes of it, and of how many calls that consists."""

    world: World
    images: dict[str, str]
    calls: int

    def copies(self, root: Path) -> Iterator[World]:
        """Yield worlds that are as they were before, one after the other."""
        number = 0
        while True:
            number += 1
            directory = root / str(number)
            directory.mkdir()
            yield copied(self.world, directory)
            shutil.rmtree(directory)


@pytest.fixture(scope="module")
def update(pristine: World, tmp_path_factory: pytest.TempPathFactory) -> Update:
    before = edited(copied(pristine, tmp_path_factory.mktemp("before")))
    world = copied(before, tmp_path_factory.mktemp("after"))
    done = faulty(world, 0, "none")
    assert done.returncode == 0, done.stderr
    return Update(before, world.images(), int((world.root / "mark").read_text()))


def faulty(world: World, number: int, how: str) -> subprocess.CompletedProcess[str]:
    """Build with one call that fails; 0 is none."""
    mark = world.root / "mark"
    return subprocess.run(
        [sys.executable, str(FAULTY), str(number), how, str(mark), "build", "demo.toml"],
        env={**world.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=world.recipe.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def check(world: World, update: Update, where: str) -> None:
    """Assert that all that was there still is, and that the next run gives the image."""
    generation = "roots/demo/1.json"
    store = examined(world.store, uid=UID)
    assert list(verify(store)) == [], where
    first = (update.world.store / generation).read_bytes()
    assert (world.store / generation).read_bytes() == first, where
    assert world.images()["demo"] in (update.world.images()["demo"], update.images["demo"]), where
    world.built.clear()
    world.built.update(update.images)
    check_recovery(world)


def fail(update: Update, world: World, number: int, how: str) -> None:
    done = faulty(world, number, how)
    where = f"{how} at call {number}"
    assert (world.root / "mark").exists(), f"{where} did not happen"
    if how == "kill":
        assert done.returncode == -signal.SIGKILL, (where, done.stderr)
    else:
        assert done.returncode in (0, 1, 4), (where, done.stderr)  # 4: where caches lie is full
        assert "Traceback" not in done.stderr, where
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert len(errors) == (done.returncode != 0), (where, done.stderr)
        assert "a bug in" not in done.stderr, (where, done.stderr)
    check(world, update, where)


@pytest.mark.parametrize("how", ["kill", "ENOSPC"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_update_that_fails_at_a_call_loses_nothing(
    update: Update, tmp_path: Path, share: float, how: str
) -> None:
    fail(update, next(update.copies(tmp_path)), int(update.calls * share), how)


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", ["kill", "ENOSPC"])
def test_an_update_that_fails_at_any_call_loses_nothing(
    update: Update, tmp_path: Path, how: str
) -> None:
    assert update.calls > 60
    # Threads take turns in another order each time: the last calls of all may not come.
    for number, world in zip(range(1, update.calls + 1), update.copies(tmp_path), strict=False):
        fail(update, world, number, how)


def frozen(world: World) -> Program:
    command = ("build", "--frozen", "demo.toml")
    return ds01(*command, cwd=world.recipe.parent, environment=world.environment)


@needs_strace
@pytest.mark.exhaustive
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "pwrite64"])
def test_an_update_that_the_kernel_kills_at_any_call_of_a_thread_loses_nothing(
    update: Update, tmp_path: Path, call: str
) -> None:
    """What Python does not see counts here too, such as writes of SQLite."""
    copies = update.copies(tmp_path)
    world = next(copies)
    assert world.ds01("lock", "demo.toml").code == 0
    lock = world.lock.read_bytes()
    log = traced(frozen(world), world.root / "strace.log", "-e", f"trace={call}").log
    threads = [line.split()[0] for line in log if f" {call}(" in line]
    most = max((threads.count(thread) for thread in set(threads)), default=0)
    assert most > 3
    for number, world in zip(range(1, most + 1), copies, strict=False):
        world.lock.write_bytes(lock)
        assert killed(frozen(world), world.root / "strace.log", call, number), number
        check(world, update, f"{call} {number}")
