"""Fetches blobs into a store: in parallel, proved before they are visible.

Two processes that want the same files share the work: a file that another one is fetching goes to
the end of the line, and is there when its turn comes again.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ds01build.digest import Digest, Key
from ds01build.errors import Ds01Error, MismatchError, Unavailable
from ds01build.http.answer import Absent, Interrupted, Refused
from ds01build.http.pace import Pace
from ds01build.location import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from ds01build.fetch.transfer import Transport
    from ds01build.http.answer import Response

__all__ = [
    "Blobs",
    "Download",
    "Event",
    "Finished",
    "NotThere",
    "Pace",
    "Received",
    "Retrying",
    "Waiting",
    "fetch",
]

_LARGE = 64 << 20  # bytes of a file that takes one connection longer than others take for many
_POLL = 0.05  # seconds between looks whether another process is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that is wanted, and where it may be; ``name`` is for messages."""

    digest: Digest
    size: int  # bytes
    urls: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Received:
    """Some bytes of a download have come in."""

    download: Download
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Retrying:
    """A download was interrupted and goes on in ``seconds``."""

    download: Download
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another process is fetching the file."""

    download: Download
    holder: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The file is in the store; ``fetched`` is 0 where somebody else brought it there."""

    download: Download
    fetched: int  # bytes


Event = Received | Retrying | Waiting | Finished


@dataclass(eq=False)
class NotThere(Ds01Error):
    """None of the places that should have these files has them."""

    message: str = ""
    downloads: tuple[Download, ...] = ()

    def __str__(self) -> str:
        return f"not found: {', '.join(download.name for download in self.downloads)}"


class _Sink(Protocol):
    @property
    def size(self) -> int: ...
    def write(self, content: bytes | memoryview) -> None: ...
    def commit(self) -> tuple[Digest, int]: ...


