"""The tree of a layer: entries of several owners, one per path, with all their directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.layers.entry import Entry
from ds01build.stack import Stat, check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.target import Directory

__all__ = ["complete"]

_NEW = Stat("directory", 0o755, 0, 0, "")
_BASE = "the base"


def complete(entries: Iterable[tuple[str, Entry]], directories: Iterable[Directory]) -> list[Entry]:
    """Return the members of a layer in the order of its tar: by path, hard links last.

    ``entries`` come with the names of their owners. Every directory on the way to an entry is
    there, the root included, as ``directories`` (the base) has it, whatever an owner says of it;
    a new one that no owner brings is 0755, owned by root. Equal entries of several owners become
    one. Raises CollisionError where owners disagree, or one has a path below another's file.
    """
    base = {each.path: Stat("directory", each.mode, each.uid, each.gid, "") for each in directories}
    owned: dict[str, tuple[str, Entry]] = {}
    for owner, entry in entries:
        path, stat = entry.path, entry.stat
        if path in base and stat.kind == "directory":
            owned[path] = (_BASE, Entry(path=path, stat=base[path]))
            continue
        first, known = owned.setdefault(path, (owner, entry))
        if known.stat != stat:
            _disagree(path, (first, known.stat), (owner, stat))
        elif path in base:
            _disagree(path, (_BASE, base[path]), (owner, stat))
    for path, owner in _ancestors(owned):
        stat = base.get(path, _NEW)
        first, known = owned.setdefault(path, (owner, Entry(path=path, stat=stat)))
        if known.stat.kind != "directory":
            _disagree(path, (first, known.stat), (owner, stat))
    return sorted((entry for _, entry in owned.values()), key=_place)


def _ancestors(owned: dict[str, tuple[str, Entry]]) -> list[tuple[str, str]]:
    """Return the path of every directory above an entry, and an owner that needs it."""
    seen = {"": _BASE}
    for path, (owner, _) in owned.items():
        above = path.rpartition("/")[0]
        while above not in seen:
            seen[above] = owner
            above = above.rpartition("/")[0]
    return list(seen.items())


def _place(entry: Entry) -> tuple[bool, str]:
    """Return what decides the order: a hard link comes after the file that it names."""
    return entry.stat.kind == "hardlink", entry.path


def _disagree(path: str, first: tuple[str, Stat], second: tuple[str, Stat]) -> None:
    """Raise the CollisionError that the stack check has for two layers with these stats."""
    check((owner, {path: stat}) for owner, stat in (first, second))
