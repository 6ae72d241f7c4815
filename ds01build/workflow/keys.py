"""The ssh keys of a user: which there are, and whether one can be made. None is written over."""

from __future__ import annotations

import os
import re
import shlex
import stat
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.workflow.checked import Checked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["look", "refuse_open", "refuse_taken", "room_for_one"]

_NAMES = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")  # ssh(1)
_PRIVATE = re.compile(rb"-----BEGIN (?:[A-Z]{1,12} ){0,2}PRIVATE KEY-----")
_PUBLIC = re.compile(rb"(?:ssh|ecdsa|sk)-[a-z0-9@.-]{1,60} AAAA")
_BY_HAND = "ssh-keygen -t ed25519"
_MOST = 2000  # names that are looked at
_HEAD = 128  # bytes that tell what a file is
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would be waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """What a directory has: private halves, public ones alone, and names that are no file."""

    private: tuple[Path, ...] = ()
    public: tuple[Path, ...] = ()
    strange: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.private or self.public or self.strange)


def look(directory: Path) -> Iterator[Checked]:
    """Say which keys there are in ``~/.ssh``, and what keeps one from being made. Raises OSError.

    A key is known by its content, or by a name that ssh looks for. The private half of a public one
    may be kept elsewhere.
    """
    found = _keys(directory)
    if found.private:
        yield Checked(topic="ssh", says=", ".join(map(str, found.private)))
    for path in found.public:
        yield Checked(topic="ssh", says=f"{path}: its private half is kept elsewhere")
    for path in found.strange:
        says = f"{_described(path)}: no key, and none is made there"
        remedy = f"ls -ld -- {_quoted(path)}"
        yield Checked(topic="ssh", says=says, state="warning", remedy=remedy)
    objection = _objection(directory)
    if objection is not None:
        yield objection
    elif not found:
        says = f"no key in {directory}: git servers know you by one"
        remedy = "user-setup --ssh-key"
        if directory.is_symlink():
            says = f"no key in {_described(directory)}: none is made behind a link"
            remedy = _BY_HAND
        yield Checked(topic="ssh", says=says, state="warning", remedy=remedy)


def room_for_one(directory: Path) -> Path | None:
    """Return where a user who has no key can get one; None where he has one, or it is not safe."""
    try:
        is_open = directory.is_symlink() or _objection(directory) is not None
        return None if is_open or _keys(directory) else directory / _NAMES[0]
    except OSError:
        return None


def refuse_taken(path: Path) -> None:
    """Raise Ds01Error where a key, or its public half, would be written over something."""
    for each in (path, _public_half(path)):
        if os.path.lexists(each):
            raise Ds01Error(f"{each} exists, and stays as it is", hint=f"ls -ld -- {_quoted(each)}")


def refuse_open(directory: Path) -> None:
    """Raise Ds01Error for a directory that no key is to be written to."""
    if directory.is_symlink():
        raise Ds01Error(f"{_described(directory)}: no key is made behind one", hint=_BY_HAND)
    objection = _objection(directory)
    if objection is not None:
        raise Ds01Error(objection.says, hint=objection.remedy)


def _objection(directory: Path) -> Checked | None:
    """Return what keeps keys from being safe in a directory."""
    says, remedy = "", f"ls -ldL -- {_quoted(directory)}"
    if not os.path.lexists(directory):
        return None
    if not directory.is_dir():
        says = f"{_described(directory)}: no directory, so that there can be no key"
        return Checked(topic="ssh", says=says, state="problem", remedy=remedy)
    status = directory.stat()
    if status.st_uid not in (0, os.geteuid()):
        says = f"{directory} belongs to uid {status.st_uid}: no key is safe there"
    elif status.st_mode & 0o022:
        mode = f"mode {stat.S_IMODE(status.st_mode):04o}"
        says = f"others may write to {directory} ({mode}): no key is safe there"
        remedy = f"chmod 700 -- {_quoted(directory)}"
    return Checked(topic="ssh", says=says, state="problem", remedy=remedy) if says else None


def _keys(directory: Path) -> _Keys:
    if not directory.is_dir():
        return _Keys()
    paths = sorted(islice(directory.iterdir(), _MOST))
    private = tuple(path for path in paths if _is_private(path))
    halves = {_public_half(path) for path in private}
    public = tuple(path for path in paths if path not in halves and _is_public(path))
    usual = {directory / name for name in _NAMES}
    usual |= {_public_half(path) for path in usual}
    strange = usual.intersection(paths).difference(private, public, halves)
    return _Keys(private=private, public=public, strange=tuple(sorted(strange)))


def _public_half(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def _is_private(path: Path) -> bool:
    return path.is_file() and (path.name in _NAMES or bool(_PRIVATE.match(_head(path))))


def _is_public(path: Path) -> bool:
    if path.suffix != ".pub" or path.stem.endswith("-cert") or not path.is_file():
        return False
    return path.stem in _NAMES or bool(_PUBLIC.match(_head(path)))


def _head(path: Path) -> bytes:
    """Return how a file begins, nothing where this user may not read it."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _HEAD)
    finally:
        os.close(descriptor)


def _described(path: Path) -> str:
    """Return a path, with what it leads to if it is a link."""
    return f"{path}, a link to {path.readlink()}" if path.is_symlink() else str(path)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
