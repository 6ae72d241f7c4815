"""Reads the layers of built images as any other tool does: inflated by gzip, as a tar."""

from __future__ import annotations

import subprocess
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path
    from typing import IO


class Searched:
    """Reads a file and notes which of ``words`` come by, also across two reads."""

    def __init__(self, file: IO[bytes], words: Collection[bytes]) -> None:
        self.found: set[bytes] = set()
        self._file = file
        self._words = words
        self._overlap = max(map(len, words))
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        window = self._last + chunk
        self.found.update(word for word in self._words if word in window)
        self._last = window[-self._overlap :]
        return chunk


def contents(layer: Path, words: Sequence[bytes]) -> tuple[list[tarfile.TarInfo], set[bytes]]:
    """Return the members of a layer, and which of ``words`` are anywhere in its inflated bytes."""
    with subprocess.Popen(["gzip", "-dc", str(layer)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        searched = Searched(process.stdout, words)
        with tarfile.open(fileobj=searched, mode="r|", bufsize=1 << 20) as archive:  # type: ignore[call-overload]
            members = list(archive)
        while searched.read(1 << 20):  # what comes after the end of the tar
            pass
    assert process.returncode == 0
    return members, searched.found
