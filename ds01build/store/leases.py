"""Leases: what running processes use, as locked files under leases/; the kernel frees the lock.

A lease keeps the blobs that it names, and all that was written or renewed since it began: a build
cannot know the digests of what it is about to make.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.store.durable import discard, disk_errors, read_own, temporary, write_all
from ds01build.store.sealed import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["Leases", "lease", "read"]

_SCHEMA = "ds01.lease/1"
_LIMIT = 64 * 1024 * 1024  # bytes of a lease
FAR = 1 << 63  # nanoseconds: later than any file


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """What leases declare in use: ``digests``, and blobs changed at ``since`` or later."""

    digests: frozenset[Digest] = frozenset()
    since: int = FAR  # nanoseconds, by the clock of the file system

    def joined(self, other: Leases) -> Leases:
        """Return what either declares."""
        return Leases(digests=self.digests | other.digests, since=min(self.since, other.since))

    def keep(self, digest: Digest, changed: int) -> bool:
        """Say whether a blob that was last changed then is in use."""
        return changed >= self.since or digest in self.digests


@contextlib.contextmanager
def lease(
    store: Path, digests: Iterable[Digest], guard: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """Declare blobs in use for as long as the block runs; ``guard`` is held as that begins."""
    names = sorted({digest.value for digest in digests})
    text = seal({"schema": _SCHEMA, "process": os.getpid(), "digests": names})
    with disk_errors(store / "leases", len(text)):
        descriptor, temp = temporary(store / "tmp")
    path = store / "leases" / f"{temp.name}.json"
    try:
        with disk_errors(path, len(text)), guard():
            write_all(descriptor, text)
            temp.rename(path)  # not synced: it means nothing after a crash
        yield
    finally:
        discard(temp)
        discard(path)
        os.close(descriptor)


def read(store: Path, *, uid: int) -> Leases:
    """Return what all leases together declare."""
    found = Leases()
    for path in (store / "leases").iterdir():
        declared = _read(path, uid) if _is_held(path) else None
        found = found.joined(declared) if declared else found
    return found


def _read(path: Path, uid: int) -> Leases | None:
    text = read_own(path, uid=uid, limit=_LIMIT)
    names = (unseal(text) or {}).get("digests") if text is not None else None
    if not isinstance(names, list):
        return None
    try:
        since = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None  # it ended
    return Leases(
        digests=frozenset(Digest(name) for name in names if isinstance(name, str)), since=since
    )


def _is_held(path: Path) -> bool:
    """Say whether the process that a lease belongs to is alive."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
