"""Reads what lies close together at once: a file of a wheel is smaller than what a read costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.layers.entry import Source

__all__ = ["Window"]

_LEAST = 1 << 16  # bytes


class Window:
    """A Source that remembers the last piece it has read of another, for one thread."""

    __slots__ = ("_content", "_source", "_start")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start = 0
        self._content = b""

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self._source.size

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer only at the end."""
        at = offset - self._start
        if at < 0 or at + length > len(self._content):
            self._start, at = offset, 0
            self._content = self._source.read(offset, max(length, _LEAST))
        return self._content[at : at + length]
