"""A layer's stored stream as the plain bytes of its tar, verified on the way."""

from __future__ import annotations

import hashlib
import io
import sys
import zlib
from gzip import BadGzipFile
from typing import IO, TYPE_CHECKING, cast

from isal import igzip, isal_zlib

from ds01build.errors import MismatchError, RejectedFile

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ds01build.layer import Layer

__all__ = ["DAMAGED", "Plain", "inflated", "plain", "unpacked"]

CHUNK = 1 << 20  # bytes

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
# What reading a stream raises that is damaged.
DAMAGED: tuple[type[Exception], ...] = (
    *(BadGzipFile, EOFError, zlib.error, zstd.ZstdError),
    cast("type[Exception]", isal_zlib.error),
)


class Plain:
    """Chunks of bytes as a stream to read from."""

    __slots__ = ("_chunk", "_chunks", "_place")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._place = 0

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end."""
        end = self._place + size
        if end <= len(self._chunk):
            found = self._chunk[self._place : end]
            self._place = end
            return found
        return b"".join(self._pieces(size))

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes, fewer only at the end."""
        for _ in self._pieces(size):
            pass

    def finish(self) -> None:
        """Pass over what is left, so that the source comes to its end."""
        self._chunk, self._place = b"", 0
        for _ in self._chunks:
            pass

    def _pieces(self, size: int) -> Iterator[memoryview]:
        while size:
            if self._place == len(self._chunk):
                self._chunk, self._place = next(self._chunks, b""), 0
                if not self._chunk:
                    return
            end = min(self._place + size, len(self._chunk))
            size -= end - self._place
            piece = memoryview(self._chunk)[self._place : end]
            self._place = end
            yield piece


def unpacked(layer: Layer, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of the layer's tar, whose stored stream comes in ``chunks``.

    It is gzip, zstd or plain, whatever its media type says. Raises MismatchError for a stream
    that is not the one of its digest or not of its diff_id, which is known at its end; RejectedFile
    for one that is damaged.
    """
    stored, summed = _Stored(layer, chunks), hashlib.sha256()
    for chunk in inflated(layer, stored):
        summed.update(chunk)
        yield chunk
    stored.finish()
    _compare(layer, str(layer.diff_id), f"sha256:{summed.hexdigest()}")


def inflated(layer: Layer, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what ``unpacked`` does, without comparing it: for a reader that does so itself.

    Raises RejectedFile for a stream that is damaged.
    """
    try:
        read: Callable[[int], bytes] = plain(io.BufferedReader(_Stream(chunks), CHUNK)).read
        while chunk := read(CHUNK):
            yield chunk
    except DAMAGED as error:
        raise RejectedFile(name=_named(layer), problem=f"is damaged: {error}") from error


def plain(packed: io.BufferedReader) -> IO[bytes]:
    """Return a stored stream as that of its tar, whatever it is packed with.

    Reading it raises OSError, EOFError and zlib's errors for a stream that is damaged.
    """
    start = packed.peek(4)[:4]
    if start.startswith(_GZIP):
        return cast("IO[bytes]", igzip.open(packed))  # type: ignore[no-untyped-call]
    if start == _ZSTD:
        return cast("IO[bytes]", zstd.open(packed))
    return packed


class _Stream(io.RawIOBase):
    """Chunks as the raw stream that the standard library reads from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__()
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = memoryview(chunk)
        view = memoryview(cast("bytearray", buffer))
        size = min(len(view), len(self._chunk))
        view[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size


class _Stored:
    """The chunks of a stored stream, which have to be those of the layer's digest."""

    def __init__(self, layer: Layer, chunks: Iterable[bytes]) -> None:
        self._layer = layer
        self._chunks = iter(chunks)
        self._summed = hashlib.sha256()
        self._read = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self._summed.update(chunk)
        self._read += len(chunk)
        if self._read > self._layer.size:
            size = f"{self._layer.size} bytes"
            raise MismatchError(where=_named(self._layer), expected=size, actual="more")
        return chunk

    def finish(self) -> None:
        """Read what is left, and raise MismatchError unless the whole is the layer's."""
        for _ in self:
            pass
        _compare(self._layer, str(self._layer.digest), f"sha256:{self._summed.hexdigest()}")


def _compare(layer: Layer, expected: str, actual: str) -> None:
    if actual != expected:
        raise MismatchError(where=_named(layer), expected=expected, actual=actual)


def _named(layer: Layer) -> str:
    return f"layer {layer.digest}"
