"""The tars of layers that were made just now, kept for an engine that is about to take them.

The store has a layer packed. To unpack all that was packed a moment ago took a sixth of the CPU
time of a build, while an engine waited for it. Losing a spool costs that time and nothing else.
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from ds01build.digest import DiffId

__all__ = ["Spools", "no_spool"]

_MOST = 2 << 30  # bytes of all spools
_CHUNK = 1 << 20  # bytes


@final
class Spools:
    """Files without a name in ``directory``, by the layers whose tars they have.

    A context manager that closes them all. Each can be taken once; called from any thread.
    ``room`` are the bytes that the file system can spare.
    """

    def __init__(self, directory: Path, room: int = _MOST) -> None:
        self._directory = directory
        self._room = min(room, _MOST)
        self._lock = threading.Lock()
        self._kept: dict[DiffId, IO[bytes]] = {}
        self._size = 0

    def __enter__(self) -> Spools:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            for file in self._kept.values():
                file.close()
            self._kept.clear()

    @contextmanager
    def open(self) -> Iterator[Spool]:
        """Give a new spool, which is dropped unless it is kept."""
        spool = Spool(self, _nameless(self._directory))
        try:
            yield spool
        finally:
            spool.drop()

    def take(self, diff_id: DiffId) -> Iterator[bytes] | None:
        """Return the tar of a layer in pieces, or None where it was not kept or was taken."""
        with self._lock:
            file = self._kept.pop(diff_id, None)
        return None if file is None else self._read(file)

    def _read(self, file: IO[bytes]) -> Iterator[bytes]:
        size = 0
        with file:
            while piece := os.pread(file.fileno(), _CHUNK, size):
                size += len(piece)
                yield piece
        self.grow(-size)

    def grow(self, size: int) -> bool:
        """Count bytes that are written, and say whether there is room for them."""
        with self._lock:
            self._size += size
            return self._size <= self._room

    def keep(self, diff_id: DiffId, file: IO[bytes]) -> None:
        """Keep a file for who takes the layer."""
        with self._lock:
            earlier = self._kept.pop(diff_id, None)
            self._kept[diff_id] = file
        if earlier is not None:
            self.grow(-os.fstat(earlier.fileno()).st_size)
            earlier.close()


@final
class Spool:
    """The tar of a layer that is being made. What can't be written is not kept, and no error."""

    def __init__(self, spools: Spools, file: IO[bytes] | None) -> None:
        self._file = file
        self._spools = spools
        self._size = 0

    def write(self, content: bytes) -> None:
        """Add to the tar."""
        if self._file is None:
            return
        self._size += len(content)
        try:
            if not self._spools.grow(len(content)) or self._file.write(content) != len(content):
                self.drop()
        except OSError:
            self.drop()

    def keep(self, diff_id: DiffId) -> None:
        """Keep the tar: it is complete, and that of the layer."""
        if self._file is not None:
            self._spools.keep(diff_id, self._file)
            self._file = None

    def drop(self) -> None:
        """Forget what was written, unless it is kept."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._spools.grow(-self._size)


@contextmanager
def no_spool() -> Iterator[Spool]:
    """Give a spool that keeps nothing, where no engine is going to take the layers."""
    yield Spool(Spools(Path()), None)


def _nameless(directory: Path) -> IO[bytes] | None:
    try:
        return tempfile.TemporaryFile(dir=directory, buffering=0)
    except OSError:
        return None
