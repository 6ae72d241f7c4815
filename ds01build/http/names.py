"""Connections for which the name of a server is looked up once, by one thread at a time.

Resolvers drop some of many questions that come at once, and the C library then waits for 5 seconds
before it asks again: measured with 16 connections to one server, in every cold build.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

if TYPE_CHECKING:
    from ds01build.http.trust import Trust

__all__ = ["Names", "pools"]


@final
class Names:
    """The addresses of servers, as the system gave them when it was first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], tuple[str, ...]] = {}

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of ``host``, at least one. Raises socket.gaierror."""
        with self._lock:
            if (host, port) not in self._known:
                self._known[host, port] = _look_up(host, port)
            return self._known[host, port]

    def forget(self, host: str, port: int) -> None:
        """Ask the system again the next time: nothing answers at what it said."""
        with self._lock:
            self._known.pop((host, port), None)


def pools(names: Names, trust: Trust) -> dict[str, type]:
    """Return pools, by the scheme of URLs, whose connections share ``names`` and ``trust``."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, names)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            self.ssl_context = trust.context()  # or urllib3 makes one for each connection
            super().connect()

        def _new_conn(self) -> socket.socket:
            return _connected(self, names)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _look_up(host: str, port: int) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, "it has no address")
    return addresses


def _connected(connection: HTTPConnection, names: Names) -> socket.socket:
    """Connect to the first address that answers, and raise what urllib3 raises where none does."""
    host, port = connection.host, connection.port
    try:
        addresses = names.addresses(host.strip("[]"), port)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return _opened(connection, address)
    try:
        return _opened(connection, addresses[-1])
    except OSError as error:
        names.forget(host.strip("[]"), port)
        if isinstance(error, TimeoutError):
            reason = f"Connection to {host} timed out. (connect timeout={connection.timeout})"
            raise ConnectTimeoutError(connection, reason) from error
        reason = f"Failed to establish a new connection: {error}"
        raise NewConnectionError(connection, reason) from error


def _opened(connection: HTTPConnection, address: str) -> socket.socket:
    return create_connection(
        (address, connection.port),
        connection.timeout,
        source_address=connection.source_address,
        socket_options=connection.socket_options,
    )
