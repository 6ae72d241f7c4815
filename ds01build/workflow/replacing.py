"""Replaces files, several of them together or none: each is written aside first, then renamed.

What a killed process has written aside goes when the same file is replaced the next time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import stat
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.flock import is_at, remove_unheld
from ds01build.store.durable import sync_directory, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = [
    "Replacement",
    "aside",
    "create_file",
    "refuse_existing",
    "refuse_replacing",
    "replace_file",
    "require_unchanged",
    "staged",
    "told",
]

_MODE = 0o644  # of a file that is not there yet
# What file systems say that have no hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV})
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A file's new text, and the bytes that it has; None where there is no file."""

    path: Path
    before: bytes | None
    text: str

    @property
    def content(self) -> bytes:
        """The bytes that the file is to have."""
        return self.text.encode()


@contextmanager
def staged(files: Sequence[Replacement]) -> Iterator[Callable[[], None]]:
    """Write all of ``files`` aside; what is yielded puts them in their places, in this order.

    What is not put there when the block ends is removed. A crash between two leaves some new and
    the rest old. Raises Ds01Error; the one that is yielded too, for a file that is no longer as it
    was ``before`` and for what cannot be replaced, and then all are as they were.
    """
    changing = [file for file in files if file.content != file.before]
    with ExitStack() as stack:
        written = [stack.enter_context(_aside(file.path, file.content)) for file in changing]

        def commit() -> None:
            require_unchanged(files)
            done: list[Replacement] = []
            try:
                for file, new in zip(changing, written, strict=True):
                    with told(file.path):
                        new.replace(file.path)
                        done.append(file)
                        sync_directory(file.path.parent)
            except BaseException:
                _put_back(done)
                raise

        yield commit


def replace_file(path: Path, text: str) -> None:
    """Replace a file at once: a crash leaves the old one or the new one, never half of one."""
    with _aside(path, text.encode()) as new, told(path):
        new.replace(path)


def create_file(path: Path, text: str) -> None:
    """Write a new file at once, whole or not at all. Raises Ds01Error where anything lies there."""
    refuse_existing(path)
    with _aside(path, text.encode()) as new, told(path):
        try:
            os.link(new, path)
        except FileExistsError:
            refuse_existing(path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            new.replace(path)


def refuse_existing(path: Path) -> None:
    """Raise Ds01Error where anything lies at ``path``, a link to nowhere included."""
    if os.path.lexists(path):
        raise Ds01Error(
            f"{path} exists already, and stays as it is",
            hint=f"mv -T -- {shlex.quote(str(path))} {shlex.quote(f'{path}.old')}, or --force",
        )


def refuse_replacing(path: Path, keep: Iterable[Path] = (), option: str = "-o") -> None:
    """Raise Ds01Error where what lies at ``path`` is a link, no regular file, or one to ``keep``.

    By whatever way that file is reached; ``option`` names another one.
    """
    with told(path):
        try:
            there = path.lstat()
        except FileNotFoundError:
            return
        hint = f"{option} names another file"
        if not stat.S_ISREG(there.st_mode):
            what = "a link" if stat.S_ISLNK(there.st_mode) else "no regular file"
            raise Ds01Error(f"{path} is {what}, and stays as it is", hint=hint)
        for each in keep:
            if each.exists() and each.samefile(path):
                raise Ds01Error(f"{path} is read from, and stays as it is", hint=hint)


def _put_back(done: Sequence[Replacement]) -> None:
    for file in reversed(done):
        with suppress(Ds01Error, OSError):
            if file.before is None:
                file.path.unlink()
                continue
            with aside(file.path, file.before) as old:
                old.replace(file.path)


def require_unchanged(files: Iterable[Replacement]) -> None:
    """Raise Ds01Error where one of ``files`` is no longer as it was ``before``."""
    for file in files:
        _require_unchanged(file)


def _require_unchanged(file: Replacement) -> None:
    try:
        now: bytes | None = file.path.read_bytes()
    except FileNotFoundError:
        now = None
    except OSError as error:
        raise Ds01Error(f"{file.path} cannot be read: {error.strerror}") from error
    if now != file.before:
        raise Ds01Error(
            f"{file.path} was changed by somebody else in the meantime, and stays as it is now",
            hint="give the command again",
        )


@contextmanager
def _aside(path: Path, content: bytes) -> Iterator[Path]:
    """Do as ``aside`` does, in a directory that need not be there yet."""
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with aside(path, content) as new:
        yield new


@contextmanager
def aside(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file beside ``path``, durably, with its permissions; it goes unless it is renamed.

    Raises Ds01Error.
    """
    with told(path):
        _remove_leftovers(path)
        descriptor, new = _temporary(path)
    try:
        with told(path):
            write_all(descriptor, content)
            os.fchmod(descriptor, _mode(path))
            os.fsync(descriptor)
        yield new
    finally:
        with suppress(FileNotFoundError):
            new.unlink()
        os.close(descriptor)


def _temporary(path: Path) -> tuple[int, Path]:
    """Create a private file beside ``path``; the lock says that a process lives which needs it.

    A file system may have no locks: there a leftover stays, since nobody can tell it apart.
    """
    while True:
        new = path.with_name(f".{path.name}-{os.urandom(8).hex()}")
        descriptor = os.open(new, _CREATE, 0o600)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if is_at(descriptor, new):
            return descriptor, new
        os.close(descriptor)  # taken for a leftover between creation and lock


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes of this user have written aside for ``path``."""
    wanted = re.compile(rf"\.{re.escape(path.name)}-[0-9a-f]{{16}}")
    with suppress(OSError):  # a directory that cannot be listed can be written to all the same
        for left in path.parent.iterdir():
            if wanted.fullmatch(left.name) and left.lstat().st_uid == os.geteuid():
                remove_unheld(left)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return _MODE


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a Ds01Error that says that ``path`` cannot be written."""
    try:
        yield
    except OSError as error:
        raise Ds01Error(f"{path} cannot be written: {error.strerror}") from error
