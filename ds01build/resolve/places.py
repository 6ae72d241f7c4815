"""Which servers may be asked because an image says so."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ds01build.location import origin

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_place", "known_servers"]

_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")  # an address to a resolver


def known_servers(urls: Iterable[str]) -> frozenset[str]:
    """Return the servers of ``urls``, which this machine's configuration names."""
    return frozenset(filter(None, map(_origin, urls)))


def _origin(url: str) -> str:
    try:
        return origin(url)
    except ValueError:
        return ""


def check_place(uri: str, known: frozenset[str]) -> None:
    """Raise ValueError unless ``uri`` may be asked because an image says so.

    Loopback and link-local addresses, where services believe whoever can reach them, may not,
    unless this machine's configuration names that server itself.
    """
    if not re.match(r"https?://", uri):
        raise ValueError("only http and https can be used")
    if origin(uri) in known:
        return
    host = (urlsplit(uri).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost") or not _is_public(host):
        raise ValueError("an address of this machine or its link")


def _is_public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not _NUMERIC.fullmatch(host)
    inner = getattr(address, "ipv4_mapped", None) or address
    return not (
        inner.is_loopback or inner.is_link_local or inner.is_unspecified or inner.is_multicast
    )
