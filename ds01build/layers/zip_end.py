"""The end of a zip: where its central directory is (APPNOTE.TXT 4.3.14 to 4.3.16)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ds01build.layers.entry import Source

__all__ = ["Extent", "find"]

_END = struct.Struct("<4sHHHHLLH")
_LOCATOR = struct.Struct("<4sLQL")
_WIDE_END = struct.Struct("<4sQHHLLQQQQ")
_TAIL = _WIDE_END.size + _LOCATOR.size + _END.size

_COMMENT = 0xFFFF  # bytes, the longest
_ENTRIES = 200_000
_DIRECTORY = 64 << 20  # bytes


class Extent(NamedTuple):
    """Where a central directory is, in bytes, and how many entries it has."""

    offset: int
    size: int
    entries: int


def find(source: Source) -> Extent:
    """Return where the central directory is.

    Raises ValueError when it does not end where the end records begin, or they do not end where
    the file does, and for more than 200,000 entries or 64 MiB.
    """
    tail = source.read(max(source.size - _TAIL, 0), min(_TAIL, source.size))
    if len(tail) < _END.size or tail[-_END.size :][:4] != b"PK\x05\x06" or tail[-2:] != b"\0\0":
        raise ValueError(_what_is_there(source))
    extent, records = _narrow(tail)
    if len(tail) == _TAIL and tail[-_END.size - _LOCATOR.size :][:4] == b"PK\x06\x07":
        extent, records = _wide(tail, extent, source.size)
    if extent.entries > _ENTRIES or extent.size > _DIRECTORY:
        raise ValueError(f"has {extent.entries} entries in {extent.size} bytes, more than is sane")
    if extent.offset + extent.size + records != source.size:
        raise ValueError("its central directory is not where its end record says")
    return extent


def _what_is_there(source: Source) -> str:
    length = min(source.size, _END.size + _COMMENT)
    tail = source.read(source.size - length, length)
    if 0 <= tail.rfind(b"PK\x05\x06") <= length - _END.size:
        return "has a comment, or bytes behind its end record"
    return "is not a zip file, or is cut short"


def _narrow(tail: bytes) -> tuple[Extent, int]:
    """Return what the end record says, and how many bytes the end takes."""
    _, disk, first, here, count, size, offset, _ = _END.unpack(tail[-_END.size :])
    if disk or first or here != count:
        raise ValueError("is one of several disks")
    return Extent(offset, size, count), _END.size


def _wide(tail: bytes, narrow: Extent, length: int) -> tuple[Extent, int]:
    """Return what the zip64 end record says; the narrow one must agree where it has room."""
    _, disk, at, disks = _LOCATOR.unpack(tail[-_END.size - _LOCATOR.size : -_END.size])
    if at != length - _TAIL or disk or disks != 1:
        raise ValueError("its zip64 end record is not where its locator says")
    signature, size_of, _, _, disk, first, here, count, size, offset = _WIDE_END.unpack(
        tail[: _WIDE_END.size]
    )
    if signature != b"PK\x06\x06" or size_of != _WIDE_END.size - 12:
        raise ValueError("its zip64 end record is not where its locator says")
    if disk or first or here != count:
        raise ValueError("is one of several disks")
    wide = Extent(offset, size, count)
    rooms = (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFF)
    if any(n not in (w, room) for n, w, room in zip(narrow, wide, rooms, strict=True)):
        raise ValueError("its two end records disagree")
    return wide, _TAIL
