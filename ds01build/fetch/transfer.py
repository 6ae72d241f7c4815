"""What fetching asks of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ds01build.errors import Unavailable
from ds01build.http.answer import Absent, Interrupted, Refused
from ds01build.location import redact

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ds01build.http.answer import Response

__all__ = ["Transport", "remote_size"]


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
