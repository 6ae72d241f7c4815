"""Reads what a command in a container prints, piece by piece, as an engine frames it."""

from __future__ import annotations

import struct
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from docker.errors import APIError
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import APIClient
    from requests import Response

__all__ = ["STDERR", "STDOUT", "Frame", "attached", "executed"]

STDOUT, STDERR = 1, 2
_HEAD = struct.Struct(">B3xI")  # channel and size, as "Attach to a container" of the API has them
_PIECE = 1 << 16  # bytes
_CONNECT = 60.0  # seconds; a command may print nothing for hours


class Frame(NamedTuple):
    """Bytes of one channel, STDOUT or STDERR."""

    channel: int
    content: bytes


@contextmanager
def executed(client: APIClient, created: str) -> Iterator[Iterator[Frame]]:
    """Start a command that was created in a running container, and give what it prints.

    docker-py's own streams read from the socket beneath its buffer: of a short command, whose
    output arrives together with the head of the answer, they lose the first bytes or all.
    Raises APIError where the engine refuses; reading raises OSError where it breaks off.
    """
    words = {"Detach": False, "Tty": False}
    with _framed(client, f"exec/{created}/start", json=words) as frames:
        yield frames


@contextmanager
def attached(client: APIClient, container: str) -> Iterator[Iterator[Frame]]:
    """Give what a container will print to standard output; the caller starts it. See above."""
    asked = {"stdout": "1", "stream": "1"}
    with _framed(client, f"containers/{container}/attach", params=asked) as frames:
        yield frames


@contextmanager
def _framed(client: APIClient, path: str, **asked: Mapping[str, Any]) -> Iterator[Iterator[Frame]]:
    url = f"{client.base_url}/v{client.api_version}/{path}"
    answer = client.post(url, stream=True, timeout=(_CONNECT, None), **asked)
    with closing(answer):
        if not answer.ok:
            raise APIError(f"{answer.status_code} {answer.reason}", answer, answer.text)
        yield _frames(answer)


def _frames(answer: Response) -> Iterator[Frame]:
    while head := _read(answer, _HEAD.size):
        channel, left = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
        if channel not in (STDOUT, STDERR):
            raise ConnectionError("it sent what is no output of a command")
        while left:
            content = _read(answer, min(left, _PIECE))
            if not content:
                raise ConnectionError("it broke off while a command was printing")
            left -= len(content)
            yield Frame(channel, content)


def _read(answer: Response, size: int) -> bytes:
    """Return ``size`` bytes, fewer only at the end."""
    try:
        content: bytes = answer.raw.read(size)
    except HTTPError as error:
        raise ConnectionError(str(error)) from error
    return content
