"""The plain bytes of a compressed part of a .deb, read forward and bounded."""

from __future__ import annotations

import lzma
import zlib
from typing import TYPE_CHECKING

from ds01build.errors import RejectedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.deb.ar import Part
    from ds01build.layers.entry import Source

__all__ = ["Content", "Stream"]

CHUNK = 1 << 20  # bytes
_READ = 1 << 18
_MEMORY = 1 << 28  # bytes that xz may use: -9 needs 65 MiB
_RATIO = 100  # the most compressible of 1,272 packages of Debian 12: 72
_FREE = 1 << 24
_GZIP = 31  # window bits of zlib for a gzip member


class Content:
    """The bytes of one file, as chunks of 1 MiB."""

    __slots__ = ("chunks", "size")

    def __init__(self, chunks: tuple[bytes, ...]) -> None:
        self.chunks = chunks
        self.size = sum(map(len, chunks))

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``, fewer at the end."""
        first, last = offset // CHUNK, (offset + length - 1) // CHUNK
        start = offset - first * CHUNK
        return b"".join(self.chunks[first : last + 1])[start : start + length]


class Stream:
    """The decompressed bytes of ``part``, for one reader.

    Every method raises RejectedFile when the part is damaged, compressed in another way than xz or
    gzip, or larger than 100 times its compressed size and 16 MiB.
    """

    def __init__(self, source: Source, part: Part, file: str) -> None:
        self._file = file
        self._part = part.name
        self._left = part.size * _RATIO + _FREE
        self._chunks = _plain(source, part, file)
        self._chunk = b""
        self._offset = 0

    def read(self, length: int) -> bytes:
        """Return exactly ``length`` bytes."""
        stop = self._offset + length
        if stop <= len(self._chunk):
            piece = self._chunk[self._offset : stop]
            self._offset = stop
            return piece
        pieces = [self._chunk[self._offset :]]
        missing = stop - len(self._chunk)
        while missing:
            if not self._advance():
                raise self._rejected("is cut short")
            pieces.append(self._chunk[:missing])
            self._offset = len(pieces[-1])
            missing -= self._offset
        return b"".join(pieces)

    def content(self, size: int) -> Content:
        """Return the next ``size`` bytes as a file's content."""
        sizes = [CHUNK] * (size // CHUNK) + [size % CHUNK]
        return Content(tuple(self.read(length) for length in sizes if length))

    def finish(self) -> None:
        """Read to the end; only zeros may be left."""
        rest = self._chunk[self._offset :]
        while not rest.strip(b"\0"):
            if not self._advance():
                return
            rest = self._chunk
        raise self._rejected("bytes follow the end of the archive")

    def _advance(self) -> bool:
        """Go to the next chunk; false at the end."""
        try:
            self._chunk = next(self._chunks, b"")
        except (lzma.LZMAError, zlib.error) as error:
            raise self._rejected(f"cannot be decompressed ({error})") from error
        self._offset = 0
        self._left -= len(self._chunk)
        if self._left < 0:
            raise self._rejected("unpacks to more than 100 times its size")
        return bool(self._chunk)

    def _rejected(self, problem: str) -> RejectedFile:
        return RejectedFile(name=self._file, problem=f"{self._part}: {problem}")


def _plain(source: Source, part: Part, file: str) -> Iterator[bytes]:
    """Yield the plain bytes, none of them empty."""
    end = part.name.rpartition(".tar")[2]
    if end == ".xz":
        return _xz(_packed(source, part), part, file)
    if end == ".gz":
        return _gz(_packed(source, part), part, file)
    raise RejectedFile(name=file, problem=f"{part.name} is not compressed with xz or gzip")


def _packed(source: Source, part: Part) -> Iterator[bytes]:
    end = part.offset + part.size
    for offset in range(part.offset, end, _READ):
        yield source.read(offset, min(_READ, end - offset))


def _xz(packed: Iterator[bytes], part: Part, file: str) -> Iterator[bytes]:
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    for piece in packed:
        if decoder.eof:
            raise _trailing(part, file)
        chunk = decoder.decompress(piece, CHUNK)
        while chunk:
            yield chunk
            chunk = _more(decoder)
    _ended(part, file, eof=decoder.eof, unused=decoder.unused_data)


def _more(decoder: lzma.LZMADecompressor) -> bytes:
    """Return what is left of the input so far; nothing at the end of the stream."""
    return b"" if decoder.eof else decoder.decompress(b"", CHUNK)


def _gz(packed: Iterator[bytes], part: Part, file: str) -> Iterator[bytes]:
    decoder = zlib.decompressobj(_GZIP)
    for piece in packed:
        if decoder.eof:
            raise _trailing(part, file)
        chunk = decoder.decompress(piece, CHUNK)
        while chunk:
            yield chunk
            chunk = decoder.decompress(decoder.unconsumed_tail, CHUNK)
    _ended(part, file, eof=decoder.eof, unused=decoder.unused_data)


def _ended(part: Part, file: str, *, eof: bool, unused: bytes) -> None:
    if not eof:
        raise RejectedFile(name=file, problem=f"{part.name} is cut short")
    if unused:
        raise _trailing(part, file)


def _trailing(part: Part, file: str) -> RejectedFile:
    return RejectedFile(name=file, problem=f"{part.name}: bytes follow the compressed stream")
