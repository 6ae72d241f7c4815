"""Garbage is collected beside builders, and by processes that are killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import gc_builder
import gc_loop
import pytest
from test_gc import TICK, add_image, add_layer

from ds01build.digest import Digest
from ds01build.store import open_store, roots
from ds01build.store.audit import verify
from ds01build.store.reach import reached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.store import DirStore

UID = os.geteuid()
LOOP, BUILDER = str(gc_loop.__file__), str(gc_builder.__file__)
PATH = os.pathsep.join([str(Path(LOOP).parent), *sys.path])
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
CHANGES = "unlink,rename,fsync,write"
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="injects with strace")


def beside_builders(root: Path, seconds: float) -> tuple[list[list[str]], list[int]]:
    """Collect in a loop beside four builders; return what each pass took, and the images made."""
    store = open_store(root, uid=UID)
    planted = {add_layer(store, b"planted %d" % number).hex for number in range(40)}
    time.sleep(TICK)
    environment = {**ENVIRONMENT, "PYTHONPATH": PATH}
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
    assert list(verify(store)) == []
    for name in roots.names(store.root):
        for one in roots.generations(store.root, name):
            for digest in reached(store, one.image) or [one.image]:
                assert store.has(digest)
    assert [list((store.root / n).iterdir()) for n in ("tmp", "leases", "locks")] == [[]] * 3


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


def traced(root: Path, log: Path, *options: str) -> subprocess.CompletedProcess[str]:
    start = f"import runpy, sys; sys.path = {PATH.split(os.pathsep)!r}; "
    start += (
        f"sys.argv = ['', {str(root)!r}, 'once']; runpy.run_path({LOOP!r}, run_name='__main__')"
    )
    python = [os.path.realpath(sys.executable), "-c", start]
    return subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), *options, *python],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def points(directory: Path) -> list[tuple[str, int]]:
    """Return each system call of a whole collection that changes the store, by name and number.

    Those of its first thread: strace counts for each by itself, and others only free space.
    """
    log, root = directory / "log", directory / "whole"
    furnished(root)
    done = traced(root, log, "-e", f"trace={CHANGES}")
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = {}
    found = []
    lines = log.read_text(errors="replace").splitlines()
    for line in lines:
        match = re.match(r"\d+ +(\w+)\(", line)
        if match and line.split()[0] == lines[0].split()[0]:
            counts[match[1]] = counts.get(match[1], 0) + 1
            is_ours = str(root) in line or match[1] in ("write", "fsync")
            found += [(match[1], counts[match[1]])] if is_ours else []
    return found


def kill_at(directory: Path, name: str, number: int) -> bool:
    """Kill a collection, and check what is left; False if it was through before that."""
    root, log = directory / f"{name}-{number}", directory / f"{name}-{number}.log"
    store = furnished(root)
    third, fourth = roots.generations(store.root, "a")[2:]
    kept = (reached(store, third.image) or set()) | (reached(store, fourth.image) or set())
    inject = f"inject={name}:signal=SIGKILL:when={number}"
    done = traced(root, log, "-e", f"trace={name}", "-e", inject)
    is_killed = "killed by SIGKILL" in log.read_text(errors="replace")
    assert done.returncode == (-signal.SIGKILL if is_killed else 0), (name, number, done)
    check_whole(root)
    assert all(store.has(digest) for digest in kept)
    time.sleep(TICK)
    gc_loop.one_pass(root)
    left = {Digest(f"sha256:{path.name}") for path in (root / "blobs/sha256").iterdir()}
    assert left == kept
    check_whole(root)
    shutil.rmtree(root)
    return is_killed


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    shared = Path("/dev/shm")
    parent = shared if os.access(shared, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(prefix="ds01-gc-", dir=parent) as directory:
        yield Path(directory)


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
