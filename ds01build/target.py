"""Where packages are put: everything about a base that a Python layer depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.digest import Canonical

__all__ = ["STANDARD", "Directory", "Ground", "Link", "Schemes", "Target", "ancestors", "resolve"]

MAX_LINKS = 40  # as the kernel's path walk, path_resolution(7)

_ROOT = "bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp"
_USR = "bin games include lib lib32 lib64 libexec libx32 local sbin share src"
_LOCAL = "bin etc games include lib man sbin share src"
_VAR = "cache lib local lock log mail opt run spool tmp"

# What every Linux system has as a directory, or as a link to one (FHS 3.0).
STANDARD = frozenset(
    {
        *("", "usr", "var", "dev/pts", "dev/shm", "etc/opt", "run/lock"),
        *_ROOT.split(),
        *(f"usr/{name}" for name in _USR.split()),
        *(f"usr/local/{name}" for name in _LOCAL.split()),
        *(f"var/{name}" for name in _VAR.split()),
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Directory:
    """A directory of the base: no leading slash in ``path``, the root is the empty string."""

    path: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A symbolic link of the base to a directory: ``usr/local/man`` -> ``share/man``."""

    path: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemes:
    """Where a wheel's files go, as sysconfig names it; absolute paths."""

    purelib: str
    platlib: str
    scripts: str
    data: str
    headers: str  # the distribution's name is appended, as pip does


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The interpreter and the directories that wheels are installed for.

    Layers with equal wheels and equal targets have equal bytes. ``directories`` and ``links`` are
    those of the base below the schemes and on the way to them; a directory that is not listed is
    new, and is made 0755, owned by root.
    """

    interpreter: str  # absolute, written into scripts
    version: str  # of the interpreter, such as 3.11.2
    schemes: Schemes
    directories: tuple[Directory, ...] = ()
    links: tuple[Link, ...] = ()

    def canonical(self) -> dict[str, Canonical]:
        """Return the form that keys are made of."""
        schemes = self.schemes
        return {
            "interpreter": self.interpreter,
            "version": self.version,
            "schemes": {
                "purelib": schemes.purelib,
                "platlib": schemes.platlib,
                "scripts": schemes.scripts,
                "data": schemes.data,
                "headers": schemes.headers,
            },
            "directories": [[d.path, d.mode, d.uid, d.gid] for d in sorted(self.directories)],
            "links": [[link.path, link.to] for link in sorted(self.links)],
        }

    def resolve(self, path: str) -> str:
        """Return where ``path`` (relative to the root) really lies, through the base's links.

        Raises ValueError when the links form a loop or leave the root.
        """
        return resolve(path, {link.path: link.to for link in self.links})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The directories and links of a base on the way to what is put into it."""

    directories: tuple[Directory, ...] = ()
    links: tuple[Link, ...] = ()

    def towards(self, paths: Iterable[str]) -> Ground:
        """Return what of this lies on the way to ``paths``, which are absolute."""
        targets = {link.path: link.to for link in self.links}
        ways = [_walk(path.rpartition("/")[0], targets) for path in paths]
        passed = {real[:end] for real, _ in ways for end in _ends(real)}
        used = {link for _, links in ways for link in links}
        return Ground(
            directories=tuple(sorted(d for d in self.directories if d.path in passed)),
            links=tuple(sorted(link for link in self.links if link.path in used)),
        )

    def canonical(self) -> dict[str, Canonical]:
        """Return the form that keys are made of."""
        return {
            "directories": [[d.path, d.mode, d.uid, d.gid] for d in sorted(self.directories)],
            "links": [[link.path, link.to] for link in sorted(self.links)],
        }


def resolve(path: str, links: dict[str, str]) -> str:
    """Return ``path`` with every link of ``links`` on its way followed, the last part included.

    Paths have no leading slash; a link's target is relative to its directory or absolute.
    Raises ValueError for a loop and for a path that leaves the root.
    """
    return _walk(path, links)[0]


def _walk(path: str, links: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return where ``path`` really lies, and the links that it passes through."""
    done: list[str] = []
    todo = [part for part in reversed(path.split("/")) if part]
    followed: list[str] = []
    while todo:
        part = todo.pop()
        if part == "..":
            if not done:
                raise ValueError(f"{path!r} leaves the root")
            done.pop()
            continue
        here = "/".join([*done, part])
        to = links.get(here)
        if to is None:
            done.append(part)
            continue
        followed.append(here)
        if len(followed) > MAX_LINKS:
            raise ValueError(f"{path!r} passes through a loop of links")
        if to.startswith("/"):
            done.clear()
        todo.extend(step for step in reversed(to.split("/")) if step not in ("", "."))
    return "/".join(done), tuple(followed)


def ancestors(path: str) -> list[str]:
    """Return ``path`` and each directory above it, the root included."""
    return [path[:end] for end in _ends(path)]


def _ends(path: str) -> list[int]:
    """Return where the path of each directory on the way to ``path`` ends, the root included."""
    return [0, *(at for at, letter in enumerate(path) if letter == "/"), len(path)]
