"""URLs: what may be shown of them, and whose credentials they carry."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

__all__ = ["Credentials", "origin", "redact", "split_credentials"]

Credentials = tuple[str, str]  # user, password

_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[!-~]+")  # ASCII without spaces and control characters, RFC 3986


def redact(url: str) -> str:
    """Return ``url`` as it may be shown: no user, password, query, fragment or control characters.

    Of a URL that can't be taken apart for certain only the scheme is left: where a password has a
    slash in it, host and path look like others.
    """
    try:
        parts = _split(url)
    except ValueError:
        parts = None
    if parts is None or "@" in parts.path + parts.query + parts.fragment:
        scheme, mark, _ = url.partition("://")
        return f"{scheme}://..." if mark and scheme.isalnum() else "..."
    return urlunsplit((parts.scheme, _authority(parts), parts.path, "", ""))


def split_credentials(url: str) -> tuple[str, Credentials | None]:
    """Return ``url`` without its user and password, and these, percent-decoded.

    Raises ValueError, which doesn't repeat the URL, when it isn't one.
    """
    parts = _split(url)
    clean = urlunsplit(parts._replace(netloc=_authority(parts)))
    if parts.username is None and parts.password is None:
        return clean, None
    return clean, (unquote(parts.username or ""), unquote(parts.password or ""))


def origin(url: str) -> str:
    """Return scheme, host and port of ``url`` in the one form that can be compared (RFC 6454).

    Raises ValueError, which doesn't repeat the URL, when it has no host.
    """
    parts = _split(url)
    if not parts.hostname:
        raise ValueError("a URL without a host")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _split(url: str) -> SplitResult:
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise ValueError("a URL with spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("a URL with a malformed host or port") from None
    if "@" in parts.path and not parts.netloc:
        raise ValueError("a URL without //")
    return parts


def _authority(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]
