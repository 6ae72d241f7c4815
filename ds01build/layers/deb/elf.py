"""What the loader's cache needs of a shared library: its soname (System V ABI, gABI 4.1)."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.deb.stream import Content

__all__ = ["Library", "library"]

# The names that ldconfig looks at (glibc, elf/dl-is_dso.h).
_NAME = re.compile(r"(?:lib|ld-).*\.so.*|ld\.so\..*|ld64\.so\..*")

_ET_DYN = 3
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_STRTAB, _DT_SONAME = 0, 5, 14
_MAX_SEGMENTS, _MAX_DYNAMIC, _MAX_NAME = 256, 1 << 20, 256

# By class: where e_phoff and e_phnum lie, the program header, the dynamic entry.
_CLASSES = {
    1: (28, "I", 44, "IIIIIIII", "iI"),
    2: (32, "Q", 56, "IIQQQQQQ", "qQ"),
}


class Library(NamedTuple):
    """A shared object: ``bits`` is 32 or 64, ``soname`` empty where it has none."""

    soname: str
    bits: int
    machine: int  # e_machine


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def library(name: str, content: Content) -> Library | None:
    """Return what ``content`` is to the loader; None for everything but a shared object.

    A damaged file is None too: ldconfig passes over it.
    """
    if not _NAME.fullmatch(name) or content.read(0, 4) != b"\x7fELF":
        return None
    try:
        return _library(content)
    except (struct.error, UnicodeDecodeError):
        return None


def _library(content: Content) -> Library | None:
    ident = content.read(0, 16)
    if ident[4] not in _CLASSES or ident[5] not in (1, 2):
        return None
    order = "<" if ident[5] == 1 else ">"
    kind, machine = struct.unpack(f"{order}HH", content.read(16, 4))
    if kind != _ET_DYN:
        return None
    segments = list(_segments(content, order, ident[4]))
    dynamic = list(_dynamic(content, order, ident[4], segments))
    if not dynamic:
        return None
    return Library(_soname(content, segments, dynamic), 32 * ident[4], machine)


def _segments(content: Content, order: str, bits: int) -> Iterator[_Segment]:
    where, word, count_at, layout, _ = _CLASSES[bits]
    size = struct.calcsize(word)
    (offset,) = struct.unpack(order + word, content.read(where, size))
    (count,) = struct.unpack(f"{order}H", content.read(count_at, 2))
    length = struct.calcsize(order + layout)
    for index in range(min(count, _MAX_SEGMENTS)):
        header = struct.unpack(order + layout, content.read(offset + index * length, length))
        if bits == 1:
            kind, start, address, _, filled = header[:5]
        else:
            kind, _, start, address, _, filled = header[:6]
        yield _Segment(kind, start, address, filled)


def _dynamic(
    content: Content, order: str, bits: int, segments: list[_Segment]
) -> Iterator[tuple[int, int]]:
    layout = order + _CLASSES[bits][4]
    for segment in segments:
        if segment.kind == _PT_DYNAMIC:
            table = content.read(segment.offset, min(segment.size, _MAX_DYNAMIC))
            whole = len(table) - len(table) % struct.calcsize(layout)
            for tag, value in struct.iter_unpack(layout, table[:whole]):
                if tag == _DT_NULL:
                    return
                yield tag, value
            return


def _soname(content: Content, segments: list[_Segment], dynamic: list[tuple[int, int]]) -> str:
    entries = dict(reversed(dynamic))  # the first of each tag
    if _DT_SONAME not in entries or _DT_STRTAB not in entries:
        return ""
    strings = entries[_DT_STRTAB]
    for segment in segments:
        if segment.kind == _PT_LOAD and 0 <= strings - segment.address < segment.size:
            strings += segment.offset - segment.address
            break
    return content.read(strings + entries[_DT_SONAME], _MAX_NAME).split(b"\0")[0].decode("ascii")