class Blobs(Protocol):
    """What fetching needs of a store."""

    def renew(self, digest: Digest, size: int | None = None) -> bool:
        """Say whether a blob is there, and keep it from being removed while it is used."""

    def writer(
        self, expected: Digest | None = None, expected_size: int | None = None, *, name: str = ""
    ) -> AbstractContextManager[_Sink]:
        """Open a blob for writing, which must turn out as expected."""

    def lock(self, key: Key, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold the lock of ``key``; ``on_wait`` may raise to give up."""


def fetch(
    downloads: Iterable[Download],
    *,
    store: Blobs,
    transport: Transport,
    report: Callable[[Event], None],
    connections: int = 16,
    pace: Pace | None = None,
) -> Generator[Download, None, None]:
    """Yield each download as soon as it is durable in ``store``; those that are there come first.

    Large files are begun first, the largest before others, and then the rest as it was given.
    ``report`` is called from other threads, one call at a time. Closing the generator ends the
    transfers. Raises MismatchError for bytes that aren't what was locked, Unavailable for a network
    or server that fails, and NotThere for files that are missing, once all others were fetched.
    """
    line = _Line(store=store, transport=transport, report=report, pace=pace or Pace())
    for download in sorted(downloads, key=lambda one: -one.size if one.size >= _LARGE else 0):
        if store.renew(download.digest, download.size):
            line.tell(Finished(download, 0))
            yield download
        else:
            line.pending.append(download)
    yield from _run(line, connections)


def _run(line: _Line, connections: int) -> Generator[Download, None, None]:
    total = len(line.pending)
    threads = [
        threading.Thread(target=line.work, name=f"fetch-{number}", daemon=True)
        for number in range(min(connections, total))
    ]
    missing: list[Download] = []
    try:
        for thread in threads:
            thread.start()
        for _ in range(total):
            outcome = line.outcomes.get()
            if isinstance(outcome, Download):
                yield outcome
            elif isinstance(outcome, NotThere):
                missing.extend(outcome.downloads)
            else:
                raise outcome
    finally:
        line.stop.set()
        for thread in threads:
            thread.join(_POLL)  # a stalled read ends by itself; its blob is never visible
    if missing:
        raise NotThere(downloads=tuple(sorted(missing, key=lambda one: one.name)))


class _Stopped(Exception):
    """Nobody waits for the downloads any more."""


class _Busy(Exception):
    """Another process is fetching this file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The downloads in order, and what its workers share."""

    store: Blobs
    transport: Transport
    report: Callable[[Event], None]
    pace: Pace
    pending: deque[Download] = field(default_factory=deque)
    outcomes: queue.SimpleQueue[Download | BaseException] = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)
    telling: threading.Lock = field(default_factory=threading.Lock)
    announced: set[Digest] = field(default_factory=set)

    def tell(self, event: Event) -> None:
        with self.telling:
            self.report(event)

    def work(self) -> None:
        """Fetch what is pending, until nothing is or somebody says stop."""
        while not self.stop.is_set():
            try:
                download = self.pending.popleft()
            except IndexError:
                return
            try:
                self.outcomes.put(self._fetch(download))
            except _Busy:
                self.pending.append(download)
                self.stop.wait(_POLL)
            except _Stopped:
                return
            except BaseException as error:  # noqa: BLE001 (carried to the thread that asked)
                self.outcomes.put(error)

    def _fetch(self, download: Download) -> Download:
        key = Key.of({"fetch": download.digest.value})
        with self.store.lock(key, lambda holder: self._give_way(download, holder)):
            there = self.store.renew(download.digest, download.size)
            if not there:
                self._from_anywhere(download)
        self.tell(Finished(download, 0 if there else download.size))
        return download

    def _give_way(self, download: Download, holder: str) -> None:
        if download.digest not in self.announced:
            self.announced.add(download.digest)
            self.tell(Waiting(download, holder))
        raise _Busy

    def _from_anywhere(self, download: Download) -> None:
        failure: Ds01Error = NotThere(downloads=(download,))
        for url in download.urls:
            problem = self._problem(download, url)
            if problem is None:
                return
            if not isinstance(problem, NotThere):
                failure = problem
        raise failure

    def _problem(self, download: Download, url: str) -> Ds01Error | None:
        """Fetch from one place, or return why that failed."""
        try:
            self._from(download, url)
        except Absent:
            return NotThere(downloads=(download,))
        except (Unavailable, MismatchError) as error:
            return error
        return None

    def _from(self, download: Download, url: str) -> None:
        """Fetch from one place; once more as a whole if pieces didn't fit together."""
        starts: list[int] = []
        try:
            self._receive(download, url, starts)
        except MismatchError:
            if not any(starts):
                raise
            self._receive(download, url, [])

    def _receive(self, download: Download, url: str, starts: list[int]) -> None:
        with self.store.writer(download.digest, download.size, name=download.name) as writer:
            for attempt in range(self.pace.retries + 1):
                try:
                    self._stream(download, url, writer, starts)
                    break
                except Refused as error:
                    raise _unavailable(download, url, error.reason) from error
                except Interrupted as error:
                    self._wait(download, url, error, attempt)
            writer.commit()

    def _stream(self, download: Download, url: str, writer: _Sink, starts: list[int]) -> None:
        offset = writer.size
        with self.transport.get(url, offset) as response:
            _check_answer(download, response)
            starts.append(response.start)
            surplus = offset - response.start
            for chunk in self._chunks(response):
                new = chunk[surplus:]
                surplus = max(0, surplus - len(chunk))
                writer.write(new)
                self.tell(Received(download, len(new)))
        if writer.size < download.size:
            raise Interrupted(f"the connection ended after {writer.size} bytes")

    def _chunks(self, response: Response) -> Generator[bytes, None, None]:
        """Yield the body, as long as it comes fast enough and somebody waits for it."""
        for chunk in self.pace.chunks(response.read):
            if self.stop.is_set():
                raise _Stopped
            yield chunk

    def _wait(self, download: Download, url: str, error: Interrupted, attempt: int) -> None:
        if attempt == self.pace.retries:
            raise _unavailable(download, url, error.reason) from error
        delay = self.pace.delay(attempt, error.retry_after)
        self.tell(Retrying(download, error.reason, delay))
        if self.stop.wait(delay):
            raise _Stopped


def _check_answer(download: Download, response: Response) -> None:
    if response.size is None or response.start + response.size == download.size:
        return
    if response.encoding:
        raise Refused(f"the server sent it with Content-Encoding {response.encoding!r:.40}")
    raise MismatchError(
        where=download.name,
        expected=f"{download.size} bytes",
        actual=f"{response.start + response.size} bytes",
    )


def _unavailable(download: Download, url: str, reason: str) -> Unavailable:
    return Unavailable(f"cannot download {download.name} from {redact(url)}: {reason}")
