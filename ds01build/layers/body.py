"""Bodies of entries: a wheel's own packed bytes, verified while they pass, and bytes in memory."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from isal import igzip_lib, isal_zlib

from ds01build.errors import RejectedFile
from ds01build.layers import gzip
from ds01build.layers.entry import Piece
from ds01build.layers.zip import STORED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Body, Source
    from ds01build.layers.zip import Member

__all__ = ["Packed", "in_memory", "read", "start", "stream"]

_READ = 1 << 18  # bytes at once, packed
_WRITE = 1 << 20  # bytes at once, plain


class Packed(NamedTuple):
    """A file in a wheel, and the sha256 (hex) that its bytes must have; "" where none is known."""

    source: Source
    wheel: str  # file name, for messages
    member: Member
    content: str


def in_memory(plain: bytes) -> Body:
    """Return a body of bytes that were made here."""
    return partial(_stored, plain)


def _stored(plain: bytes) -> Iterator[Piece]:
    yield Piece(plain, gzip.stored(plain))


def read(packed: Packed, limit: int) -> bytes:
    """Return the plain bytes of a file of at most ``limit`` bytes, verified as by ``stream``."""
    if packed.member.size > limit:
        raise _rejected(packed, f"has {packed.member.size} bytes, more than {limit}")
    return b"".join(piece.plain for piece in stream(packed))


def start(packed: Packed, length: int) -> bytes:
    """Return at most ``length`` plain bytes of the beginning, not verified."""
    content = packed.source.read(packed.member.offset, min(packed.member.packed, _READ))
    if packed.member.method == STORED:
        return content[:length]
    return _inflate(packed, _decompressor(), content, length)


def stream(packed: Packed) -> Iterator[Piece]:
    """Yield a file's bytes as one gzip member, made of the deflate stream that the wheel has.

    Raises RejectedFile unless the stream ends where the zip says and gives the size, the CRC32 and
    the sha256 that were promised. What can be read at once is verified before any of it is seen.
    """
    if packed.member.method == STORED:
        return _stream_stored(packed)
    if packed.member.packed <= _READ and packed.member.size < _WRITE:
        return _stream_at_once(packed)
    return _stream_in_pieces(packed)


def _stream_at_once(packed: Packed) -> Iterator[Piece]:
    member = packed.member
    inflater = _decompressor()
    content = packed.source.read(member.offset, member.packed)
    plain = _inflate(packed, inflater, content, member.size + 1)
    _check_end(packed, inflater, len(plain))
    crc = isal_zlib.crc32(plain)
    _check_content(packed, crc, hashlib.sha256(plain).hexdigest() if packed.content else "")
    yield Piece(plain, b"".join((gzip.HEADER, content, gzip.trailer(crc, len(plain)))))


def _stream_in_pieces(packed: Packed) -> Iterator[Piece]:
    member = packed.member
    inflater, content, crc, size = _decompressor(), hashlib.sha256(), 0, 0
    yield Piece(b"", gzip.HEADER)
    for chunk in _chunks(packed):
        for plain, passed in _inflated(packed, inflater, chunk, member.size - size):
            size += len(plain)
            crc = isal_zlib.crc32(plain, crc)
            content.update(plain)
            yield Piece(plain, passed)
    _check_end(packed, inflater, size)
    _check_content(packed, crc, content.hexdigest())
    yield Piece(b"", gzip.trailer(crc, size))


def _stream_stored(packed: Packed) -> Iterator[Piece]:
    content, crc = hashlib.sha256(), 0
    for chunk in _chunks(packed):
        crc = isal_zlib.crc32(chunk, crc)
        content.update(chunk)
        yield Piece(chunk, gzip.stored(chunk))
    _check_content(packed, crc, content.hexdigest())


def _chunks(packed: Packed) -> Iterator[bytes]:
    """Yield the packed bytes. Raises RejectedFile when the file is shorter than it was."""
    at, end = packed.member.offset, packed.member.offset + packed.member.packed
    while at < end:
        chunk = packed.source.read(at, min(_READ, end - at))
        if not chunk:
            raise _rejected(packed, "is cut short")
        at += len(chunk)
        yield chunk


def _inflated(
    packed: Packed, inflater: igzip_lib.IgzipDecompressor, chunk: bytes, left: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield what ``chunk`` unpacks to in bounded pieces; the first comes with the chunk itself."""
    passed = chunk
    while True:
        if inflater.eof and chunk:
            raise _rejected(packed, "has bytes behind its deflate stream")
        plain = _inflate(packed, inflater, chunk, min(_WRITE, left + 1))
        left -= len(plain)
        if left < 0:
            raise _rejected(packed, "unpacks to more bytes than the zip says")
        yield plain, passed
        if inflater.eof or inflater.needs_input:
            return
        chunk = passed = b""


def _decompressor() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)


def _inflate(
    packed: Packed, inflater: igzip_lib.IgzipDecompressor, content: bytes, limit: int
) -> bytes:
    try:
        return inflater.decompress(content, limit)
    except igzip_lib.error as error:  # type: ignore[misc]  # the stub has a value, not a class
        raise _rejected(packed, "is not a valid deflate stream") from error


def _check_end(packed: Packed, inflater: igzip_lib.IgzipDecompressor, size: int) -> None:
    if size > packed.member.size:
        raise _rejected(packed, "unpacks to more bytes than the zip says")
    if not inflater.eof:
        raise _rejected(packed, "has no end of its deflate stream")
    if inflater.unused_data:
        raise _rejected(packed, "has bytes behind its deflate stream")
    if size != packed.member.size:
        raise _rejected(packed, "unpacks to fewer bytes than the zip says")


def _check_content(packed: Packed, crc: int, content: str) -> None:
    if crc != packed.member.crc:
        raise _rejected(packed, "does not have the CRC32 that the zip says")
    if packed.content and content != packed.content:
        raise _rejected(packed, "does not have the sha256 that RECORD says")


def _rejected(packed: Packed, problem: str) -> RejectedFile:
    return RejectedFile(name=packed.wheel, problem=f"{packed.member.name!r:.100} {problem}")
