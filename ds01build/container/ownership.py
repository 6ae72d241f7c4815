"""Whose a container is, by whatever tool it was made: ds01, AIME's tools, or an editor."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ds01build.container.labels import login_of, uid_of
from ds01build.container.names import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.container.identity import Identity

__all__ = ["belongs", "shown_name"]

_FOLDER = "devcontainer.local_folder"  # the directory of the host that an editor opened
_SANDBOX = "ds01.sandbox"  # of what executes a tier, which nobody works in


def belongs(name: str, labels: Mapping[str, str], identity: Identity, home: str) -> bool:
    """Say whether a container is that user's, whose directory on the host is ``home``.

    The first that says whose it is decides: the uid in ds01's label, the uid at the end of the
    name, the login in a label of ds01 or of AIME's tools, the directory of a devcontainer.
    """
    if _SANDBOX in labels:
        return False
    by_label, by_name = uid_of(labels), short_name(name)
    if by_label is not None:
        return by_label == identity.uid
    if by_name is not None:
        return by_name[1] == identity.uid
    if login := login_of(labels):
        return login == identity.login
    return _lies_below(labels.get(_FOLDER, ""), home)


def _lies_below(path: str, home: str) -> bool:
    folder = PurePosixPath(path)
    return ".." not in folder.parts and PurePosixPath(home) in folder.parents


def shown_name(name: str, uid: int) -> str:
    """Return what a user calls a container of his: its name without his uid."""
    found = short_name(name)
    return found[0] if found and found[1] == uid else name
