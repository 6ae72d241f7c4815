"""Shells in a container: where they look for programs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ds01build.container.identity import HomeFile

if TYPE_CHECKING:
    from ds01build.container.specification import Specification

__all__ = ["files", "search_path"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROFILE = """\
# The system's own settings for login shells, such as Jupyter's terminals, forget the image's.
PATH={path}
export PATH
if [ -n "$BASH_VERSION" ] && [ -r ~/.bashrc ]; then . ~/.bashrc; fi
"""


def search_path(wanted: Specification) -> str:
    """Return the PATH in a container: what its user installs, before what its image has."""
    return f"{wanted.identity.home}/.local/bin:{wanted.path or _PATH}"


def files(wanted: Specification) -> tuple[HomeFile, ...]:
    """Return what a user's home gets, so that login shells know the same PATH."""
    text = _PROFILE.format(path=shlex.quote(search_path(wanted)))
    return (HomeFile(path=".profile", content=text.encode(errors="surrogateescape"), mode=0o644),)
