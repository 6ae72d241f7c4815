"""What is left when a writer is killed, or the disk fails, at any of its system calls."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import store_writer
from store_contract import check_tidy, layer_of
from store_writer import CONTENT, KEY
from straced import Program, killed, needs_strace, script, traced, watched

from ds01build.digest import Key
from ds01build.errors import StoreError
from ds01build.store import open_store
from ds01build.store.audit import verify
from ds01build.store.durable import free_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ("store_fixtures",)

UID = os.geteuid()

SCRIPT = str(Path(store_writer.__file__))
WATCHED = "write,fsync,rename,mkdir,unlink,fchmod,flock,ftruncate,pwrite64"

needs_root = pytest.mark.skipif(UID != 0, reason="only root can mount")


def writing(root: Path) -> Program:
    return script(SCRIPT, str(root))


def check_consistent(root: Path) -> None:
    """Assert what holds after any crash: what is named is there and right, and work goes on."""
    store = open_store(root, uid=UID)
    check_tidy(store)
    assert store.layer(KEY) in (None, layer_of(CONTENT))
    assert store_writer.write(root) == 1
    assert store.layer(KEY) == layer_of(CONTENT)
    assert list(verify(store)) == []


def points(tmp_path: Path) -> list[tuple[str, int]]:
    """Return each watched system call of a whole run that concerns the store.

    That is its name and which of that name it is, counted from the start of the process.
    """
    root = tmp_path / "whole"
    every = watched(writing(root), tmp_path / "log", WATCHED)
    first = next(place for place, call in enumerate(every) if str(root) in call.line)
    return [(call.name, call.number) for call in every[first:]]


def middle(found: list[tuple[str, int]], name: str) -> int:
    """Return the number of a call of that name in the midst of the work."""
    numbers = [number for one, number in found if one == name]
    return numbers[len(numbers) * 2 // 3]


def kill_at(tmp_path: Path, name: str, number: int) -> None:
    root, log = tmp_path / f"{name}-{number}", tmp_path / f"{name}-{number}.log"
    assert killed(writing(root), log, name, number), (name, number)
    check_consistent(root)


def fail_at(tmp_path: Path, name: str, number: int, error: str) -> None:
    where = f"{name}-{number}-{error}"
    root, log = tmp_path / where, tmp_path / f"{where}.log"
    inject = f"inject={name}:error={error}:when={number}"
    done = traced(writing(root), log, "-e", f"trace={name}", "-e", inject)
    assert any("(INJECTED)" in line for line in done.log), where
    if done.code:
        assert done.err.startswith("refused: cannot write "), (where, done.err)
        assert done.err.count("\n") == 1
    check_consistent(root)


@needs_strace
def test_the_faults_are_for_what_the_writer_does(tmp_path: Path) -> None:
    names = Counter(name for name, _ in points(tmp_path))
    assert names["write"] >= names["rename"] >= 9
    assert names["mkdir"] >= 11
    check_consistent(tmp_path / "whole")


@needs_strace
def test_files_are_synced_before_they_get_their_name_and_names_after(tmp_path: Path) -> None:
    options = ("-y", "-e", "trace=fsync,rename,mkdir")
    lines = traced(writing(tmp_path / "store"), tmp_path / "log", *options).log
    moves = [
        (number, re.findall(r'"([^"]+)"', line))
        for number, line in enumerate(lines)
        if "rename(" in line and "/leases/" not in line and str(tmp_path / "store") in line
    ]
    assert len(moves) >= 8
    for number, (source, target) in moves:
        assert f"<{source}>) = 0" in lines[number - 1]
        assert "fsync(" in lines[number - 1]
        assert f"<{Path(target).parent}>) = 0" in lines[number + 1]
        assert "fsync(" in lines[number + 1]


@needs_strace
@pytest.mark.parametrize("name", ["write", "fsync", "rename"])
def test_a_writer_killed_in_the_midst_leaves_nothing_wrong(name: str, tmp_path: Path) -> None:
    kill_at(tmp_path, name, middle(points(tmp_path), name))


@needs_strace
@pytest.mark.slow
def test_a_writer_killed_at_any_system_call_leaves_nothing_wrong(in_memory: Path) -> None:
    for name, number in points(in_memory):
        kill_at(in_memory, name, number)


@needs_strace
@pytest.mark.parametrize(
    ("name", "error"), [("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "EDQUOT")]
)
def test_a_disk_that_fails_in_the_midst_is_one_clear_error(
    name: str, error: str, tmp_path: Path
) -> None:
    fail_at(tmp_path, name, middle(points(tmp_path), name), error)


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO", "EROFS"])
def test_a_disk_that_fails_at_any_system_call_is_one_clear_error(
    error: str, in_memory: Path
) -> None:
    for name, number in points(in_memory):
        if name != "flock":
            fail_at(in_memory, name, number, error)


def test_a_writer_killed_at_any_time_leaves_nothing_wrong(tmp_path: Path) -> None:
    for number in range(6):
        process = subprocess.Popen([sys.executable, SCRIPT, str(tmp_path / "store")])
        time.sleep(0.06 + 0.015 * number)
        process.kill()
        process.wait()
    check_consistent(tmp_path / "store")


def test_a_file_larger_than_allowed_is_one_clear_error(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", uid=UID)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(StoreError) as caught:
            store.put(CONTENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == (
        f"cannot write {store.root}/blobs/sha256 (300000 bytes): the file is larger than this"
        " process may write"
    )
    check_consistent(store.root)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "mounted"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@needs_root
def test_a_full_disk_is_one_clear_error_and_what_is_there_stays(mounted: Path) -> None:
    store = open_store(mounted / "store", uid=UID)
    kept = store.put(CONTENT)
    with pytest.raises(StoreError) as caught:
        store.put(CONTENT + b"more")
    assert str(caught.value) == (
        f"cannot write {store.root}/blobs/sha256 (300004 bytes): the file system is full"
    )
    assert caught.value.hint == "ds01 store du"
    again = open_store(store.root, uid=UID)
    assert again.source(kept).read(0, 1 << 20) == CONTENT
    assert list(verify(again)) == []
    again.remove(kept)
    again.put(CONTENT + b"more")


@needs_root
def test_a_full_disk_refuses_a_new_store_in_one_clear_error(mounted: Path) -> None:
    (mounted / "filler").write_bytes(bytes(free_bytes(mounted)))
    with pytest.raises(StoreError, match="the file system is full"):
        open_store(mounted / "store", uid=UID)
    (mounted / "filler").unlink()
    check_consistent(mounted / "store")


@needs_root
def test_a_read_only_store_is_one_clear_error(mounted: Path) -> None:
    store = open_store(mounted / "store", uid=UID)
    remount = ["mount", "-o", "remount,ro", str(mounted)]
    subprocess.run(remount, check=True)
    with pytest.raises(StoreError) as caught:
        open_store(store.root, uid=UID)
    assert str(caught.value) == f"the store {store.root} is read-only"
    with pytest.raises(StoreError, match="the file system is read-only"):
        store.put(b"x")
    with pytest.raises(StoreError, match="the file system is read-only"):
        open_store(mounted / "other", uid=UID)


@pytest.mark.skipif(UID == 0, reason="root may write everywhere")
def test_a_store_without_the_right_to_write_is_one_clear_error(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", uid=UID)
    store.root.chmod(0o500)
    with pytest.raises(StoreError, match="is read-only"):
        open_store(store.root, uid=UID)
    store.root.chmod(0o700)


@needs_root
def test_another_user_can_read_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    store = open_store(tmp_path / "store", uid=UID)
    digest = store.put(CONTENT)
    for path in (store.path(digest), store.root / "index.json"):
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Permission denied" in done.stderr


def test_processes_at_once_store_one_thing(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, str(tmp_path / "store")]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    check_consistent(tmp_path / "store")


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", uid=UID)
    script = (
        "import os, sys, time; from pathlib import Path\n"
        "from ds01build.store import open_store; from ds01build.digest import Key\n"
        "store = open_store(Path(sys.argv[1]), uid=os.geteuid())\n"
        "with store.lock(Key.of({}), lambda _: None): print(flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(store.root)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    holders: list[str] = []

    def kill(holder: str) -> None:
        holders.append(holder)
        process.kill()

    begin = time.monotonic()
    with store.lock(Key.of({}), kill):
        assert time.monotonic() - begin < 1
    assert holders == [f"process {process.pid}"]
    process.wait()
    process.stdout.close()


def take_turns(tmp_path: Path, *, processes: int, turns: int) -> None:
    store = open_store(tmp_path / "store", uid=UID)
    counter = tmp_path / "counter"
    counter.write_text("0")
    script = (
        "import os, sys; from pathlib import Path\n"
        "from ds01build.store import DirStore; from ds01build.digest import Key\n"
        "store, counter = DirStore(root=Path(sys.argv[1]), uid=os.geteuid()), Path(sys.argv[2])\n"
        "for _ in range(int(sys.argv[3])):\n"
        "    with store.lock(Key.of({}), lambda _: None):\n"
        "        counter.write_text(str(int(counter.read_text()) + 1))"
    )
    command = [sys.executable, "-c", script, str(store.root), str(counter), str(turns)]
    running = [subprocess.Popen(command) for _ in range(processes)]
    assert [process.wait() for process in running] == [0] * processes
    assert counter.read_text() == str(processes * turns)


def test_processes_take_turns(tmp_path: Path) -> None:
    take_turns(tmp_path, processes=4, turns=50)


@pytest.mark.slow
def test_many_processes_take_many_turns(tmp_path: Path) -> None:
    take_turns(tmp_path, processes=8, turns=1000)
