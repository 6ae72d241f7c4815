"""Streams a blob, verified at its end, over as many connections as it takes."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.errors import MismatchError, Unavailable
from ds01build.http.answer import Interrupted
from ds01build.http.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from ds01build.digest import Digest
    from ds01build.http.answer import Response

__all__ = ["BlobReader", "Patience", "pieces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often something is tried, and what waits in between, after who waits was told."""

    pace: Pace = field(default_factory=lambda: Pace(retries=2, longest_delay=30.0))
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = lambda _: None
    hint: str = ""  # of the error after the last attempt
    doubt: str = ""  # the hint where bytes are not those that were promised

    def wait(self, attempt: int, error: Interrupted, what: str) -> None:
        """Wait before the next attempt. Raises Unavailable after the last one."""
        if attempt >= self.pace.retries:
            raise Unavailable(f"cannot read {what}: {error.reason}", hint=self.hint) from error
        delay = self.pace.delay(attempt, error.retry_after)
        self.tell(f"{what}: {error.reason}; once more in {math.ceil(delay)} s")
        self.sleep(delay)


class BlobReader:
    """The bytes of a blob from an offset on, as a file that is read forwards."""

    def __init__(self, content: Generator[bytes, None, None]) -> None:
        self._content = content
        self._rest = memoryview(b"")

    def read(self, limit: int = -1) -> bytes:
        """Return the next bytes, at most ``limit`` unless that is negative; none at the end.

        The last bytes come only when the whole is as its address promises. Raises MismatchError,
        and Unavailable for a registry that doesn't serve.
        """
        if limit < 0:
            return b"".join((self._rest, *self._content))
        while limit and not self._rest:
            piece = next(self._content, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:limit], self._rest[limit:]
        return bytes(taken)

    def close(self) -> None:
        """End the transfer; nothing is left to be read."""
        self._content.close()
        self._rest = memoryview(b"")


@dataclass(slots=True)
class _Progress:
    """What has come of a blob so far."""

    name: str
    digest: Digest
    size: int
    offset: int
    position: int
    seen: hashlib._Hash
    doubt: str

    def add(self, piece: bytes) -> None:
        """Count ``piece``. Raises MismatchError for a byte too many, or a wrong whole."""
        self.position += len(piece)
        if self.position > self.size:
            raise self.mismatch(f"{self.size} bytes", f"more than {self.size} bytes")
        self.seen.update(piece)
        actual = f"sha256:{self.seen.hexdigest()}"
        if self.position == self.size and not self.offset and actual != self.digest.value:
            raise self.mismatch(self.digest.value, actual)

    def mismatch(self, expected: str, actual: str) -> MismatchError:
        return MismatchError(where=self.name, expected=expected, actual=actual, hint=self.doubt)


def pieces(
    get: Callable[[int], AbstractContextManager[Response]],
    *,
    digest: Digest,
    size: int,
    offset: int,
    name: str,
    patience: Patience,
) -> Generator[bytes, None, None]:
    """Yield a blob from ``offset`` on; after an interruption ``get`` is asked for the rest.

    Of a blob from its start the digest is verified, otherwise its length alone.
    """
    progress = _Progress(name, digest, size, offset, offset, hashlib.sha256(), patience.doubt)
    attempt = 0
    while True:
        try:
            yield from _attempt(get, progress, patience.pace)
        except Interrupted as error:  # noqa: PERF203  (each round asks a server)
            patience.wait(attempt, error, name)
            attempt += 1
        else:
            return


def _attempt(
    get: Callable[[int], AbstractContextManager[Response]], progress: _Progress, pace: Pace
) -> Generator[bytes, None, None]:
    with get(progress.position) as response:
        if response.size is not None and response.start + response.size != progress.size:
            actual = f"{response.start + response.size} bytes"
            raise progress.mismatch(f"{progress.size} bytes", actual)
        surplus = progress.position - response.start
        for chunk in pace.chunks(response.read):
            piece = chunk[surplus:]
            surplus = max(0, surplus - len(chunk))
            progress.add(piece)
            yield piece
    if progress.position < progress.size:
        raise Interrupted(f"the connection ended after {progress.position} bytes")
