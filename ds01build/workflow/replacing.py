"""Replaces files, several of them together or none: each is written aside first, then renamed."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.store.durable import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Replacement", "replace_file", "staged"]

_MODE = 0o644  # of a file that is not there yet


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
        asides = [stack.enter_context(_aside(file.path, file.content)) for file in changing]

        def commit() -> None:
            for file in files:
                _require_unchanged(file)
            done: list[Replacement] = []
            try:
                for file, aside in zip(changing, asides, strict=True):
                    with _told(file.path):
                        aside.replace(file.path)
                        done.append(file)
                        sync_directory(file.path.parent)
            except BaseException:
                _put_back(done)
                raise

        yield commit


def replace_file(path: Path, text: str) -> None:
    """Replace a file at once: a crash leaves the old one or the new one, never half of one."""
    with _aside(path, text.encode()) as aside, _told(path):
        aside.replace(path)


def _put_back(done: Sequence[Replacement]) -> None:
    for file in reversed(done):
        with suppress(Ds01Error, OSError):
            if file.before is None:
                file.path.unlink()
                continue
            with _aside(file.path, file.before) as aside:
                aside.replace(file.path)


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
    """Write a file beside ``path``, durably, with its permissions; it goes unless it is renamed."""
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    aside = Path(name)
    try:
        with _told(path), os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, _mode(path))
            os.fsync(descriptor)
        yield aside
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return _MODE


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Ds01Error(f"{path} cannot be written: {error.strerror}") from error
