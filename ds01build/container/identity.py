"""Who a container is for, and the accounts that make a name of a uid in it."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ds01build.container.names import user_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ACCOUNTS", "HomeFile", "Identity", "furnishing", "places"]

PASSWD, GROUP = "etc/passwd", "etc/group"
ACCOUNTS = (PASSWD, GROUP)  # what of an image is read, by paths below its root
_ROOT = {PASSWD: "root:x:0:0:root:/root:/bin/sh", GROUP: "root:x:0:"}
_SUDO = "sudo"
_SUDOERS = "etc/sudoers.d/ds01"
_NUMBER = 2  # the field of the uid, or gid
_STEM = 28  # characters of a name that gets a number
_FIELDS = {PASSWD: 7, GROUP: 4}
_MTIME = 315619200  # as of everything that ds01 writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user of the host: ``login`` is what the host calls him."""

    uid: int
    gid: int
    login: str

    @property
    def name(self) -> str:
        """What a container calls him, unless its image has that name for somebody else."""
        return user_name(self.login, self.uid)

    @property
    def home(self) -> str:
        """His home directory in a container."""
        return f"/home/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFile:
    """A file that a user's home gets, by its path below it."""

    path: str
    content: bytes
    mode: int = 0o600


def furnishing(
    identity: Identity,
    found: Mapping[str, str],
    files: Iterable[HomeFile] = (),
    *,
    shell: str,
    is_admin: bool = False,
) -> bytes:
    """Return a tar archive that gives a container its user: accounts, home, and files in it.

    ``found`` are the texts of ACCOUNTS in its image, empty where it has none; bytes that are not
    UTF-8 are surrogates in them (PEP 383). His lines stand first, so that every look-up of his uid
    and gid finds him, and the image's accounts stay. Nothing is looked for in shadow(5): his
    password field is '*'.
    """
    name = _free_name(identity.name, identity.uid, found.get(PASSWD, ""))
    group = _free_name(identity.name, identity.gid, found.get(GROUP, ""))
    account = f"{name}:*:{identity.uid}:{identity.gid}:{name}:{identity.home}:{shell}"
    texts = {
        PASSWD: _first(PASSWD, found, account),
        GROUP: _first(GROUP, found, f"{group}:x:{identity.gid}:"),
    }
    if is_admin:
        texts[GROUP] = _with_member(texts[GROUP], name)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, text in texts.items():
            _add(archive, path, text.encode(errors="surrogateescape"), 0o644, (0, 0))
        if is_admin:
            _add(archive, _SUDOERS, f"{name} ALL=(ALL) NOPASSWD: ALL\n".encode(), 0o440, (0, 0))
        _add_home(archive, identity, files)
    return stream.getvalue()


def places(
    identity: Identity, files: Iterable[HomeFile] = (), *, is_admin: bool = False
) -> tuple[str, ...]:
    """Return the directories that the archive of ``furnishing`` is about, outer ones first."""
    home = identity.home.removeprefix("/")
    written = [*ACCOUNTS, f"{home}/_", *(f"{home}/{file.path}" for file in files)]
    if is_admin:
        written.append(_SUDOERS)
    found = {parent for path in written for parent in PurePosixPath(path).parents}
    return tuple(map(str, sorted(found - {PurePosixPath()})))


def _free_name(wanted: str, number: int, text: str) -> str:
    """Return a name, or one like it where the accounts of ``text`` have it for another number."""
    taken = {row[0] for row in _rows(text) if len(row) <= _NUMBER or row[_NUMBER] != str(number)}
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted[:_STEM]}_{count}"
    return name


def _rows(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.splitlines() if line.strip()]


def _first(path: str, found: Mapping[str, str], own: str) -> str:
    """Return the accounts of an image behind a line of one's own, with what is no account left."""
    lines = [":".join(row) for row in _rows(found.get(path, "")) if len(row) == _FIELDS[path]]
    name = own.partition(":")[0]
    rest = [line for line in lines if line.partition(":")[0] != name]
    if not any(line.startswith("root:") for line in rest):
        rest.insert(0, _ROOT[path])
    return "".join(f"{line}\n" for line in (own, *rest))


def _with_member(text: str, name: str) -> str:
    """Return groups in which ``name`` is a member of sudo, where there is such a group."""
    rows = _rows(text)
    for row in rows:
        if row[0] == _SUDO:
            row[3] = ",".join(filter(None, (row[3], name)))
    return "".join(f"{':'.join(row)}\n" for row in rows)


def _add_home(archive: tarfile.TarFile, identity: Identity, files: Iterable[HomeFile]) -> None:
    owner = (identity.uid, identity.gid)
    home = identity.home.removeprefix("/")
    _add_directory(archive, home, 0o700, owner)
    made = {home}
    for file in files:
        *folders, _ = file.path.split("/")
        for count in range(len(folders)):
            folder = "/".join((home, *folders[: count + 1]))
            if folder not in made:
                _add_directory(archive, folder, 0o700, owner)
                made.add(folder)
        _add(archive, f"{home}/{file.path}", file.content, file.mode, owner)


def _add_directory(archive: tarfile.TarFile, path: str, mode: int, owner: tuple[int, int]) -> None:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.mtime = tarfile.DIRTYPE, mode, _MTIME
    member.uid, member.gid = owner
    archive.addfile(member)


def _add(
    archive: tarfile.TarFile, path: str, content: bytes, mode: int, owner: tuple[int, int]
) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.mtime = len(content), mode, _MTIME
    member.uid, member.gid = owner
    archive.addfile(member, io.BytesIO(content))
