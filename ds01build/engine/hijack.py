"""A connection that an engine hands over to a command in a container: bytes go both ways.

docker-py gives the socket beneath a buffer, in which the first bytes of a quick command stay; so
the request is made here, and what came with the head of the answer is given, too.
"""

from __future__ import annotations

import json
import re
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ds01build.engine.api import asking, shown
from ds01build.engine.unix import UnixConnection
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from ds01build.engine.api import Engine

__all__ = ["hijacked"]

_PATIENCE = 60.0  # seconds until the engine says that it starts the command
_END = b"\r\n\r\n"
_LIMIT = 1 << 16  # bytes of a head, or of an answer that is none
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,5})\r\n", re.IGNORECASE)
_TAKEN = (101, 200)  # engines of today, and of before


@contextmanager
def hijacked(
    engine: Engine, path: str, body: Mapping[str, Any], what: str
) -> Iterator[tuple[socket.socket, bytes]]:
    """Give the socket that the engine gives for a request, and the first bytes that came.

    It is closed at the end of the block. Raises Ds01Error with what the engine objects to, and
    Unavailable.
    """
    with closing(_connection(engine)) as connection:
        with asking(engine.place, what):
            connection.request(
                "POST",
                f"/v{engine.client.api_version}/{path}",
                json.dumps(body),
                {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"},
            )
            head, first = _head(connection.sock)
            status = _STATUS.match(head)
            if status is None or int(status[1]) not in _TAKEN:
                said = _said(connection.sock, head, first)
                raise Ds01Error(f"the engine at {engine.place}, asked {what}, says: {said}")
            connection.sock.settimeout(None)
        yield connection.sock, first


def _connection(engine: Engine) -> HTTPConnection:
    if engine.place.startswith("/"):
        return UnixConnection(Path(engine.place), timeout=_PATIENCE)
    url = urlsplit(str(engine.client.base_url))
    if url.scheme != "http" or url.hostname is None:
        raise Ds01Error(
            f"the engine at {engine.place} is behind TLS, over which ds01 opens no shell",
            hint="ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST &"
            " export DOCKER_HOST=unix:///tmp/docker.sock",
        )
    return HTTPConnection(url.hostname, url.port, timeout=_PATIENCE)


def _head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head of an answer, and what came with it. Raises OSError for none."""
    content = b""
    while _END not in content:
        more = connection.recv(_LIMIT)
        if not more or len(content) > _LIMIT:
            raise ConnectionError("it gave no answer")
        content += more
    head, _, first = content.partition(_END)
    return head + b"\r\n", first


def _said(connection: socket.socket, head: bytes, first: bytes) -> str:
    """Return what an answer says that is a refusal."""
    length = _LENGTH.search(head)
    expected = min(int(length[1]), _LIMIT) if length else 0
    while len(first) < expected and (more := connection.recv(_LIMIT)):
        first += more
    try:
        document: object = json.loads(first)
    except (ValueError, RecursionError):
        document = None
    message = document.get("message") if isinstance(document, dict) else None
    return shown(str(message or head.decode(errors="replace").partition("\r\n")[0]))
