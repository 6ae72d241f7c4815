"""Paths of a base that are taken away: whiteouts (OCI image-spec, layer.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.layers import tree
from ds01build.layers.entry import Entry
from ds01build.stack import Stat
from ds01build.target import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.target import Ground

__all__ = ["entries"]

_GONE = Stat("whiteout", 0, 0, 0, "")


def entries(paths: Iterable[str], ground: Ground) -> Iterable[Entry]:
    """Return whiteouts of ``paths``, put where the base's links lead, with their directories.

    Paths have no leading slash. One that is itself a link goes, and not what it leads to.
    """
    links = {link.path: link.to for link in ground.links}
    places = {_place(path, links) for path in paths}
    gone = [("the base", Entry(path=path, stat=_GONE)) for path in sorted(places)]
    return tree.complete(gone, ground.directories)


def _place(path: str, links: dict[str, str]) -> str:
    directory, _, name = path.rpartition("/")
    real = resolve(directory, links)
    return f"{real}/{name}" if real else name
