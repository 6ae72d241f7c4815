"""Garbage is collected beside builders, and by processes that are killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import gc_builder
import gc_loop
import pytest
from store_contract import TICK, check_tidy
from straced import SETTINGS, killed, needs_strace, script, watched
from test_gc import add_image, add_layer

from ds01build.digest import Digest
from ds01build.store import open_store, roots
from ds01build.store.reach import reached

if TYPE_CHECKING:
    from straced import Program

    from ds01build.store import DirStore

pytest_plugins = ("store_fixtures",)

UID = os.geteuid()
LOOP, BUILDER = str(gc_loop.__file__), str(gc_builder.__file__)
PATH = os.pathsep.join([str(Path(LOOP).parent), *sys.path])
CHANGES = "unlink,rename,fsync,write"


def beside_builders(root: Path, seconds: float) -> tuple[list[list[str]], list[int]]:
    """Collect in a loop beside four builders; return what each pass took, and the images made."""
    store = open_store(root, uid=UID)
    planted = {add_layer(store, b"planted %d" % number).hex for number in range(40)}
    time.sleep(TICK)
    environment = {**os.environ, **SETTINGS, "PYTHONPATH": PATH}
    # Builders go on for a moment longer, so that every pass has some beside it.
    builders = [
        subprocess.Popen(
            [sys.executable, BUILDER, str(root), name, str(seconds + 1)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b", "c", "d")
    ]
    loop = subprocess.run(
        [sys.executable, LOOP, str(root), str(seconds)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    ended = [(one.communicate(), one.returncode) for one in builders]
    assert loop.returncode == 0, loop.stderr
    assert [code for _, code in ended] == [0] * 4, [err for (_, err), _ in ended]
    passes = [json.loads(line) for line in loop.stdout.splitlines()]
    assert planted <= set(passes[0])
    return passes, [int(out) for (out, _), _ in ended]


def check_whole(root: Path) -> None:
    """Assert that every generation that is left is there to the last byte, and goes on."""
    store = open_store(root, uid=UID)
    check_tidy(store)
    for name in roots.names(store.root):
        for one in roots.generations(store.root, name):
            for digest in reached(store, one.image) or [one.image]:
                assert store.has(digest)


def test_a_collection_in_a_loop_takes_nothing_from_builders(tmp_path: Path) -> None:
    passes, images = beside_builders(tmp_path / "store", 6)
    assert len(passes) >= 5
    assert min(images) >= 2
    assert sum(map(len, passes[1:])) > 0, "nothing became garbage meanwhile"
    check_whole(tmp_path / "store")


@pytest.mark.exhaustive
def test_a_collection_in_a_loop_for_two_minutes_takes_nothing_from_builders(tmp_path: Path) -> None:
    passes, images = beside_builders(tmp_path / "store", 120)
    assert len(passes) >= 20
    assert min(images) >= 20
    check_whole(tmp_path / "store")


# --- kill -9


def furnished(root: Path) -> DirStore:
    """Return a store with generations to keep and to drop, and garbage with rows."""
    store = open_store(root, uid=UID)
    for layers in ((b"base", b"one"), (b"base", b"two"), (b"base", b"three"), (b"base", b"four")):
        add_image(store, "a", *layers)
    add_layer(store, b"garbage")
    (store.root / "quarantine" / "ff").write_bytes(b"lies")
    return store


def collection(root: Path) -> Program:
    return script(LOOP, str(root), "once")


def points(directory: Path) -> list[tuple[str, int]]:
    """Return each system call of a whole collection that changes the store, by name and number.

    Other threads than the first only free space.
    """
    root = directory / "whole"
    furnished(root)
    every = watched(collection(root), directory / "log", CHANGES)
    return [
        (call.name, call.number)
        for call in every
        if str(root) in call.line or call.name in ("write", "fsync")
    ]


def kill_at(directory: Path, name: str, number: int) -> bool:
    """Kill a collection, and check what is left; False if it was through before that."""
    root, log = directory / f"{name}-{number}", directory / f"{name}-{number}.log"
    store = furnished(root)
    third, fourth = roots.generations(store.root, "a")[2:]
    kept = (reached(store, third.image) or set()) | (reached(store, fourth.image) or set())
    is_killed = killed(collection(root), log, name, number)
    check_whole(root)
    assert all(store.has(digest) for digest in kept)
    time.sleep(TICK)
    gc_loop.one_pass(root)
    left = {Digest(f"sha256:{path.name}") for path in (root / "blobs/sha256").iterdir()}
    assert left == kept
    check_whole(root)
    shutil.rmtree(root)
    return is_killed


@needs_strace
@pytest.mark.parametrize("name", ["unlink", "rename", "fsync"])
def test_a_collection_killed_in_the_midst_loses_nothing(name: str, in_memory: Path) -> None:
    numbers = [number for one, number in points(in_memory) if one == name]
    assert kill_at(in_memory, name, numbers[len(numbers) // 2])


@needs_strace
@pytest.mark.exhaustive
def test_a_collection_killed_at_any_system_call_loses_nothing(in_memory: Path) -> None:
    found = points(in_memory)
    assert len(found) > 20
    killed = [kill_at(in_memory, name, number) for name, number in found]
    assert sum(killed) > 0.9 * len(killed)  # in how many steps it goes depends on the clock
