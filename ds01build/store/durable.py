"""Files that survive a crash: written aside, synced, renamed, and their directory synced."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from ds01build.errors import StoreError
from ds01build.flock import is_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = [
    "discard",
    "disk_errors",
    "free_bytes",
    "make_directory",
    "publish",
    "read_own",
    "sync_directory",
    "temporary",
    "write_all",
    "write_durably",
]

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

_HINTS = {
    errno.ENOSPC: "ds01 store du",
    errno.EDQUOT: "ds01 store du",
    errno.EISDIR: "ds01 store verify --repair",
}
_REASONS = {
    errno.ENOSPC: "the file system is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this process may write",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk failed",
}


@contextlib.contextmanager
def disk_errors(path: Path, size: int = 0) -> Iterator[None]:
    """Turn an OSError of the block into a StoreError that names ``path`` and ``size`` in bytes."""
    try:
        yield
    except OSError as error:
        code = error.errno or 0
        reason = _REASONS.get(code, os.strerror(code).lower())
        bulk = f" ({size} bytes)" if size else ""
        raise StoreError(f"cannot write {path}{bulk}: {reason}", _HINTS.get(code, "")) from error


def temporary(directory: Path) -> tuple[int, Path]:
    """Create an empty private file in ``directory`` and return its descriptor and path.

    It is locked, so that ``flock.remove_abandoned`` leaves it alone until the caller closes it.
    """
    while True:
        path = directory / os.urandom(16).hex()
        descriptor = os.open(path, _CREATE, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if is_at(descriptor, path):
            return descriptor, path
        os.close(descriptor)  # swept between creation and lock


def write_all(descriptor: int, content: bytes | bytearray | memoryview) -> None:
    """Write all of ``content``, however many calls it takes."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def publish(
    descriptor: int,
    temp: Path,
    path: Path,
    *,
    mode: int,
    guard: AbstractContextManager[None] | None = None,
) -> None:
    """Move the finished file ``temp`` to ``path``: when this returns, no crash can undo it.

    ``guard`` is held while it gets its name.
    """
    os.fchmod(descriptor, mode)
    os.fsync(descriptor)
    with guard or contextlib.nullcontext():
        temp.rename(path)
    sync_directory(path.parent)


def write_durably(path: Path, content: bytes, *, aside: Path, mode: int = 0o600) -> None:
    """Replace the file at ``path``: a reader, or a crash, sees the old or the new one, whole.

    ``aside`` is a directory on the same file system. Raises StoreError.
    """
    with disk_errors(path, len(content)):
        descriptor, temp = temporary(aside)
        try:
            write_all(descriptor, content)
            publish(descriptor, temp, path, mode=mode)
        except BaseException:
            discard(temp)
            raise
        finally:
            os.close(descriptor)


def discard(path: Path) -> None:
    """Delete a temporary file, if that works; otherwise the next sweep does."""
    with contextlib.suppress(OSError):
        path.unlink()


def read_own(path: Path | str, *, uid: int, limit: int) -> bytes | None:
    """Return the content of a file, or None unless it is one that only ``uid`` can have written.

    None also for what is missing, not a regular file, or longer than ``limit`` bytes.
    """
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        private = status.st_uid == uid and not status.st_mode & 0o022
        if not stat.S_ISREG(status.st_mode) or not private or status.st_size > limit:
            return None
        content = stream.read(limit + 1)
        return content if len(content) <= limit else None


def make_directory(path: Path, *, mode: int = 0o700) -> None:
    """Create a directory, durably, unless it exists; it is private unless ``mode`` says else."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    if mode != 0o700:  # noqa: PLR2004 (what mkdir has given it, whatever the umask)
        path.chmod(mode)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Return how many bytes this user may still write at ``path``, which need not exist yet."""
    while not path.exists():
        path = path.parent
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
