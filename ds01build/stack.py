"""The stack check: layers of one image must commute (docs/design/0003)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

from ds01build.errors import CollisionError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

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


def check(listings: Iterable[tuple[str, Mapping[str, Stat]]]) -> None:
    """Raise CollisionError unless all layers agree on every path that more than one of them has.

    Each layer is a name for messages and its listing. Where one layer has a file or link, no other
    may have a path below it.
    """
    owners: dict[str, tuple[str, Stat]] = {}
    for name, listing in listings:
        for path, stat in listing.items():
            owner = owners.setdefault(path, (name, stat))
            if owner[1] != stat:
                disagree(path, owner, (name, stat))
    for path, (name, _) in owners.items():
        parent = _nearest(path, owners)
        above = owners.get(parent)
        if above is not None and above[1].kind != "directory":
            disagree(parent, above, (name, Stat("directory", 0o755, 0, 0, "")))


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
