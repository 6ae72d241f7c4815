"""The members of a layer before they are a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ds01build.stack import Stat

__all__ = ["Attributes", "Body", "Entry", "Piece", "Source", "marked"]


class Piece(NamedTuple):
    """A run of a layer in both of its forms.

    All ``plain`` of a layer in order are its tar, all ``packed`` its gzip stream. Either may be
    empty, and they need not end at the same place.
    """

    plain: bytes
    packed: bytes


Body = Callable[[], Iterator[Piece]]
Attributes = tuple[tuple[str, bytes], ...]  # extended attributes by name, sorted


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of a layer: what it is, and how to get its content.

    ``path`` has no leading slash and no ``.`` or ``..``; the root is the empty string.
    ``body`` is None unless ``stat.kind`` is ``file`` and ``size`` (bytes) is more than 0; each call
    of it yields the content anew, as whole gzip members, while the file behind it is open.
    ``mtime`` is in seconds since 1970; None is the constant of all native layers.
    """

    path: str
    stat: Stat
    size: int = 0
    body: Body | None = None
    mtime: int | None = None
    xattrs: Attributes = ()


def marked(content: str, xattrs: Attributes) -> str:
    """Return the ``content`` of a Stat with extended attributes: their sha256 after a plus sign.

    So two layers that agree on a file's bytes and not on its capabilities do not commute.
    """
    if not xattrs:
        return content
    summed = hashlib.sha256()
    for name, value in xattrs:
        summed.update(b"%d %d %b%b" % (len(name.encode()), len(value), name.encode(), value))
    return f"{content}+{summed.hexdigest()}"


class Source(Protocol):
    """Random access to an open file: a blob of the store, or bytes in a test."""

    @property
    def size(self) -> int:
        """Return the length in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer only at the end."""
