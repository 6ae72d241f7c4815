"""Locks between processes and threads: flock(2), which the kernel frees when a holder dies.

A lock file is removed by its holder, so a lock counts only while the file that was locked is still
the one at its path.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["hold", "hold_briefly", "is_at", "remove_abandoned", "remove_unheld"]

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CLAIM = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@contextlib.contextmanager
def hold(path: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at ``path``, for as long as the block runs.

    ``on_wait`` is told who holds it ("process 4711") before each wait, and may raise to give up.
    """
    descriptor = _acquire(path, on_wait)
    try:
        _sign(descriptor)
        yield
    finally:
        _release(descriptor, path)


@contextlib.contextmanager
def hold_briefly(path: Path) -> Iterator[None]:
    """Hold the lock at ``path`` for so short a time that nobody need be told who does.

    An empty file costs microseconds; to free one block takes some file systems a millisecond.
    """
    descriptor = _acquire(path, lambda _: None)
    try:
        yield
    finally:
        _release(descriptor, path)


def is_at(descriptor: int, path: Path) -> bool:
    """Say whether the open file is the one that ``path`` names."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def remove_abandoned(directory: Path) -> None:
    """Delete the files of ``directory`` that nobody holds a lock on."""
    for path in directory.iterdir():
        remove_unheld(path)


def remove_unheld(path: Path) -> None:
    """Delete a file unless somebody holds a lock on it, or something else is in the way."""
    with contextlib.suppress(OSError):  # gone, held, or not a file: not ours to remove
        descriptor = os.open(path, _LOOK)  # a finished blob may be read only
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(descriptor, path):
                path.unlink()
        finally:
            os.close(descriptor)


def _acquire(path: Path, on_wait: Callable[[str], None]) -> int:
    while True:
        descriptor = os.open(path, _CLAIM, 0o600)
        try:
            _lock(descriptor, on_wait)
            if is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _release(descriptor: int, path: Path) -> None:
    with contextlib.suppress(OSError):  # a lock file that stays does no harm
        path.unlink()
    os.close(descriptor)


def _lock(descriptor: int, on_wait: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait(_holder(descriptor))
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _sign(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # a full disk: the holder's number only informs
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d" % os.getpid(), 0)


def _holder(descriptor: int) -> str:
    number = os.pread(descriptor, 20, 0)
    return f"process {number.decode()}" if number.isdigit() else "another process"
