"""A strict zip reader for wheels (APPNOTE.TXT 6.3.10): one that no other reader can disagree with.

What it accepts is a plain sequence of files, the central directory, and the end record: no gaps,
nothing before or behind, every field that is written twice equal, every name once.
"""

from __future__ import annotations

import stat
import struct
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import RejectedFile
from ds01build.layers import zip_end, zip_local, zip_names
from ds01build.layers.zip_local import DEFLATED, STORED, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.layers.entry import Source

__all__ = ["DEFLATED", "STORED", "Member", "read_directory"]

_ENTRY = struct.Struct("<4sHHHHHHLLLHHHHHLL")  # 4.3.12
_SATURATED = 0xFFFFFFFF
_RATIO = 200  # plain bytes for one packed byte; 2.7 is usual
_ALLOWANCE = 1 << 20  # plain bytes, for small wheels

_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
_FLAGS = 0x806  # how hard deflate tried, and UTF-8


class Member(NamedTuple):
    """One file of a wheel. ``offset`` is where its packed bytes begin."""

    name: str
    method: int  # STORED or DEFLATED
    crc: int
    packed: int  # bytes
    size: int  # bytes, unpacked
    mode: int  # as Unix has it; 0 where the writer gave none
    offset: int


def read_directory(source: Source, name: str) -> tuple[Member, ...]:
    """Return the files of a wheel in the order of its central directory.

    Directory entries are checked and left out: the files imply them. Raises RejectedFile, with
    ``name``, for anything that two readers could take in two ways, for links and devices, for
    names that could leave a directory, and for a zip that grows beyond 200 times its size.
    """
    try:
        where = zip_end.find(source)
        content = source.read(where.offset, where.size)
        records = list(_records(content, where.entries))
        zip_names.check_together([record.name for record in records])
        _check_size(records, source.size)
        offsets = zip_local.check(source, records, where.offset)
    except ValueError as error:
        raise RejectedFile(name=name, problem=str(error)) from error
    return tuple(
        Member(r.name, r.method, r.crc, r.packed, r.size, r.mode, offset)
        for r, offset in zip(records, offsets, strict=True)
        if not r.name.endswith("/")
    )


def _records(content: bytes, count: int) -> Iterator[Record]:
    """Yield the entries of a central directory. Raises ValueError unless it is exactly that."""
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(content) or content[at : at + 4] != b"PK\x01\x02":
            raise ValueError("its central directory is cut short")
        record, at = _record(content, at)
        yield record
    if at != len(content):
        raise ValueError("its central directory has more entries than the end record says")


def _record(content: bytes, at: int) -> tuple[Record, int]:
    """Return the entry that begins at ``at``, and where the next one does."""
    (
        _, _, _, flags, method, _, _, crc, packed, size,
        name_length, extra_length, comment_length, disk, _, attributes, header,
    ) = _ENTRY.unpack_from(content, at)  # fmt: skip
    start = at + _ENTRY.size
    middle = start + name_length
    end = middle + extra_length
    raw = content[start:middle]
    if len(raw) != name_length or end + comment_length > len(content):
        raise ValueError("its central directory is cut short")
    name = zip_names.parse(raw, utf8=bool(flags & _UTF8))
    if extra_length:
        packed, size, header = _wide(content[middle:end], name, (packed, size, header))
    record = Record(
        name, method, crc, packed, size, attributes >> 16, header, raw, content[at + 8 : at + 30]
    )
    _check_entry(record, flags, comment_length, disk)
    return record, end


def _check_entry(record: Record, flags: int, comment_length: int, disk: int) -> None:
    """Raise ValueError for an entry of a kind that wheels don't have."""
    if flags & ~_FLAGS:
        raise ValueError(f"{record.name!r:.100} {_flaw(flags)}")
    if comment_length:
        raise ValueError(f"{record.name!r:.100} has a comment")
    if disk:
        raise ValueError(f"{record.name!r:.100} is on another disk")
    if record.method not in (STORED, DEFLATED):
        raise ValueError(f"{record.name!r:.100} is packed with method {record.method}")
    if record.method == STORED and record.packed != record.size:
        raise ValueError(f"{record.name!r:.100} is stored, and has two sizes")
    _check_kind(record)


def _check_kind(record: Record) -> None:
    kind = stat.S_IFMT(record.mode)
    if record.name.endswith("/"):
        if kind not in (0, stat.S_IFDIR) or record.packed or record.size:
            raise ValueError(f"{record.name!r:.100} is named as a directory, and is none")
    elif kind == stat.S_IFLNK:
        raise ValueError(f"{record.name!r:.100} is a symbolic link")
    elif kind not in (0, stat.S_IFREG):
        raise ValueError(f"{record.name!r:.100} is not a regular file")


def _flaw(flags: int) -> str:
    if flags & _ENCRYPTED:
        return "is encrypted"
    if flags & _DESCRIPTOR:
        return "has its size behind its bytes (a data descriptor)"
    return f"has the flags {flags:#06x}"


def _wide(extra: bytes, name: str, narrow: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return packed size, size and offset with those taken from zip64 that have no room (4.5.3)."""
    wide = zip_local.fields(extra, name).get(zip_local.ZIP64, b"")
    packed, size, header = narrow
    saturated = [value == _SATURATED for value in (size, packed, header)]
    if len(wide) != 8 * sum(saturated):
        raise ValueError(f"{name!r:.100} has a zip64 field that does not fit its entry")
    values = iter(struct.unpack(f"<{len(wide) // 8}Q", wide))
    size, packed, header = (
        next(values) if full else value
        for full, value in zip(saturated, (size, packed, header), strict=True)
    )
    return packed, size, header


def _check_size(records: Sequence[Record], packed: int) -> None:
    total = sum(record.size for record in records)
    limit = _RATIO * packed + _ALLOWANCE
    if total > limit:
        raise ValueError(f"unpacks to {total} bytes, more than the {limit} of a zip of its size")
