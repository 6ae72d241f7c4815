"""Sets a user up on a machine: says how he stands, and makes what he agrees to."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, Unavailable
from ds01build.process import attend, run
from ds01build.workflow import doctor, keys, settings
from ds01build.workflow.checked import Checked
from ds01build.workflow.hosts import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.workflow.doctor import Look, Machine

__all__ = ["Lacking", "lacking", "look", "make_directory", "make_key"]

_SECONDS = 60.0  # for ssh-keygen
_PRIVATE = 0o700
# What nearly every image has, by uid: Debian's base-passwd, and the user of Ubuntu's images.
_ACCOUNTS = {
    "root": 0,
    "daemon": 1,
    "bin": 2,
    "sys": 3,
    "sync": 4,
    "games": 5,
    "man": 6,
    "lp": 7,
    "mail": 8,
    "news": 9,
    "uucp": 10,
    "proxy": 13,
    "www-data": 33,
    "backup": 34,
    "list": 38,
    "irc": 39,
    "nobody": 65534,
    "ubuntu": 1000,
}


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a user has not yet, and could be given here; None for what he has."""

    workspace: Path | None
    key: Path | None


def look(looked_at: Machine) -> Iterator[Checked]:
    """Yield how the user of a machine stands. Nothing is changed."""
    looks: dict[str, Look] = {
        "configuration": settings.configuration,
        "limits": settings.limits,
        "you": _you,
        "store": doctor.store,
        "read-only": settings.lenders,
        "engine": doctor.engine,
        "workspace": _workspace,
        "ssh": _ssh,
    }
    return doctor.looking(looked_at, looks)


def lacking(looked_at: Machine) -> Lacking:
    """Return what the user lacks, and can be given."""
    workspace = _place(looked_at)
    return Lacking(
        workspace=None if os.path.lexists(workspace) else workspace,
        key=keys.room_for_one(looked_at.home / ".ssh"),
    )


def make_directory(path: Path) -> None:
    """Make a directory that is not there, for the user alone. Raises Ds01Error."""
    try:
        path.mkdir(mode=_PRIVATE, exist_ok=True)
    except OSError as error:
        raise Ds01Error(f"{path} cannot be made: {error.strerror}") from error


def make_key(looked_at: Machine, path: Path, *, asks: bool) -> None:
    """Make an ssh key (ed25519), never over another one or a half of it.

    With ``asks`` ssh-keygen asks its user for a passphrase; otherwise the key has none. Raises
    Ds01Error, Unavailable.
    """
    keys.refuse_taken(path)
    make_directory(path.parent)
    keys.refuse_open(path.parent)
    if shutil.which("ssh-keygen", path=looked_at.path) is None:
        hint = "sudo apt-get install openssh-client"
        raise Unavailable("ssh-keygen is not installed", hint=hint)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-C", identity().login, "-f", str(path)]
    environment = {"PATH": looked_at.path, "HOME": str(looked_at.home), "LC_ALL": "C.UTF-8"}
    if asks:
        code, said = attend(words, environment=environment, cwd=path.parent), ""
    else:
        done = run([*words, "-N", ""], environment=environment, cwd=path.parent, seconds=_SECONDS)
        code, said = done.code, done.stderr.strip()
    if code != 0 or not path.exists():
        raise Ds01Error(
            f"ssh-keygen ended with {code}{f': {said:.200}' if said else ''}",
            hint=f"getent passwd {os.geteuid()}; ssh-keygen -t ed25519",
        )


def _you(_: Machine) -> Iterator[Checked]:
    who = identity()
    says = f"{who.login} (uid {who.uid}, gid {who.gid}); {who.name}, at {who.home}, in containers"
    if _ACCOUNTS.get(who.name, who.uid) != who.uid:
        says += f", and {who.name}_2 where the image has a {who.name} of its own"
    yield Checked(topic="you", says=says)


def _place(looked_at: Machine) -> Path:
    return looked_at.home / "workspace"


def _workspace(looked_at: Machine) -> Iterator[Checked]:
    path = _place(looked_at)
    shown = shlex.quote(str(path))
    link = f", a link to {os.path.realpath(path)}" if path.is_symlink() else ""
    if path.is_dir() and os.access(path, os.W_OK | os.X_OK):
        count = sum(1 for each in path.iterdir() if each.is_dir())
        number = "1 directory" if count == 1 else f"{count} directories"
        yield Checked(topic="workspace", says=f"{path}{link}: {number}")
        return
    says, remedy = f"{path} is not there yet", f"mkdir -- {shown}"
    if link and not path.exists():
        says = f"{path}{link}, which is not there"
        remedy = f"mkdir -p -- {shlex.quote(os.path.realpath(path))}"
    elif os.path.lexists(path):
        says = f"{path}{link}: no directory that you may write to"
        remedy = f"ls -ldL -- {shown}"
    yield Checked(topic="workspace", says=says, state="warning", remedy=remedy)


def _ssh(looked_at: Machine) -> Iterator[Checked]:
    return keys.look(looked_at.home / ".ssh")
