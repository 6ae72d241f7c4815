"""The stack check: layers of one image must commute (docs/design/0003)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

from ds01build.errors import CollisionError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["Listing", "Stat", "check", "disagree"]

Kind = Literal["directory", "file", "symlink", "hardlink", "whiteout"]


class Stat(NamedTuple):
    """What a layer says of one path. Two layers agree on a path when their stats are equal.

    ``content`` is the sha256 (hex) of a file, the target of a link, and empty for a directory and
    for a path that the layer removes (``whiteout``). What has extended attributes has their sum in
    it too: ``entry.marked``.
    """

    kind: Kind
    mode: int
    uid: int
    gid: int
    content: str


Listing = dict[str, Stat]  # by path: no leading slash, the root is the empty string


def check(
    listings: Iterable[tuple[str, Mapping[str, Stat]]],
    sees: Mapping[int, Collection[int]] = MappingProxyType({}),
) -> None:
    """Raise CollisionError unless all layers agree on every path that more than one of them has.

    Each layer is a name for messages and its listing. Where one layer has a file or link, or
    takes a path away, no other may have a path below it. A layer may change what it ``sees``,
    which are places of layers below it: it was made over them.
    """
    owners: dict[str, list[_Owner]] = {}
    for place, (name, listing) in enumerate(listings):
        seen = sees.get(place, ())
        for path, stat in listing.items():
            rows = owners.setdefault(path, [])
            for owner in rows:
                if owner.stat != stat and owner.place not in seen:
                    disagree(path, (owner.name, owner.stat), (name, stat))
            rows.append(_Owner(place, name, stat))
    for path, rows in owners.items():
        _check_above(rows, _nearest(path, owners), owners, sees)


class _Owner(NamedTuple):
    """A layer that has a path: its place in the stack, its name, and what it says."""

    place: int
    name: str
    stat: Stat


def _check_above(
    rows: Sequence[_Owner],
    parent: str,
    owners: Mapping[str, Sequence[_Owner]],
    sees: Mapping[int, Collection[int]],
) -> None:
    """Refuse paths below what another layer has as a file or link, or takes away."""
    for above in owners.get(parent, ()):
        if above.stat.kind == "directory":
            continue
        for row in rows:
            known = above.place in sees.get(row.place, ()) or row.place in sees.get(above.place, ())
            if not known:
                below = Stat("directory", 0o755, 0, 0, "")
                disagree(parent, (above.name, above.stat), (row.name, below))


def _nearest(path: str, listed: Collection[str]) -> str:
    """Return the nearest listed path above ``path``; the root where there is none."""
    parent = path.rpartition("/")[0]
    while parent and parent not in listed:
        parent = parent.rpartition("/")[0]
    return parent


def disagree(path: str, first: tuple[str, Stat], second: tuple[str, Stat]) -> NoReturn:
    """Raise the CollisionError of two owners, by name, whose stats of ``path`` differ."""
    one, other = first[1], second[1]
    if one.kind != other.kind:
        problem = f"{one.kind} and {other.kind}"
    elif one[1:4] != other[1:4]:
        problem = f"{_access(one)} and {_access(other)}"
    else:
        problem = "different bytes" if one.kind == "file" else "different targets"
    raise CollisionError(
        path=path,
        first=first[0],
        second=second[0],
        problem=problem,
        hint="leave one of them out; [resolve] exclude drops a Python package that others need",
    )


def _access(stat: Stat) -> str:
    return f"{stat.mode:04o} {stat.uid}:{stat.gid}"
