"""Several streams of entries as one, in their own order: for .debs, which are read only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.layers.entry import Entry
from ds01build.stack import Stat, disagree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["merged"]

_NEW = Stat("directory", 0o755, 0, 0, "")


def merged(entries: Iterable[tuple[str, Entry]]) -> Iterator[Entry]:
    """Yield each path of ``entries`` once, every directory before what it holds.

    ``entries`` come with the names of their owners. A directory that no owner brings is 0755,
    owned by root. Raises CollisionError where two owners disagree on a path, and for a path below
    a file or link.
    """
    seen: dict[str, tuple[str, Stat]] = {}
    for owner, entry in entries:
        for path in _missing_above(entry.path, owner, seen):
            seen[path] = (owner, _NEW)
            yield Entry(path=path, stat=_NEW)
        known = seen.get(entry.path)
        if known is None:
            seen[entry.path] = (owner, entry.stat)
            yield entry
        elif known[1] != entry.stat:
            disagree(entry.path, known, (owner, entry.stat))


def _missing_above(path: str, owner: str, seen: dict[str, tuple[str, Stat]]) -> list[str]:
    """Return the directories that ``path`` still needs, the highest first."""
    missing: list[str] = []
    while path:
        path = path.rpartition("/")[0]
        if path in seen:
            if seen[path][1].kind != "directory":
                disagree(path, seen[path], (owner, _NEW))
            break
        missing.append(path)
    return missing[::-1]
