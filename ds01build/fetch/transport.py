"""Gets files over https, from an http server where that is allowed, and from file: URLs."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import os
import re
import ssl
import stat
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.exceptions import HTTPError

from ds01build.errors import Unavailable
from ds01build.fetch.transfer import Absent, Interrupted, Refused
from ds01build.location import origin, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.fetch.transfer import Response
    from ds01build.location import Credentials

__all__ = ["HttpTransport", "Proxies", "Settings"]

_WORDS = (
    (exceptions.NameResolutionError, "the host's name can't be resolved"),
    (exceptions.ProxyError, "the proxy doesn't serve"),
    (exceptions.ConnectTimeoutError, "no connection in time"),
    (exceptions.NewConnectionError, "no connection"),
    (exceptions.ReadTimeoutError, "nothing came in time"),
    (exceptions.SSLError, "TLS failed"),
    (exceptions.ProtocolError, "the connection broke"),
    (exceptions.LocationValueError, "not a usable URL"),
)
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_ABSENT = (404, 410)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_PARTIAL = 206
_RECORD = 16 * 1024  # bytes: the most that TLS hands over at once, RFC 8446, 5.1
_OK = 200
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)")  # RFC 9110, 14.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Proxy URLs by the scheme of what is fetched, and the hosts that are reached without."""

    http: str = ""
    https: str = ""
    exempt: tuple[str, ...] = ()  # host, .domain, or *

    def proxy_of(self, url: str) -> str:
        """Return the proxy for ``url``, empty for none."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if _is_loopback(host) or any(_covers(pattern, host) for pattern in self.exempt):
            return ""
        return self.https if parts.scheme == "https" else self.http


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a site decides about its network. Origins are as ``location.origin`` returns them."""

    credentials: Mapping[str, Credentials] = field(default_factory=dict, repr=False)  # by origin
    plain: frozenset[str] = frozenset()  # origins that may be asked over http
    proxies: Proxies = field(default_factory=Proxies, repr=False)
    authorities: str | None = None  # file of CA certificates; None for the system's
    connect: float = 10.0  # seconds
    read: float = 30.0  # seconds without a byte
    connections: int = 16  # kept open for each server


