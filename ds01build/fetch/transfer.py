"""What fetching asks of a network, and the three ways in which it may say no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ds01build.errors import Unavailable
from ds01build.location import redact

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["Absent", "Interrupted", "Refused", "Response", "Transport", "remote_size"]


class Absent(Exception):
    """The server answered, and has no such file."""


@dataclass(eq=False)
class Interrupted(Exception):
    """The transfer failed in a way that may pass; the server may say when to come back."""

    reason: str
    retry_after: float | None = None  # seconds


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


class Transport(Protocol):
    """Gets files from elsewhere."""

    def get(self, url: str, offset: int) -> AbstractContextManager[Response]:
        """Ask for a file from ``offset`` on; the answer may start earlier.

        Raises Absent, Interrupted and Refused.
        """


def remote_size(transport: Transport, url: str) -> int:
    """Return the size in bytes of the file at ``url``, as its server says.

    Raises Unavailable where it does not.
    """
    try:
        with transport.get(url, 0) as response:
            if response.size is not None:
                return response.size
    except (Absent, Interrupted, Refused) as error:
        raise Unavailable(f"{redact(url)} cannot be reached") from error
    raise Unavailable(f"the server of {redact(url)} does not say how long the file is")
