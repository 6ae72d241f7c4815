"""Short questions to an engine over its unix socket, with http.client alone.

For the build that changes nothing, which has no time to load a client.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["UnixConnection", "has"]

_PATIENCE = 5.0  # seconds; a busy engine answers in milliseconds
_LIMIT = 4 << 20  # bytes of an answer
_ADDRESS = re.compile(r"sha256:[0-9a-f]{64}")


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to the unix socket at ``path``."""

    def __init__(self, path: Path, timeout: float = _PATIENCE) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect, in place of the connection over TCP that the base class makes."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def has(path: Path, tag: str, ids: Collection[str]) -> bool:
    """Say whether ``tag`` stands for one of the image ``ids`` in the engine at that socket.

    False where the engine does not answer, or says something else than an engine would.
    """
    connection = UnixConnection(path)
    try:
        connection.request("GET", f"/images/{quote(tag, safe='/:')}/json")
        answer = connection.getresponse()
        body = answer.read(_LIMIT + 1)
        if answer.status != http.client.OK or len(body) > _LIMIT:
            return False
        document: object = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return False
    finally:
        connection.close()
    found = document.get("Id") if isinstance(document, dict) else None
    return isinstance(found, str) and _address(found) in map(_address, ids)


def _address(text: str) -> str:
    """Return an id with its algorithm, which Podman leaves out; empty if it is none."""
    full = text if text.startswith("sha256:") else f"sha256:{text}"
    return full if _ADDRESS.fullmatch(full) else ""
