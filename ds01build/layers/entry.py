"""The members of a layer before they are a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ds01build.stack import Stat

__all__ = ["Body", "Entry", "Piece", "Source"]


class Piece(NamedTuple):
    """A run of a layer in both of its forms.

    All ``plain`` of a layer in order are its tar, all ``packed`` its gzip stream. Either may be
    empty, and they need not end at the same place.
    """

    plain: bytes
    packed: bytes


Body = Callable[[], Iterator[Piece]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of a layer: what it is, and how to get its content.

    ``path`` has no leading slash and no ``.`` or ``..``; the root is the empty string.
    ``body`` is None unless ``stat.kind`` is ``file`` and ``size`` (bytes) is more than 0; each call
    of it yields the content anew, as whole gzip members, while the file behind it is open.
    """

    path: str
    stat: Stat
    size: int = 0
    body: Body | None = None


class Source(Protocol):
    """Random access to an open file: a blob of the store, or bytes in a test."""

    @property
    def size(self) -> int:
        """Return the length in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer only at the end."""
