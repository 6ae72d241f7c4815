"""From entries to a layer: the tar that its diff_id is of, and the gzip stream that is stored.

Two ways. ``splice`` takes bodies that bring their own gzip members and compresses nothing;
``compress`` takes plain bodies and makes every member itself.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import deflate
from isal import isal_zlib

from ds01build.errors import Ds01Error, MismatchError
from ds01build.layers import gzip, tar
from ds01build.layers.entry import Piece
from ds01build.versions import COMPRESSOR, DEFLATE, LEVEL, WRITER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.layers.entry import Entry

__all__ = ["COMPRESSOR", "WRITER", "batched", "compress", "splice"]

_CHUNK = 1 << 20  # bytes of tar in one member of compress()
_BATCH = 1 << 19  # bytes, plain and packed together
_HEADERS = 4096  # bytes of headers after which splice() ends their member


def splice(entries: Iterable[Entry]) -> Iterator[Piece]:
    """Yield a layer whose bodies stay as they are packed.

    What lies between two bodies (padding and headers) becomes one small member. Raises
    MismatchError when a body is not as long as its entry says.
    """
    pending = b""
    for entry in entries:
        pending += tar.entry_header(entry)
        if entry.size:
            yield Piece(pending, gzip.small(pending))
            yield from _counted(entry)
            pending = tar.padding(entry.size)
        elif len(pending) >= _HEADERS:
            yield Piece(pending, gzip.small(pending))
            pending = b""
    pending += tar.END
    yield Piece(pending, gzip.small(pending))


def compress(entries: Iterable[Entry]) -> Iterator[Piece]:
    """Yield a layer whose bodies are plain bytes, as members of 1 MiB of tar each.

    Raises MismatchError when a body is not as long as its entry says, and Ds01Error when the
    compressor is not the one that COMPRESSOR names.
    """
    _check_compressor()
    parts: list[bytes] = []
    room = _CHUNK
    for plain in _plain(entries):
        rest = plain
        while len(rest) >= room:
            yield _member(b"".join((*parts, rest[:room])))
            rest = rest[room:]
            parts, room = [], _CHUNK
        parts.append(rest)
        room -= len(rest)
    if room < _CHUNK:
        yield _member(b"".join(parts))


def batched(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the same layer in fewer pieces: each costs whoever hashes and writes it the same."""
    plains: list[bytes] = []
    packs: list[bytes] = []
    size = 0
    for plain, packed in pieces:
        plains.append(plain)
        packs.append(packed)
        size += len(plain) + len(packed)
        if size >= _BATCH:
            yield Piece(b"".join(plains), b"".join(packs))
            plains, packs, size = [], [], 0
    yield Piece(b"".join(plains), b"".join(packs))


def _plain(entries: Iterable[Entry]) -> Iterator[bytes]:
    for entry in entries:
        yield tar.entry_header(entry)
        for piece in _counted(entry):
            yield piece.plain
        yield tar.padding(entry.size)
    yield tar.END


def _member(plain: bytes) -> Piece:
    packed = deflate.deflate_compress(plain, LEVEL)
    end = gzip.trailer(isal_zlib.crc32(plain), len(plain))
    return Piece(plain, b"".join((gzip.HEADER, packed, end)))


def _counted(entry: Entry) -> Iterator[Piece]:
    """Yield the body, and raise MismatchError unless its size is the one in the header."""
    left = entry.size
    for piece in entry.body() if entry.body and left else ():
        left -= len(piece.plain)
        yield piece
    if left:
        raise MismatchError(
            where=f"/{entry.path}",
            expected=f"{entry.size} bytes",
            actual=f"{entry.size - left}",
        )


@cache
def _check_compressor() -> None:
    if deflate.__version__ != DEFLATE:
        raise Ds01Error(
            f"deflate {deflate.__version__} is installed, and layers need {DEFLATE}: "
            "another version may give other bytes",
            hint=f"pip install deflate=={DEFLATE}",
        )
