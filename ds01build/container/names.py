"""Names of containers and of the people in them (spec 3.4)."""

from __future__ import annotations

import hashlib
import re

__all__ = ["check_name", "container_name", "full_name", "plain_name", "short_name", "user_name"]

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}")
_FULL = re.compile(r"(?P<name>[a-zA-Z0-9][a-zA-Z0-9_-]{0,99})\._\.(?P<uid>[0-9]{1,10})")
_LONGEST_USER = 32  # characters; what useradd takes, and utmp keeps
_HEAD, _TAIL = 27, 4  # of a longer one: its beginning, and digits of its hash


def check_name(name: str) -> str:
    """Return a container's short name. Raises ValueError for one that no container may have."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.60} is no name of a container: letters, digits, '_' and '-', at most 100,"
            " the first one a letter or a digit"
        )
    return name


def container_name(image: str) -> str:
    """Return the short name of a container for an image: dots are not allowed in it."""
    return (image.removesuffix("-image") or image).replace(".", "-")


def full_name(name: str, uid: int) -> str:
    """Return what the engine calls a user's container."""
    return f"{name}._.{uid}"


def short_name(full: str) -> tuple[str, int] | None:
    """Return the short name and the uid in a full one, None for a name of another form."""
    match = _FULL.fullmatch(full)
    return (match["name"], int(match["uid"])) if match else None


def user_name(login: str, uid: int) -> str:
    """Return a login as a name that every tool in a container takes.

    LDAP has names with a domain, with dots, and longer ones; two that begin alike stay apart by
    the MD5 of the whole, as before. A name of digits alone would be taken for a uid.
    """
    name = _plain(login)
    if not name or name.isdigit():
        name = f"u{name or uid}"
    return _shortened(name, login)


def plain_name(login: str) -> str:
    """Return a login as slices of systemd and files of limits have it: digits alone stay as such.

    Empty where nothing of it can stand in a name.
    """
    return _shortened(_plain(login), login)


def _plain(login: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", login.partition("@")[0])
    return re.sub(r"_{2,}", "_", plain).strip("_")


def _shortened(name: str, login: str) -> str:
    if len(name) <= _LONGEST_USER:
        return name
    hashed = hashlib.md5(login.encode(), usedforsecurity=False).hexdigest()
    return f"{name[:_HEAD]}_{hashed[:_TAIL]}"
