"""What running processes declare to be in use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from store_contract import TICK, layer_of

from ds01build.digest import Digest, Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.store import DirStore

pytest_plugins = ("store_fixtures",)

UID = os.geteuid()


def changed(store: DirStore, digest: Digest) -> int:
    return store.path(digest).stat().st_ctime_ns


def find_layer(store: DirStore, content: bytes) -> None:
    assert store.layer(Key.of({"of": content.decode()})) == layer_of(content)


def put_again(store: DirStore, content: bytes) -> None:
    store.put(content)


def renew(store: DirStore, content: bytes) -> None:
    assert store.renew(Digest.of(content), len(content))


def write_again(store: DirStore, content: bytes) -> None:
    with store.writer() as writer:
        writer.write(content)
        writer.commit()


@pytest.mark.parametrize("use", [find_layer, put_again, renew, write_again])
def test_a_lease_keeps_what_is_found_or_written_while_it_lasts(
    store: DirStore, use: Callable[[DirStore, bytes], None]
) -> None:
    for content in (b"used", b"unused"):
        store.put(content)
        store.record(Key.of({"of": content.decode()}), layer_of(content), {})
    time.sleep(TICK)
    with store.lease(()):
        use(store, b"used")
        leases = store.leases()
        used, unused = Digest.of(b"used"), Digest.of(b"unused")
        assert leases.keep(used, changed(store, used))
        assert not leases.keep(unused, changed(store, unused))
    assert not store.leases().keep(used, changed(store, used))


def test_renewing_changes_no_byte_and_no_time_that_tools_compare(store: DirStore) -> None:
    digest = store.put(b"bytes")
    os.utime(store.path(digest), ns=(1_000, 2_000))
    before = store.path(digest).stat()
    time.sleep(TICK)
    assert store.renew(digest)
    after = store.path(digest).stat()
    assert (after.st_mtime_ns, after.st_mode, after.st_ino) == (2_000, 0o100444, before.st_ino)
    assert after.st_ctime_ns > before.st_ctime_ns


def test_what_is_not_there_in_full_is_not_renewed(store: DirStore) -> None:
    digest = store.put(b"bytes")
    assert not store.renew(digest, 4)
    assert not store.renew(Digest.of(b"other"))


def test_leases_of_several_processes_add_up(store: DirStore) -> None:
    first, second = Digest.of(b"first"), Digest.of(b"second")
    with store.lease([first]):
        oldest = store.leases().since
        time.sleep(TICK)
        with store.lease([second]):
            assert store.leases().digests == {first, second}
            assert store.leases().since == oldest
        assert store.leases().digests == {first}


def die_with_a_lease(store: DirStore) -> None:
    """Let a process declare that it uses the blob b"mine", and be killed."""
    script = (
        "import os, sys; from pathlib import Path; from ds01build.store import open_store\n"
        "from ds01build.digest import Digest\n"
        "store = open_store(Path(sys.argv[1]), uid=os.geteuid())\n"
        "with store.lease([Digest.of(b'mine')]): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(store.root)], check=False)
    assert len(list((store.root / "leases").iterdir())) == 1


def test_the_lease_of_a_dead_process_declares_nothing(store: DirStore) -> None:
    die_with_a_lease(store)
    assert store.leases().digests == frozenset()


def test_a_leased_blob_outlives_a_removal(store: DirStore) -> None:
    mine, other = store.put(b"mine"), store.put(b"other")
    with store.lease([mine, Digest.of(b"not there yet")]):
        store.remove_unleased([mine, other])
        assert (store.has(mine), store.has(other)) == (True, False)
    store.remove_unleased([mine])
    assert not store.has(mine)
    assert list((store.root / "leases").iterdir()) == []


def test_the_lease_of_a_killed_process_counts_no_more(store: DirStore) -> None:
    digest = store.put(b"mine")
    die_with_a_lease(store)
    store.remove_unleased([digest])
    assert not store.has(digest)


def test_no_blob_gets_a_name_while_a_decision_is_made(store: DirStore) -> None:
    digest = Digest.of(b"bytes")
    writing = threading.Thread(target=store.put, args=[b"bytes"])
    with store.guard():
        writing.start()
        writing.join(0.3)
        assert writing.is_alive()
        assert not store.has(digest)
    writing.join()
    assert store.has(digest)
