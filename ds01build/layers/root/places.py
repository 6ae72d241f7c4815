"""What a Debian base is to the layers above it: its Target, its directories, its links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.layers.root.skeleton import LOCAL, LOCAL_LINK
from ds01build.layers.root.tree import Tree
from ds01build.target import Directory, Link, Schemes, Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.layers.deb import DebFacts
    from ds01build.layers.entry import Entry

__all__ = ["directories", "links", "target"]


def target(python_version: str) -> Target:
    """Return where wheels go on a Debian base with the Python ``python_version``, such as 3.11.2.

    The schemes are those of Debian's posix_local as pip uses them.
    """
    name = "python" + ".".join(python_version.split(".")[:2])
    site = f"/usr/local/lib/{name}/dist-packages"
    return Target(
        interpreter="/usr/bin/python3",
        version=python_version,
        schemes=Schemes(
            purelib=site,
            platlib=site,
            scripts="/usr/local/bin",
            data="/usr/local",
            headers=f"/usr/include/{name}",
        ),
        directories=tuple(
            Directory(path)
            for path in sorted(
                {"", "usr", "usr/include", *LOCAL, site[1:], f"usr/local/lib/{name}"}
            )
        ),
        links=(Link(*LOCAL_LINK),),
    )


def directories(facts: Iterable[DebFacts], made: Iterable[Entry]) -> tuple[Directory, ...]:
    """Return every directory of a base made of ``facts`` and of the entries ``made`` for it."""
    stats = Tree.of(facts).plus(made).stats.items()
    folders = ((path, stat) for path, stat in stats if stat.kind == "directory")
    return tuple(sorted(Directory(path, s.mode, s.uid, s.gid) for path, s in folders))


def links(facts: Iterable[DebFacts], made: Iterable[Entry]) -> tuple[Link, ...]:
    """Return every link of such a base that leads to a directory."""
    tree = Tree.of(facts).plus(made)
    folders = (tree.stats.get(tree.real(path)) for path in tree.links)
    pairs = zip(tree.links.items(), folders, strict=True)
    return tuple(sorted(Link(*pair) for pair, stat in pairs if stat and stat.kind == "directory"))