class HttpTransport:
    """A Transport; its connections are kept open for further requests until ``close``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        proxies = {"", settings.proxies.http, settings.proxies.https}
        self._pools = {proxy: _pool(proxy, settings) for proxy in proxies}

    def close(self) -> None:
        """Close the connections that are idle."""
        for pool in self._pools.values():
            pool.clear()

    @contextlib.contextmanager
    def get(self, url: str, offset: int) -> Iterator[Response]:
        """Ask for the file at ``url`` from ``offset`` on; the answer may start earlier.

        A password in the URL, or that of ``settings``, is sent to its own origin only. Raises
        Absent, Interrupted and Refused.
        """
        if url.startswith("file:"):
            with _open_file(url, offset) as body:
                yield body
            return
        response = self._follow(url, offset)
        try:
            yield _body(response, offset)
        except HTTPError as error:
            raise Interrupted(_reason(error)) from error
        finally:
            _finish(response)

    def _follow(self, url: str, offset: int) -> urllib3.BaseHTTPResponse:
        """Return an answer that isn't a redirect."""
        try:
            url, own = split_credentials(url)
            known = dict(self._settings.credentials)
            if own is not None:
                known[origin(url)] = own
            may_be_local = _is_loopback(urlsplit(url).hostname or "")
            for _ in range(_MOST_REDIRECTS + 1):
                self._check_scheme(url, may_be_local=may_be_local)
                response = self._ask(url, offset, known.get(origin(url)))
                if response.status not in _REDIRECTS:
                    return response
                url = _target(url, response)
        except ValueError as error:
            raise Refused(str(error)) from error
        raise Refused(f"more than {_MOST_REDIRECTS} redirects")

    def _check_scheme(self, url: str, *, may_be_local: bool) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if _is_link_local(host):
            raise Refused(f"{redact(url)} is a link-local address")
        allowed = origin(url) in self._settings.plain or (may_be_local and _is_loopback(host))
        if parts.scheme != "https" and not (parts.scheme == "http" and allowed):
            raise Refused(f"{redact(url)} is not https")

    def _ask(
        self, url: str, offset: int, credentials: Credentials | None
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "ds01"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if credentials is not None:
            headers["Authorization"] = _basic(credentials)
        pool = self._pools[self._settings.proxies.proxy_of(url)]
        try:
            return pool.request(
                "GET",
                url,
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


def _basic(credentials: Credentials) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(":".join(credentials).encode()).decode()


@dataclass(frozen=True, slots=True)
class _Body:
    start: int
    size: int | None
    encoding: str
    _response: urllib3.BaseHTTPResponse

    def read(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        while limit:
            piece = self._response.read1(min(limit, _RECORD), decode_content=False)
            pieces.append(piece)
            limit -= len(piece)
            if len(piece) < _RECORD:
                break  # a slow server's bytes are not waited for: its rate must show
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class _File:
    start: int
    size: int
    encoding: str
    _descriptor: int

    def read(self, limit: int) -> bytes:
        return os.read(self._descriptor, limit)


def _body(response: urllib3.BaseHTTPResponse, offset: int) -> Response:
    """Return the body of an answer with a file in it. Raises Absent, Interrupted, Refused."""
    status = response.status
    if status in _ABSENT:
        raise Absent(str(status))
    if status in _PASSING:
        raise Interrupted(f"the server answered {status}", _retry_after(response))
    if status not in (_OK, _PARTIAL):
        raise Refused(f"the server answered {status}")
    start = 0
    if status == _PARTIAL:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        start = int(match[1]) if match else -1
        if start != offset:
            raise Refused("the server answered with another part of the file")
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    return _Body(start, _length(response), "" if encoding == "identity" else encoding, response)


def _length(response: urllib3.BaseHTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    """Return the seconds that the server asks for; a date is taken against its own clock."""
    asked = response.headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return float(asked)
    try:
        then = parsedate_to_datetime(asked)
        now = parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _target(url: str, response: urllib3.BaseHTTPResponse) -> str:
    """Return where a redirect leads, without credentials. Raises ValueError for no URL."""
    location = response.headers.get("Location", "")
    _finish(response)
    return split_credentials(urljoin(url, location))[0]


def _finish(response: urllib3.BaseHTTPResponse) -> None:
    """Keep the connection if the whole body was read, drop it otherwise."""
    if response.length_remaining == 0:
        response.drain_conn()  # marks an empty body as read
    else:
        response.close()
    response.release_conn()


def _reason(error: HTTPError) -> str:
    """Return a few words for an error of urllib3, whose own text can repeat the URL."""
    words = next((text for kind, text in _WORDS if isinstance(error, kind)), "the request failed")
    causes = (*error.args, error.__cause__, error.__context__)
    details = [one.strerror or type(one).__name__ for one in causes if isinstance(one, OSError)]
    return f"{words} ({details[0]})" if details else words


def _pool(proxy: str, settings: Settings) -> urllib3.PoolManager:
    timeout = urllib3.Timeout(connect=settings.connect, read=settings.read)
    if not proxy:
        return urllib3.PoolManager(
            maxsize=settings.connections, timeout=timeout, ca_certs=settings.authorities
        )
    try:
        url, credentials = split_credentials(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError as error:
        raise Unavailable(f"the proxy is not usable: {error}") from error
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unavailable(f"the proxy {redact(url)} is not usable: only http and https are")
    return urllib3.ProxyManager(
        url,
        proxy_headers={"Proxy-Authorization": _basic(credentials)} if credentials else None,
        maxsize=settings.connections,
        timeout=timeout,
        ca_certs=settings.authorities,
    )


@contextlib.contextmanager
def _open_file(url: str, offset: int) -> Iterator[Response]:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise Refused("not an absolute file: URL of this machine")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise Absent(path) from error
    except OSError as error:
        raise Refused(f"it can't be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("it is not a regular file")
        start = os.lseek(descriptor, min(offset, status.st_size), os.SEEK_SET)
        yield _File(start, status.st_size - start, "", descriptor)
    finally:
        os.close(descriptor)


def _covers(pattern: str, host: str) -> bool:
    name = pattern.lower().lstrip(".")
    return pattern == "*" or (bool(name) and (host == name or host.endswith("." + name)))


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_link_local(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_link_local


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
