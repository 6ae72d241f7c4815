"""Reads files that a recipe names: below its directory, through no link, up to a size.

Or, by an absolute path, a file that only root and the user can have written.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["names", "read", "read_text", "read_trusted"]

LIMIT = 256 * 1024 * 1024  # bytes
TEXT_LIMIT = 1024 * 1024  # bytes

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: a FIFO in a cloned repository must not hang a build.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(root: Path, relative: str, *, limit: int = LIMIT) -> bytes:
    """Return the content of the regular file ``relative`` below ``root``.

    Each part is opened beneath the one before it, so that no link, and no change while this
    runs, leads outside. Raises Ds01Error naming the file, with the directory.
    """
    parts, shown = _parts(relative), _shown(root, relative)
    try:
        return _read(root, parts, shown, limit)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Ds01Error(f"{shown} is a symbolic link, or below one") from error
        raise Ds01Error(f"{shown} cannot be read: {error.strerror}") from error


def read_text(root: Path, relative: str) -> str:
    """Return the text of ``relative``, as ``read`` does; UTF-8, at most 1 MiB."""
    try:
        return read(root, relative, limit=TEXT_LIMIT).decode()
    except UnicodeDecodeError as error:
        raise Ds01Error(f"{_shown(root, relative)} is not UTF-8 text") from error


def read_trusted(path: Path, *, uid: int, limit: int = LIMIT) -> bytes:
    """Return the content of a regular file that belongs to root or ``uid``, and only they write.

    Links on the way are followed: what they lead to is looked at once it is open. Raises Ds01Error
    naming the file.
    """
    try:
        descriptor = os.open(path, _FILE & ~os.O_NOFOLLOW)
    except OSError as error:
        raise Ds01Error(f"{str(path)!r:.200} cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if status.st_uid not in (0, uid):
            raise Ds01Error(
                f"{str(path)!r:.200} belongs to uid {status.st_uid}, neither to root nor to you"
            )
        if status.st_mode & 0o022:
            mode = stat.S_IMODE(status.st_mode)
            raise Ds01Error(
                f"{str(path)!r:.200} can be written by others (mode {mode:04o})",
                hint=f"chmod go-w {shlex.quote(str(path))}",
            )
        return _content(descriptor, f"{str(path)!r:.200}", limit)
    finally:
        os.close(descriptor)


def names(root: Path, relative: str, *, limit: int) -> list[str]:
    """Return the names in the directory ``relative`` below ``root``, sorted; through no link.

    Raises Ds01Error naming it, also for more than ``limit`` of them.
    """
    parts, shown = _parts(relative), _shown(root, relative)
    try:
        with _held(root, parts, _DIRECTORY) as here, os.scandir(here) as entries:
            found = [entry.name for entry in islice(entries, limit + 1)]
    except OSError as error:
        raise Ds01Error(f"{shown} cannot be read: {error.strerror}") from error
    if len(found) > limit:
        raise Ds01Error(f"{shown} has more than {limit} entries")
    return sorted(found)


def _parts(relative: str) -> list[str]:
    parts = relative.split("/")
    if "\0" in relative or any(part in ("", ".", "..") for part in parts):
        raise Ds01Error(f"{relative!r:.200} is not a path below the recipe")
    return parts


def _shown(root: Path, relative: str) -> str:
    return f"{str(root / relative)!r:.400}"


def _read(root: Path, parts: list[str], shown: str, limit: int) -> bytes:
    with _held(root, parts, _FILE) as descriptor:
        return _content(descriptor, shown, limit)


@contextmanager
def _held(root: Path, parts: list[str], flags: int) -> Iterator[int]:
    """Hold what ``parts`` lead to open, each opened beneath the one before it. Raises OSError."""
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        descriptor = os.open(parts[-1], flags, dir_fd=here)
    finally:
        os.close(here)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _content(descriptor: int, shown: str, limit: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Ds01Error(f"{shown} is not a regular file")
    if status.st_size > limit:
        raise Ds01Error(f"{shown} is larger than {limit} bytes")
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        return file.read(limit)
