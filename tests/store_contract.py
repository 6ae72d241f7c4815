"""What every Store keeps, whatever it is made of: run each rule over a new, empty one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ds01build.digest import DiffId, Digest, Key
from ds01build.errors import MismatchError, StoreError
from ds01build.layer import Layer
from ds01build.store.audit import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.store import DirStore, Store

CONTENT = b"some bytes " * 1000
TICK = 0.02  # seconds: more than the clock of a file system takes to move on


def unused(_: str) -> None:
    pytest.fail("nobody else holds the lock")


def layer_of(content: bytes) -> Layer:
    digest = Digest.of(content)
    return Layer(digest=digest, diff_id=DiffId(digest.value), size=len(content))


def check_tidy(store: DirStore) -> None:
    """Assert what holds of a store on a disk after any crash, once it was opened again."""
    assert list(verify(store)) == []
    for name in ("tmp", "leases", "locks"):
        assert list((store.root / name).iterdir()) == [], name


def what_was_put_is_there_and_reads_back(store: Store) -> None:
    digest = store.put(CONTENT)
    assert digest == Digest.of(CONTENT)
    assert store.has(digest)
    assert store.has(digest, len(CONTENT))
    assert not store.has(digest, len(CONTENT) - 1)
    assert store.source(digest).size == len(CONTENT)
    assert store.source(digest).read(0, len(CONTENT)) == CONTENT


def putting_twice_is_putting_once(store: Store) -> None:
    assert store.put(CONTENT) == store.put(CONTENT)
    assert store.source(Digest.of(CONTENT)).read(0, 1 << 20) == CONTENT


def nothing_is_seen_before_commit(store: Store) -> None:
    digest = Digest.of(CONTENT)
    with store.writer(digest, len(CONTENT)) as writer:
        writer.write(CONTENT)
        assert not store.has(digest)
        assert writer.commit() == (digest, len(CONTENT))
        assert store.has(digest)


def what_is_not_committed_is_gone(store: Store) -> None:
    with store.writer() as writer:
        writer.write(CONTENT)
    assert not store.has(Digest.of(CONTENT))


def a_failure_while_writing_passes_through_and_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.writer() as writer:
            writer.write(CONTENT)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert not store.has(Digest.of(CONTENT))


def two_writers_of_the_same_bytes_may_both_commit(store: Store) -> None:
    with store.writer() as first, store.writer() as second:
        first.write(CONTENT)
        second.write(CONTENT)
        assert first.commit() == second.commit()
    assert store.source(Digest.of(CONTENT)).read(0, 1 << 20) == CONTENT


def bytes_in_pieces_are_the_same_bytes(store: Store) -> None:
    with store.writer(Digest.of(CONTENT)) as writer:
        for start in range(0, len(CONTENT), 7):
            writer.write(memoryview(CONTENT)[start : start + 7])
        assert writer.size == len(CONTENT)
        writer.commit()
    assert store.has(Digest.of(CONTENT), len(CONTENT))


def the_empty_blob_is_a_blob(store: Store) -> None:
    digest = store.put(b"")
    assert store.has(digest, 0)
    assert store.source(digest).read(0, 10) == b""


def other_bytes_than_expected_are_refused(store: Store) -> None:
    expected = Digest.of(b"other")
    with store.writer(expected, name="demo-1.0-py3-none-any.whl") as writer:
        writer.write(CONTENT)
        with pytest.raises(MismatchError) as caught:
            writer.commit()
    assert str(caught.value) == (
        f"demo-1.0-py3-none-any.whl: expected {expected}, got {Digest.of(CONTENT)}"
    )
    assert not store.has(expected)
    assert not store.has(Digest.of(CONTENT))


def fewer_bytes_than_expected_are_refused(store: Store) -> None:
    with store.writer(None, len(CONTENT) + 1) as writer:
        writer.write(CONTENT)
        with pytest.raises(MismatchError, match="expected 11001 bytes, got 11000 bytes"):
            writer.commit()
    assert not store.has(Digest.of(CONTENT))


def more_bytes_than_expected_are_refused_at_once(store: Store) -> None:
    with store.writer(None, len(CONTENT) - 1) as writer:
        with pytest.raises(MismatchError, match="expected 10999 bytes, got more than 10999"):
            writer.write(CONTENT)
        assert writer.size == 0


def nothing_can_be_written_after_commit(store: Store) -> None:
    with store.writer() as writer:
        writer.write(CONTENT)
        digest, _ = writer.commit()
        with pytest.raises(StoreError):
            writer.write(b"more")
    assert store.source(digest).read(0, 1 << 20) == CONTENT


def a_source_reads_any_range(store: Store) -> None:
    source = store.source(store.put(CONTENT))
    assert source.read(5, 20) == CONTENT[5:25]
    assert source.read(len(CONTENT) - 3, 100) == CONTENT[-3:]
    assert source.read(len(CONTENT) + 3, 100) == b""
    assert source.read(0, 1 << 50) == CONTENT


def a_blob_that_is_not_there_has_no_source(store: Store) -> None:
    with pytest.raises(StoreError, match="is not in the store"):
        store.source(Digest.of(b"missing"))


def a_recorded_layer_is_found_by_its_key_alone(store: Store) -> None:
    key, layer = Key.of({"wheel": "demo"}), layer_of(CONTENT)
    store.put(CONTENT)
    assert store.layer(key) is None
    store.record(key, layer, {"wheel": "demo"})
    assert store.layer(key) == layer
    assert store.layer(Key.of({"wheel": "other"})) is None


def recording_again_replaces(store: Store) -> None:
    key = Key.of({"run": "date"})
    for content in (b"first", b"second"):
        store.put(content)
        store.record(key, layer_of(content), {})
    assert store.layer(key) == layer_of(b"second")


def a_layer_is_not_recorded_before_its_blob(store: Store) -> None:
    key = Key.of({})
    with pytest.raises(StoreError, match="is not in the store"):
        store.record(key, layer_of(CONTENT), {})
    assert store.layer(key) is None


def a_lock_has_one_holder(store: Store) -> None:
    key, held = Key.of({"a": 1}), []

    def work(_: int) -> None:
        with store.lock(key, lambda _: None):
            held.append(1)
            assert len(held) == 1
            held.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))


def different_keys_do_not_wait_for_each_other(store: Store) -> None:
    with store.lock(Key.of({"a": 1}), unused), store.lock(Key.of({"a": 2}), unused):
        pass


def a_waiter_is_told_and_may_give_up(store: Store) -> None:
    key = Key.of({"a": 1})

    def give_up(holder: str) -> None:
        raise LookupError(holder)

    def wait() -> None:
        with store.lock(key, give_up):
            pass

    with store.lock(key, unused), pytest.raises(LookupError, match=r"process [0-9]+"):
        wait()
    with store.lock(key, unused):
        pass


RULES: tuple[Callable[[Store], None], ...] = (
    what_was_put_is_there_and_reads_back,
    putting_twice_is_putting_once,
    nothing_is_seen_before_commit,
    what_is_not_committed_is_gone,
    a_failure_while_writing_passes_through_and_leaves_nothing,
    two_writers_of_the_same_bytes_may_both_commit,
    bytes_in_pieces_are_the_same_bytes,
    the_empty_blob_is_a_blob,
    other_bytes_than_expected_are_refused,
    fewer_bytes_than_expected_are_refused,
    more_bytes_than_expected_are_refused_at_once,
    nothing_can_be_written_after_commit,
    a_source_reads_any_range,
    a_blob_that_is_not_there_has_no_source,
    a_recorded_layer_is_found_by_its_key_alone,
    recording_again_replaces,
    a_layer_is_not_recorded_before_its_blob,
    a_lock_has_one_holder,
    different_keys_do_not_wait_for_each_other,
    a_waiter_is_told_and_may_give_up,
)
