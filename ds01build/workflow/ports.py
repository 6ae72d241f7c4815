"""Ports of this machine, where programs in containers are reached."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

from ds01build.container.labels import port_of
from ds01build.engine import containers
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.engine.api import Engine

__all__ = ["ANY", "free_port", "port_for", "require_usable"]

ANY = 0  # stands for a port that is free
_PRIVILEGED = 1024  # those below are root's
# Below those that Linux gives to whoever asks for any: one of these is still free when a container
# starts.
_RANGE = range(10_000, 32_768)
_TRIES = 200


def port_for(wanted: int, engine: Engine, besides: str = "") -> int:
    """Return a port that no container has, ``wanted`` itself unless that is ANY.

    That of the container ``besides`` does not count, which goes. Raises Ds01Error.
    """
    taken = {
        port: row.name
        for row in containers.rows(engine, "ds01.port")
        if (port := port_of(row.labels)) and row.name != besides
    }
    if wanted == ANY:
        return free_port(taken, random.SystemRandom().sample(_RANGE, _TRIES))
    return _checked(wanted, taken)


def require_usable(port: int) -> None:
    """Raise Ds01Error for a port that is never a user's."""
    if not _PRIVILEGED <= port < 2**16:
        raise Ds01Error(
            f"port {port} is none that a user may have: those are {_PRIVILEGED} to 65535",
            hint="--port 0 chooses a free one",
        )


def _checked(port: int, taken: Mapping[int, str]) -> int:
    require_usable(port)
    if port in taken:
        raise Ds01Error(
            f"the container {taken[port]} has port {port}", hint="--port 0 chooses a free one"
        )
    if not _is_free(port):
        raise Ds01Error(
            f"something on this machine listens at port {port}",
            hint=f"--port 0 chooses a free one; ss -ltn 'sport = :{port}' shows it",
        )
    return port


def free_port(taken: Iterable[int], tried: Iterable[int]) -> int:
    """Return the first port of ``tried`` that nobody has. Raises Ds01Error where all are taken."""
    known = frozenset(taken)
    found = next((port for port in tried if port not in known and _is_free(port)), None)
    if found is None:
        raise Ds01Error("no free port is found on this machine", hint="ss -ltn shows who listens")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as made:
        try:
            made.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
