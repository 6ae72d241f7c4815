"""The local headers of a zip: one before each file, saying again what the directory says."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.layers.entry import Source

__all__ = ["DEFLATED", "STORED", "ZIP64", "Record", "check", "fields"]

STORED, DEFLATED = 0, 8
ZIP64 = 0x0001
_UNICODE_PATH = 0x7075  # another name for the same file

_SATURATED = b"\xff" * 4
_HEADER = 30  # bytes, before name and extra fields: 4.3.7
_LONGEST = _HEADER + 2 * 0xFFFF


class Record(NamedTuple):
    """One entry of the central directory. ``header`` is the offset of its local header.

    ``twice`` is the run of fields that a local header has in the same form: flags, method, time,
    date, CRC32, both sizes, and the length of the name.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    header: int
    raw: bytes  # the name, undecoded
    twice: bytes


def check(source: Source, records: Sequence[Record], end: int) -> list[int]:
    """Return where the packed bytes of each of ``records`` begin.

    Raises ValueError unless local headers and packed bytes fill the file from its start to
    ``end``, and every local header says what the central directory says.
    """
    offsets = [0] * len(records)
    order = sorted(range(len(records)), key=lambda index: records[index].header)
    if not order:
        raise ValueError("has no files")
    if records[order[0]].header:
        raise ValueError("has bytes before its first file")
    following = [records[index].header for index in order[1:]]
    for index, until in zip(order, [*following, end], strict=True):
        record = records[index]
        length = until - record.header - record.packed
        if length < _HEADER + len(record.raw):
            raise ValueError(f"{record.name!r:.100} overlaps what follows it")
        if length > _LONGEST:
            raise ValueError(f"there are bytes behind {record.name!r:.100} that belong to no file")
        _check_header(source.read(record.header, length), record)
        offsets[index] = record.header + length
    return offsets


def _check_header(header: bytes, record: Record) -> None:
    """Raise ValueError unless ``header`` is the local header of ``record`` and no more."""
    name_end = _HEADER + len(record.raw)
    if header[:4] != b"PK\x03\x04":
        raise ValueError(f"{record.name!r:.100} is not where the directory says")
    if header[_HEADER:name_end] != record.raw:
        raise ValueError(f"header and directory disagree about the name {record.name!r:.100}")
    extra_length = header[28] | header[29] << 8
    if len(header) != name_end + extra_length:
        raise ValueError(f"there are bytes behind {record.name!r:.100} that belong to no file")
    if extra_length or header[6:28] != record.twice:
        _check_wide(header, header[name_end:], record)


def _check_wide(header: bytes, extra: bytes, record: Record) -> None:
    """Raise ValueError unless a header agrees with the directory, its sizes perhaps in zip64."""
    wide = fields(extra, record.name).get(ZIP64)
    sizes, twice = header[18:26], record.twice
    same = header[6:18] + header[26:28] == twice[:12] + twice[20:]
    if _SATURATED in (sizes[:4], sizes[4:]) or wide is not None:
        same = same and wide == struct.pack("<QQ", record.size, record.packed)
        same = same and sizes in (twice[12:20], 2 * _SATURATED)
    elif sizes != twice[12:20]:
        same = False
    if not same:
        raise ValueError(f"header and directory disagree about {record.name!r:.100}")


def fields(extra: bytes, name: str) -> dict[int, bytes]:
    """Return extra fields by their ids (4.5.1). Raises ValueError for a second name."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(extra):
        kind = int.from_bytes(extra[at : at + 2], "little")
        length = int.from_bytes(extra[at + 2 : at + 4], "little")
        start, at = at + 4, at + 4 + length
        if at > len(extra) or kind in found:
            raise ValueError(f"{name!r:.100} has malformed extra fields")
        found[kind] = extra[start:at]
    if _UNICODE_PATH in found:
        raise ValueError(f"{name!r:.100} has a second name")
    return found
