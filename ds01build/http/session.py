"""Asks servers over https, and over http where that is allowed; follows where they lead."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from ds01build.http.answer import Refused
from ds01build.http.settings import check_scheme, is_near, proxy_address
from ds01build.location import origin, split_credentials
from ds01build.once import once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.http.asking import Answer, Connections
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
        """Raise Unavailable for a proxy that is none. The first request opens connections."""
        for proxy in filter(None, (settings.proxies.http, settings.proxies.https)):
            proxy_address(proxy)
        self.settings = settings
        self._connections = once(lambda: _connections(settings))

    def prepare(self) -> None:
        """Do what the first request would have to do before it asks: it takes some 60 ms."""
        self._connections().prepare()

    def close(self) -> None:
        """Close the connections that are idle."""
        self._connections().close()

    @contextlib.contextmanager
    def ask(self, request: Request) -> Iterator[Answer]:
        """Give the answer that isn't a redirect; whatever its status is.

        At most 5 redirects are followed, and none of a POST. A password in the URL, or that of the
        settings, is sent to its own origin only. Raises Interrupted and Refused.
        """
        try:
            answer = self._follow(request)
        except ValueError as error:
            raise Refused(str(error)) from error
        try:
            yield answer
        finally:
            answer.finish()

    def _follow(self, request: Request) -> Answer:
        url, own = split_credentials(request.url)
        authorizations = {
            place: basic(credentials) for place, credentials in self.settings.credentials.items()
        }
        if request.authorization or own is not None:
            authorizations[origin(url)] = request.authorization or basic(own or ("", ""))
        from_near = is_near(url)
        for _ in range(_MOST_REDIRECTS + 1):
            check_scheme(url, self.settings, from_near=from_near)
            answer = self._send(url, request, authorizations.get(origin(url), ""))
            if answer.status not in _REDIRECTS or request.body is not None:
                return answer
            url = _target(url, answer)
        raise Refused(f"more than {_MOST_REDIRECTS} redirects")

    def _send(self, url: str, request: Request, authorization: str) -> Answer:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "ds01"}
        headers.update(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        return self._connections().ask(url, request, headers)


def basic(credentials: Credentials) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(":".join(credentials).encode()).decode()


def _target(url: str, answer: Answer) -> str:
    """Return where a redirect leads, without credentials. Raises ValueError for no URL."""
    location = answer.header("Location")
    answer.finish()
    return split_credentials(urljoin(url, location))[0]


def _connections(settings: Settings) -> Connections:
    from ds01build.http.asking import Connections

    return Connections(settings)
