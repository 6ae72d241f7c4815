"""What a server answered, and the three ways in which it may have said no."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ds01build.http.asking import Answer

__all__ = [
    "Absent",
    "Interrupted",
    "Refused",
    "Response",
    "body_of",
    "check_kind",
    "check_status",
]

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_ABSENT = (404, 410)
_PARTIAL = 206
_PAGES = ("text/html", "application/xhtml+xml")
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
        raise Interrupted(_answered(status), answer.retry_after, status)
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
