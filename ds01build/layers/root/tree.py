"""All packages as one tree: what the rules of this package look things up in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.layers.deb.place import ALIASES
from ds01build.stack import Stat
from ds01build.target import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from ds01build.layers.deb import DebFacts, Library
    from ds01build.layers.entry import Entry

__all__ = ["Tree"]

_UNLISTED = Stat("directory", 0o755, 0, 0, "")


@dataclass(frozen=True, slots=True)
class Tree:
    """The packages, by name, and the stat of every path that they or this package make.

    ``links`` are the targets of symbolic links, ``children`` the names in each directory.
    """

    debs: tuple[DebFacts, ...]
    stats: Mapping[str, Stat]
    links: dict[str, str]
    children: Mapping[str, AbstractSet[str]]
    libraries: Mapping[str, Library]

    @classmethod
    def of(cls, facts: Iterable[DebFacts]) -> Tree:
        """Return the tree of ``facts``, whose order does not matter."""
        debs = tuple(sorted(facts, key=lambda deb: (deb.name, deb.control["Architecture"])))
        libraries = {path: each for deb in debs for path, each in deb.libraries.items()}
        stats = {path: stat for deb in debs for path, stat in deb.listing.items()}
        return _tree(debs, stats, libraries)

    def plus(self, entries: Iterable[Entry]) -> Tree:
        """Return the tree with ``entries`` in it."""
        made = {entry.path: entry.stat for entry in entries}
        return _tree(self.debs, {**self.stats, **made}, self.libraries)

    def has(self, *packages: str) -> bool:
        """Return whether all of ``packages`` are there."""
        return {deb.name for deb in self.debs}.issuperset(packages)

    def real(self, path: str) -> str:
        """Return where ``path`` leads, links followed; empty when it leads nowhere."""
        try:
            found = resolve(path, self.links)
        except ValueError:
            return ""
        return found if found in self.stats else ""

    def kept(self, path: str) -> bytes | None:
        """Return the content of a file that the facts keep."""
        return next((deb.kept[path] for deb in self.debs if path in deb.kept), None)

    def kept_below(self, folder: str) -> dict[str, bytes]:
        """Return the kept files whose paths start with ``folder``, by path, sorted."""
        every = ((path, each) for deb in self.debs for path, each in deb.kept.items())
        return dict(sorted(each for each in every if each[0].startswith(folder)))


def _tree(
    debs: tuple[DebFacts, ...], stats: dict[str, Stat], libraries: Mapping[str, Library]
) -> Tree:
    """Return the tree of ``stats``, to which the directories that nobody listed are added."""
    for path in list(stats):
        above = path.rpartition("/")[0]
        while above not in stats:
            stats[above] = _UNLISTED
            above = above.rpartition("/")[0]
    links = {path: stat.content for path, stat in stats.items() if stat.kind == "symlink"}
    children: dict[str, set[str]] = {}
    for path in stats:
        folder, _, name = path.rpartition("/")
        children.setdefault(folder, set()).add(name)
    return Tree(debs, stats, {**ALIASES, **links}, children, libraries)
