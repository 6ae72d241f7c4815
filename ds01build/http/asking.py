"""Asks servers with urllib3, which takes 40 ms to import: who asks nobody does without."""

from __future__ import annotations

import contextlib
import re
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import urllib3
from urllib3 import exceptions
from urllib3.exceptions import HTTPError

from ds01build.http.answer import Interrupted, Refused
from ds01build.http.names import Names, pools
from ds01build.http.session import basic
from ds01build.http.settings import proxy_address
from ds01build.http.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.http.session import Request
    from ds01build.http.settings import Settings

__all__ = ["Answer", "Connections"]

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
_RECORD = 16 * 1024  # bytes: the most that TLS hands over at once, RFC 8446, 5.1


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

    @property
    def retry_after(self) -> float | None:
        """Return the seconds that the server asks for; a date is taken against its own clock."""
        asked = self.header("Retry-After")
        if re.fullmatch(r"[0-9]{1,9}", asked):
            return float(asked)
        try:
            then = parsedate_to_datetime(asked)
            now = parsedate_to_datetime(self.header("Date"))
            return max(0.0, (then - now).total_seconds())
        except (TypeError, ValueError):
            return None

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

    def finish(self) -> None:
        """Keep the connection if the whole body was read, drop it otherwise."""
        if self._response.length_remaining == 0:
            self._response.drain_conn()  # marks an empty body as read
        else:
            self._response.close()
        self._response.release_conn()


class Connections:
    """Connections to servers, kept open for further requests until ``close``."""

    def __init__(self, settings: Settings) -> None:
        self._proxies = settings.proxies
        proxies = {"", settings.proxies.http, settings.proxies.https}
        self._trust = Trust(settings.authorities)
        kinds = pools(Names(), self._trust)
        self._pools = {proxy: _pool(proxy, settings, self._trust) for proxy in proxies}
        for pool in self._pools.values():
            pool.pool_classes_by_scheme = kinds

    def prepare(self) -> None:
        """Read the certificates of authorities. Raises OSError."""
        self._trust.context()

    def close(self) -> None:
        """Close the connections that are idle."""
        for pool in self._pools.values():
            pool.clear()

    def ask(self, url: str, request: Request, headers: Mapping[str, str]) -> Answer:
        """Ask ``url`` as ``request`` says, and return the answer, which may be a redirect.

        Raises Interrupted and Refused.
        """
        pool = self._pools[self._proxies.proxy_of(url)]
        try:
            response = pool.request(
                request.method,
                url,
                body=request.body,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            cause = error.args[0] if error.args else None
            lasting = (ssl.SSLCertVerificationError, exceptions.LocationValueError)
            if isinstance(error, lasting) or isinstance(cause, lasting):
                raise Refused(_reason(error)) from error
            raise Interrupted(_reason(error)) from error
        return Answer(response)


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    """Turn what urllib3 raises into Interrupted."""
    try:
        yield
    except HTTPError as error:
        raise Interrupted(_reason(error)) from error


def _reason(error: HTTPError) -> str:
    """Return a few words for an error of urllib3, whose own text can repeat the URL."""
    words = next((text for kind, text in _WORDS if isinstance(error, kind)), "the request failed")
    causes = (*error.args, error.__cause__, error.__context__)
    details = [one.strerror or type(one).__name__ for one in causes if isinstance(one, OSError)]
    return f"{words} ({details[0]})" if details else words


def _pool(proxy: str, settings: Settings, trust: Trust) -> urllib3.PoolManager:
    timeout = urllib3.Timeout(connect=settings.connect, read=settings.read)
    if not proxy:
        return urllib3.PoolManager(maxsize=settings.connections, timeout=timeout)
    url, credentials = proxy_address(proxy)
    return urllib3.ProxyManager(
        url,
        proxy_headers={"Proxy-Authorization": basic(credentials)} if credentials else None,
        maxsize=settings.connections,
        timeout=timeout,
        proxy_ssl_context=trust.context() if url.startswith("https:") else None,
    )
