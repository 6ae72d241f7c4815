"""Reads what pip has installed for a user in a directory that a container mounts.

That is in no layer, so the engine calls it no change. It is read where it lies on this host, with
the rights of who asks, and through no link; what it says is hostile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build import beneath
from ds01build.errors import Ds01Error
from ds01build.importing.container import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ds01build.engine.changes import Container, Mounted

__all__ = ["UserSites", "look"]

MAX_NAMES = 20_000  # in one directory
MAX_PACKAGES = 3000
METADATA_LIMIT = 1 << 20  # bytes
MAX_BYTES = 64 << 20  # of all METADATA

_USER_BASE = ".local"  # below $HOME, as site.USER_BASE is on Linux
_PYTHON = re.compile(r"python3(?:\.[0-9]{1,2})?")
_STEM = re.compile(r"[!-.0-~]{1,255}\.(?:dist|egg)-info")
_MARKS = ("METADATA", "PKG-INFO", "REQUESTED", "direct_url.json")
_TEXTS = ("METADATA", "PKG-INFO")


@dataclass(slots=True)
class UserSites:
    """What mounts have, as if it had been added to the container, by paths relative to its root.

    ``unread`` are those that could not be looked at, each with the reason.
    """

    changes: list[Change] = field(default_factory=list)
    contents: dict[str, bytes | None] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)
    _bytes: int = 0

    def take(self, root: Path, inside: str, shown: str) -> None:
        """Take a directory of metadata: ``inside`` is its path below ``root``."""
        self.changes.append(Change("added", shown))
        if len(self.changes) > MAX_PACKAGES * len(_MARKS):
            raise Ds01Error(f"more than {MAX_PACKAGES} packages")
        try:
            names = beneath.names(root, inside, limit=MAX_NAMES)
        except Ds01Error:  # a link, or a file: it is listed as what nothing can be made of
            return
        for name in _MARKS:
            if name in names:
                self.changes.append(Change("added", f"{shown}/{name}"))
        for name in _TEXTS:
            if name in names:
                self._read(root, f"{inside}/{name}", f"{shown}/{name}")

    def _read(self, root: Path, inside: str, shown: str) -> None:
        try:
            content = beneath.read(root, inside, limit=METADATA_LIMIT)
        except Ds01Error:
            return
        self._bytes += len(content)
        if self._bytes > MAX_BYTES:
            raise Ds01Error(f"METADATA of more than {MAX_BYTES} bytes")
        self.contents[shown] = content


def look(container: Container, modified: Callable[[str], int | None]) -> UserSites:
    """Return what the mounts of a container have.

    ``modified`` says when what the container has at a path was modified, in microseconds, or None:
    an engine may be on another host, or see other files than this process.
    """
    found = UserSites()
    for mount in container.mounts:
        for base in _user_bases(mount, container):
            shown = f"packages in the mount /{mount.target}"
            lib = "/".join(filter(None, (base, "lib")))
            since = modified(f"{mount.target}/{lib}")
            if since is None:
                continue
            try:
                _require_same(Path(mount.source, lib), since)
                _take_lib(found, Path(mount.source), lib, mount.target)
            except Ds01Error as error:
                found.unread.append((shown, f"not looked at: {error}"))
    found.unread = list(dict.fromkeys(found.unread))
    return found


def _user_bases(mount: Mounted, container: Container) -> list[str]:
    """Return where a user's Python looks below a mount, relative to it; empty for the mount."""
    home, own = (container.environment.get(name, "") for name in ("HOME", "PYTHONUSERBASE"))
    bases = [_USER_BASE]
    for path in (own, f"{home}/{_USER_BASE}" if home else ""):
        inside = f"{path.rstrip('/')}/".removeprefix(f"/{mount.target}/")
        if path and inside != f"{path.rstrip('/')}/":
            bases.append(inside.rstrip("/"))
    return list(dict.fromkeys(bases))


def _require_same(path: Path, since: int) -> None:
    """Raise Ds01Error where this process has something else at a path than the container."""
    try:
        own = path.stat().st_mtime_ns // 1000
    except OSError as error:
        raise Ds01Error(f"{str(path)!r:.400} cannot be read: {error.strerror}") from error
    if own != since:
        raise Ds01Error(f"{str(path)!r:.400} is not what the container has there")


def _take_lib(found: UserSites, root: Path, lib: str, target: str) -> None:
    for python in beneath.names(root, lib, limit=MAX_NAMES):
        site = f"{lib}/{python}/site-packages"
        if _PYTHON.fullmatch(python):
            for stem in _stems(root, site):
                found.take(root, f"{site}/{stem}", f"{target}/{site}/{stem}")


def _stems(root: Path, site: str) -> Iterator[str]:
    try:
        names = beneath.names(root, site, limit=MAX_NAMES)
    except Ds01Error as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return
        raise
    yield from filter(_STEM.fullmatch, names)
