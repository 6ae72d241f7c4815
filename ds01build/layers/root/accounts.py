"""/etc/passwd, group, shadow and gshadow: Debian's static accounts, and those of the packages.

Dynamic ids are given out from 100 in the order of the packages' names, so that they depend on the
set of packages alone. Groups that own files of a package have reserved ids (deb.mend).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.layers.deb.mend import RESERVED
from ds01build.layers.root import made
from ds01build.layers.root.wanted import Group, User, wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree
    from ds01build.layers.root.wanted import Member

__all__ = ["entries"]

CHANGED = 3653  # 1980-01-02, in days: when passwords were last changed
SHADOW = 42  # the group that may read /etc/shadow
NOGROUP = 65534

_FIRST, _LAST = 100, 999  # adduser.conf(5)
_MASTERS = "usr/share/base-passwd/passwd.master", "usr/share/base-passwd/group.master"


@dataclass(slots=True)
class _Group:
    gid: int
    static: bool
    members: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    """The accounts while they are collected, in the order of their files."""

    users: dict[str, tuple[int, int, User]]  # uid, gid, and what was asked for
    groups: dict[str, _Group]
    static: frozenset[str]


def entries(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the four files; nothing where base-passwd is missing."""
    passwd, group = map(tree.kept, _MASTERS)
    if passwd is None or group is None:
        return
    table = _static(passwd.decode(errors="replace"), group.decode(errors="replace"))
    for deb in tree.debs:
        for each in wanted(deb):
            _add(table, each)
    for entry in _files(table):
        yield "base-passwd", entry


def _static(passwd: str, group: str) -> _Table:
    """Read base-passwd's masters, which have the formats of passwd(5) and group(5)."""
    users, groups = {}, {}
    try:
        for line in passwd.splitlines():
            name, _, uid, gid, comment, home, shell = line.split(":")
            users[name] = (int(uid), int(gid), User(name, "", None, comment, home, shell))
        for line in group.splitlines():
            name, _, gid, members = line.split(":")
            groups[name] = _Group(
                int(gid), static=True, members=[m for m in members.split(",") if m]
            )
    except ValueError as error:
        raise Ds01Error("base-passwd's tables of users and groups cannot be read") from error
    return _Table(users, groups, frozenset(users))


def _add(table: _Table, each: Group | User | Member) -> None:
    """Add what is asked for unless it is there."""
    users, groups = table.users, table.groups
    if isinstance(each, Group):
        if each.name not in groups:
            taken = {group.gid for group in groups.values()}
            reserved = RESERVED.get(each.name)
            gid = reserved or _id(each.gid, taken | set(RESERVED.values()))
            groups[each.name] = _Group(gid, static=False)
    elif isinstance(each, User):
        if each.name not in users:
            gid = groups[each.group].gid if each.group in groups else NOGROUP
            uid = _id(each.uid, {known[0] for known in users.values()})
            users[each.name] = (uid, gid, each)
    elif each.user in users and each.group in groups:
        members = groups[each.group].members
        members.extend({each.user} - set(members))


def _id(asked: int | None, taken: Collection[int]) -> int:
    if asked is not None and asked not in taken:
        return asked
    free = next((each for each in range(_FIRST, _LAST + 1) if each not in taken), None)
    if free is None:
        raise Ds01Error("no system user or group id is left")
    return free


def _files(table: _Table) -> Iterator[Entry]:
    users = table.users.items()
    groups = table.groups.items()
    rows = [(n, "x", uid, gid, u.comment, u.home, u.shell) for n, (uid, gid, u) in users]
    yield made.file("etc/passwd", _lines(rows))
    yield made.file("etc/group", _lines((n, "x", g.gid, ",".join(g.members)) for n, g in groups))
    shadow = (_shadow(name, static=name in table.static) for name in table.users)
    yield made.file("etc/shadow", _lines(shadow), 0o640, SHADOW)
    gshadow = ((n, "*" if g.static else "!", "", ",".join(g.members)) for n, g in groups)
    yield made.file("etc/gshadow", _lines(gshadow), 0o640, SHADOW)


def _shadow(name: str, *, static: bool) -> tuple[str | int, ...]:
    """Return a row of shadow(5) in which nobody can log in with a password."""
    if static:
        return (name, "*", CHANGED, 0, 99999, 7, "", "", "")
    return (name, "!", CHANGED, "", "", "", "", "", "")


def _lines(rows: Iterable[tuple[str | int, ...]]) -> str:
    return "".join(":".join(map(str, row)) + "\n" for row in rows)
