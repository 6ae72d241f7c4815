"""What a server answered, and the three ways in which it may have said no."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from urllib3 import exceptions
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3

__all__ = [
    "Absent",
    "Answer",
    "Interrupted",
    "Refused",
    "Response",
    "body_of",
    "check_kind",
    "check_status",
    "finish",
    "reason_of",
]

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_WORDS = (
    (exceptions.NameResolutionError, "the host's name can't be resolved"),
    (exceptions.ProxyError, "the proxy doesn't serve"),
    (exceptions.NewConnectionError, "no connection"),  # a kind of the next, to urllib3
    (exceptions.ConnectTimeoutError, "no connection in time"),
    (exceptions.ReadTimeoutError, "nothing came in time"),
    (exceptions.SSLError, "TLS failed"),
    (exceptions.ProtocolError, "the connection broke"),
    (exceptions.LocationValueError, "not a usable URL"),
)
_ABSENT = (404, 410)
_PARTIAL = 206
_PAGES = ("text/html", "application/xhtml+xml")
_RECORD = 16 * 1024  # bytes: the most that TLS hands over at once, RFC 8446, 5.1
_OK = 200
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)")  # RFC 9110, 14.4


class Absent(Exception):
    """The server answered, and has no such file."""


@dataclass(eq=False)
class Interrupted(Exception):
    """The transfer failed in a way that may pass; the server may say when to come back."""

    reason: str
    retry_after: float | None = None  # seconds
    status: int = 0  # that the server answered, 0 where it did not


@dataclass(eq=False)
class Refused(Exception):
    """The transfer failed in a way that trying again doesn't change."""

    reason: str


class Response(Protocol):
    """The body of an answer, as it comes in."""

    @property
    def start(self) -> int:
        """Return the offset in the file of the body's first byte."""

    @property
    def size(self) -> int | None:
        """Return the number of bytes that the body should have, if the server said so."""

    @property
    def encoding(self) -> str:
        """Return the content coding that the server applied, empty for none."""

    def read(self, limit: int) -> bytes:
        """Return the next bytes, at most ``limit``, none at the end. Raises Interrupted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers, and a body that comes in as it is read."""

    _response: urllib3.BaseHTTPResponse

    @property
    def status(self) -> int:
        """Return the status code."""
        return self._response.status

    def header(self, name: str) -> str:
        """Return a header, empty where the server sent none; several as one list (RFC 9110)."""
        return self._response.headers.get(name, "")

    @property
    def size(self) -> int | None:
        """Return the number of bytes that the body should have, if the server said so."""
        length = self.header("Content-Length")
        return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None

    def read(self, limit: int) -> bytes:
        """Return the next bytes, at most ``limit``, none at the end. Raises Interrupted."""
        pieces: list[bytes] = []
        with _broken():
            while limit:
                piece = self._response.read1(min(limit, _RECORD), decode_content=False)
                pieces.append(piece)
                limit -= len(piece)
                if len(piece) < _RECORD:
                    break  # a slow server's bytes are not waited for: its rate must show
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class _Body:
    start: int
    size: int | None
    encoding: str
    _answer: Answer

    def read(self, limit: int) -> bytes:
        return self._answer.read(limit)


def body_of(answer: Answer, offset: int) -> Response:
    """Return the body of an answer with a file in it. Raises Absent, Interrupted, Refused."""
    check_status(answer)
    start = 0
    if answer.status == _PARTIAL:
        match = _RANGE.fullmatch(answer.header("Content-Range"))
        start = int(match[1]) if match else -1
        if start != offset:
            raise Refused("the server answered with another part of the file")
    encoding = answer.header("Content-Encoding").strip().lower()
    return _Body(start, answer.size, "" if encoding == "identity" else encoding, answer)


def check_status(answer: Answer) -> None:
    """Check that the server gives what was asked for. Raises Absent, Interrupted, Refused."""
    status = answer.status
    if status in _ABSENT:
        raise Absent(str(status))
    if status in _PASSING:
        raise Interrupted(_answered(status), _retry_after(answer), status)
    if status not in (_OK, _PARTIAL):
        raise Refused(_answered(status))


def _answered(status: int) -> str:
    phrases = {int(each): f" ({each.phrase})" for each in HTTPStatus}
    return f"the server answered {status}{phrases.get(status, '')}"


def check_kind(answer: Answer) -> None:
    """Check that what was asked for is not a page for people, which no registry has.

    A network that wants a login first answers so in the place of everybody. Raises Refused.
    """
    kind = answer.header("Content-Type").partition(";")[0].strip().lower()
    if answer.status in (_OK, _PARTIAL) and kind in _PAGES:
        raise Refused("a web page came instead: does this network want a login first?")


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds that the server asks for; a date is taken against its own clock."""
    asked = answer.header("Retry-After")
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return float(asked)
    try:
        then = parsedate_to_datetime(asked)
        now = parsedate_to_datetime(answer.header("Date"))
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError):
        return None


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    """Turn what urllib3 raises into Interrupted."""
    try:
        yield
    except HTTPError as error:
        raise Interrupted(reason_of(error)) from error


def reason_of(error: HTTPError) -> str:
    """Return a few words for an error of urllib3, whose own text can repeat the URL."""
    words = next((text for kind, text in _WORDS if isinstance(error, kind)), "the request failed")
    causes = (*error.args, error.__cause__, error.__context__)
    details = [one.strerror or type(one).__name__ for one in causes if isinstance(one, OSError)]
    return f"{words} ({details[0]})" if details else words


def finish(response: urllib3.BaseHTTPResponse) -> None:
    """Keep the connection if the whole body was read, drop it otherwise."""
    if response.length_remaining == 0:
        response.drain_conn()  # marks an empty body as read
    else:
        response.close()
    response.release_conn()
