"""What a site decides about its network, and which addresses are near."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ds01build.errors import Unavailable
from ds01build.location import origin, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.location import Credentials

__all__ = ["Proxies", "Settings", "check_scheme", "is_loopback", "is_near", "proxy_address"]


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
        if is_loopback(host) or any(_covers(pattern, host) for pattern in self.exempt):
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


def proxy_address(proxy: str) -> tuple[str, Credentials | None]:
    """Return the URL of a proxy, and who one is to it. Raises Unavailable for what is none."""
    try:
        url, credentials = split_credentials(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError as error:
        raise Unavailable(f"the proxy is not usable: {error}") from error
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unavailable(f"the proxy {redact(url)} is not usable: only http and https are")
    return url, credentials


def check_scheme(url: str, settings: Settings, *, from_near: bool) -> None:
    """Check that ``url`` may be asked: https, or http where allowed; never a link-local address.

    ``from_near`` says that who leads there is on this machine. Raises ValueError.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    address = _address(host)
    if address is not None and address.is_link_local:
        raise ValueError(f"{redact(url)} is a link-local address")
    allowed = origin(url) in settings.plain or (from_near and is_loopback(host))
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed):
        raise ValueError(f"{redact(url)} is not https")


def is_near(url: str) -> bool:
    """Say whether ``url`` names this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    """Say whether ``host`` is a name or address of the loopback interface."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _covers(pattern: str, host: str) -> bool:
    name = pattern.lower().lstrip(".")
    return pattern == "*" or (bool(name) and (host == name or host.endswith("." + name)))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
