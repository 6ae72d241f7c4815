"""What differs between two layers that should be equal, path by path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ds01build.layers import listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.layers.entry import Source
    from ds01build.layers.listing import Member

__all__ = ["Difference", "Inside", "contrast", "inside"]

_STATUS = "var/lib/dpkg/status"
_FIELD = re.compile(r"^(Package|Version): (.*)$", re.MULTILINE)


class Difference(NamedTuple):
    """What differs at a path; ``in_bytes`` where all that differs is what a file holds, or when."""

    path: str  # as in a listing: no leading slash
    problem: str
    in_bytes: bool = False


class Inside(NamedTuple):
    """A layer's members by path, and the packages that its dpkg status has, as name=version."""

    members: Mapping[str, Member]
    packages: frozenset[str]


def inside(source: Source) -> Inside:
    """Return what is in a layer. The caller has verified its digest."""
    members = {member.path: member for member in listing.walk(source, {_STATUS})}
    status = members[_STATUS].body if _STATUS in members else None
    return Inside(members, frozenset(_packages(status or b"")))


def _packages(status: bytes) -> Iterator[str]:
    for stanza in status.decode(errors="replace").split("\n\n"):
        fields = dict(_FIELD.findall(stanza))
        if "Package" in fields:
            yield f"{fields['Package']}={fields.get('Version', '')}"


def contrast(stored: Inside, made: Inside) -> tuple[Difference, ...]:
    """Return what differs between the layer that is stored and the one that was made again."""
    packages = [
        *(Difference(_STATUS, f"{one} is only stored") for one in stored.packages - made.packages),
        *(Difference(_STATUS, f"{one} is new") for one in made.packages - stored.packages),
    ]
    paths = sorted(stored.members.keys() | made.members.keys())
    found = (_at(path, stored.members.get(path), made.members.get(path)) for path in paths)
    return (*sorted(packages), *(one for one in found if one))


def _at(path: str, stored: Member | None, made: Member | None) -> Difference | None:
    if stored is None or made is None:
        return Difference(path, "is new" if stored is None else "is only stored")
    one, other = stored.stat, made.stat
    if one.kind != other.kind:
        return Difference(path, f"{one.kind}, made again {other.kind}")
    rows = [
        ("mode", f"{one.mode:04o}", f"{other.mode:04o}"),
        ("owner", f"{one.uid}:{one.gid}", f"{other.uid}:{other.gid}"),
        ("size", str(stored.size), str(made.size)),
        ("content" if one.kind == "file" else "target", one.content, other.content),
        ("time", f"{stored.time:.9f}", f"{made.time:.9f}"),
    ]
    differing = [(what, first, second) for what, first, second in rows if first != second]
    if not differing:
        return None
    problem = ", ".join(f"{what} {first}, made again {second}" for what, first, second in differing)
    outside = {what for what, _, _ in differing} - {"size", "content", "time"}
    return Difference(path, problem, in_bytes=not outside)
