"""Sets a user up on a machine: says how he stands, and makes what he agrees to."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, Unavailable
from ds01build.process import attend, run
from ds01build.workflow import doctor, settings
from ds01build.workflow.checked import Checked
from ds01build.workflow.hosts import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.workflow.doctor import Look, Machine

__all__ = ["Lacking", "lacking", "look", "make_directory", "make_key"]

_KEYS = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")  # ssh(1)
_SECONDS = 60.0
_PRIVATE = 0o700


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
    """Return what the user lacks."""
    workspace = _place(looked_at)
    return Lacking(
        workspace=None if os.path.lexists(workspace) else workspace,
        key=None if _keys(looked_at) else looked_at.home / ".ssh" / _KEYS[0],
    )


def make_directory(path: Path) -> None:
    """Make a directory that is not there, for the user alone. Raises Ds01Error."""
    try:
        path.mkdir(mode=_PRIVATE, exist_ok=True)
    except OSError as error:
        raise Ds01Error(f"{path} cannot be made: {error.strerror}") from error


def make_key(looked_at: Machine, path: Path, *, asks: bool) -> None:
    """Make an ssh key (ed25519), never over another one.

    With ``asks`` ssh-keygen asks its user for a passphrase; otherwise the key has none. Raises
    Ds01Error, Unavailable.
    """
    if os.path.lexists(path):
        raise Ds01Error(f"{path} exists, and stays as it is")
    make_directory(path.parent)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-C", identity().login, "-f", str(path)]
    environment = {"PATH": looked_at.path, "HOME": str(looked_at.home), "LC_ALL": "C.UTF-8"}
    if asks:
        code, said = attend(words, environment=environment, cwd=path.parent), ""
    else:
        done = run([*words, "-N", ""], environment=environment, cwd=path.parent, seconds=_SECONDS)
        code, said = done.code, done.stderr.strip()
    if code != 0 or not path.exists():
        raise Unavailable(f"ssh-keygen ended with {code}{f': {said:.200}' if said else ''}")


def _you(_: Machine) -> Iterator[Checked]:
    who = identity()
    says = f"{who.login} (uid {who.uid}, gid {who.gid}); {who.name}, at {who.home}, in containers"
    yield Checked(topic="you", says=says)


def _place(looked_at: Machine) -> Path:
    return looked_at.home / "workspace"


def _workspace(looked_at: Machine) -> Iterator[Checked]:
    path = _place(looked_at)
    if path.is_dir() and not path.is_symlink() and os.access(path, os.W_OK | os.X_OK):
        count = sum(1 for each in path.iterdir() if each.is_dir())
        yield Checked(topic="workspace", says=f"{path}: {count} directories")
        return
    says, remedy = f"{path} is not there yet", f"mkdir -- {shlex.quote(str(path))}"
    if os.path.lexists(path):
        says = f"{path} is no directory that you may write to"
        remedy = f"ls -ld -- {shlex.quote(str(path))}"
    yield Checked(topic="workspace", says=says, state="warning", remedy=remedy)


def _keys(looked_at: Machine) -> tuple[Path, ...]:
    places = (looked_at.home / ".ssh" / name for name in _KEYS)
    return tuple(path for path in places if os.path.lexists(path))


def _ssh(looked_at: Machine) -> Iterator[Checked]:
    found = _keys(looked_at)
    if found:
        yield Checked(topic="ssh", says=", ".join(map(str, found)))
        return
    says = f"no key in {looked_at.home / '.ssh'}: git servers know you by one"
    remedy = "user-setup --ssh-key"
    yield Checked(topic="ssh", says=says, state="warning", remedy=remedy)
