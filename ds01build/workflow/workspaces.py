"""Directories of the host for containers: what may be mounted, and workspaces that are made."""

from __future__ import annotations

import os
import shlex
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.container import Wish
    from ds01build.workflow.containers import Host

__all__ = ["require_mounts", "workspace"]


@contextmanager
def workspace(path: Path, host: Host) -> Iterator[None]:
    """Make a user's workspace where there is none, for the block; it goes where that raises."""
    default = host.home / "workspace"
    is_missing = path.parent == default and not path.exists() and not path.is_symlink()
    made = [each for each in (default, path) if is_missing and not each.exists()]
    try:
        for each in made:
            _make(each)
        yield
    except BaseException:
        for each in reversed(made):
            with suppress(OSError):  # somebody has put something there
                each.rmdir()
        raise


def require_mounts(wish: Wish, host: Host) -> None:
    """Raise Ds01Error for what cannot be mounted; a workspace of the usual place may be missing."""
    for path in map(Path, filter(None, (wish.workspace, wish.data, wish.models))):
        is_own = str(path) == wish.workspace
        if is_own and path.parent == host.home / "workspace" and not os.path.lexists(path):
            continue
        _require(path, host, is_own=is_own)


def _make(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> Ds01Error:
    above = shlex.quote(str(path.parent))
    return Ds01Error(f"{path} cannot be used: {error.strerror}", hint=f"ls -ld -- {above}")


def _making(path: Path) -> str:
    """Return what makes a directory, or shows why this user cannot."""
    above = next(each for each in path.parents if each.exists())
    if os.access(above, os.W_OK | os.X_OK):
        return f"mkdir -p -- {shlex.quote(str(path))}"
    return f"ls -ld -- {shlex.quote(str(above))}"


def _require(path: Path, host: Host, *, is_own: bool) -> None:
    """Raise Ds01Error for a directory that cannot be mounted."""
    shown = shlex.quote(str(path))
    try:
        found = path.lstat()
    except FileNotFoundError as error:
        raise Ds01Error(f"{path} is no directory", hint=_making(path)) from error
    except OSError as error:
        raise _unusable(path, error) from error
    if stat.S_ISLNK(found.st_mode):
        raise Ds01Error(
            f"{path} is a link: it is not said what is mounted",
            hint=f'name what it leads to: "$(readlink -f -- {shown})"',
        )
    if not stat.S_ISDIR(found.st_mode):
        raise Ds01Error(f"{path} is no directory", hint=f"ls -ld -- {shown}")
    uid = found.st_uid
    if is_own and uid != host.identity.uid:
        raise Ds01Error(
            f"{path} belongs to uid {uid}, and the container runs as {host.identity.uid}",
            hint="--workspace names a directory of yours",
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise Ds01Error(f"{path} cannot be read by you", hint=f"ls -ld -- {shown}")
