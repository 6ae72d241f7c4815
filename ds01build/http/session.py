"""Asks servers over https, and over http where that is allowed; follows where they lead."""

from __future__ import annotations

import base64
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.exceptions import HTTPError

from ds01build.errors import Unavailable
from ds01build.http.answer import Answer, Interrupted, Refused, finish, reason_of
from ds01build.http.names import Names, pools
from ds01build.http.settings import check_scheme, is_near
from ds01build.http.trust import Trust
from ds01build.location import origin, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.http.settings import Settings
    from ds01build.location import Credentials

__all__ = ["Request", "Session", "basic"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, and as whom: ``authorization`` goes to the URL's own origin only."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str = field(default="", repr=False)
    body: bytes | None = field(default=None, repr=False)


class Session:
    """Connections to servers, kept open for further requests until ``close``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        proxies = {"", settings.proxies.http, settings.proxies.https}
        trust = Trust(settings.authorities)
        kinds = pools(Names(), trust)
        self._pools = {proxy: _pool(proxy, settings, trust) for proxy in proxies}
        for pool in self._pools.values():
            pool.pool_classes_by_scheme = kinds

    def close(self) -> None:
        """Close the connections that are idle."""
        for pool in self._pools.values():
            pool.clear()

    @contextlib.contextmanager
    def ask(self, request: Request) -> Iterator[Answer]:
        """Give the answer that isn't a redirect; whatever its status is.

        At most 5 redirects are followed, and none of a POST. A password in the URL, or that of the
        settings, is sent to its own origin only. Raises Interrupted and Refused.
        """
        try:
            response = self._follow(request)
        except ValueError as error:
            raise Refused(str(error)) from error
        try:
            yield Answer(response)
        finally:
            finish(response)

    def _follow(self, request: Request) -> urllib3.BaseHTTPResponse:
        url, own = split_credentials(request.url)
        authorizations = {
            place: basic(credentials) for place, credentials in self.settings.credentials.items()
        }
        if request.authorization or own is not None:
            authorizations[origin(url)] = request.authorization or basic(own or ("", ""))
        from_near = is_near(url)
        for _ in range(_MOST_REDIRECTS + 1):
            check_scheme(url, self.settings, from_near=from_near)
            response = self._send(url, request, authorizations.get(origin(url), ""))
            if response.status not in _REDIRECTS or request.body is not None:
                return response
            url = _target(url, response)
        raise Refused(f"more than {_MOST_REDIRECTS} redirects")

    def _send(self, url: str, request: Request, authorization: str) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "ds01"}
        headers.update(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        pool = self._pools[self.settings.proxies.proxy_of(url)]
        try:
            return pool.request(
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
                raise Refused(reason_of(error)) from error
            raise Interrupted(reason_of(error)) from error


def basic(credentials: Credentials) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(":".join(credentials).encode()).decode()


def _target(url: str, response: urllib3.BaseHTTPResponse) -> str:
    """Return where a redirect leads, without credentials. Raises ValueError for no URL."""
    location = response.headers.get("Location", "")
    finish(response)
    return split_credentials(urljoin(url, location))[0]


def _pool(proxy: str, settings: Settings, trust: Trust) -> urllib3.PoolManager:
    timeout = urllib3.Timeout(connect=settings.connect, read=settings.read)
    if not proxy:
        return urllib3.PoolManager(maxsize=settings.connections, timeout=timeout)
    try:
        url, credentials = split_credentials(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError as error:
        raise Unavailable(f"the proxy is not usable: {error}") from error
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unavailable(f"the proxy {redact(url)} is not usable: only http and https are")
    return urllib3.ProxyManager(
        url,
        proxy_headers={"Proxy-Authorization": basic(credentials)} if credentials else None,
        maxsize=settings.connections,
        timeout=timeout,
        proxy_ssl_context=trust.context() if url.startswith("https:") else None,
    )
