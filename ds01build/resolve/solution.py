"""What uv found: a version per package, and who needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.pin import WheelPin
    from ds01build.resolve.request import PythonRequest

__all__ = ["Found", "parse_solution", "tiers_of"]


@dataclass(frozen=True, slots=True)
class Found:
    """A version, with the extras of it that somebody asks for, normalised."""

    version: str
    extras: tuple[str, ...] = ()
    index: str = "default"
    required_by: tuple[str, ...] = ()  # package names, and "-r TIER"


def parse_solution(text: str, aliases: Mapping[str, str]) -> dict[str, Found]:
    """Read uv's lines: ``name[extra]==version  # via a, -r tier.in``, then ``# from URL``."""
    found: dict[str, Found] = {}
    last = ""
    for line in text.splitlines():
        requirement, _, comment = (part.strip() for part in line.partition("#"))
        if requirement:
            name, _, version = requirement.partition("==")
            name, _, extras = name.rstrip("]").partition("[")
            last = canonicalize_name(name)
            wanted = tuple(canonicalize_name(each.strip()) for each in extras.split(",") if each)
            found[last] = Found(version.partition(";")[0].strip(), wanted)
        if comment.startswith("via "):
            parts = [part.strip() for part in comment[4:].split(",")]
            needers = tuple(_needer(part) for part in parts if not _is_bound(part))
            found[last] = replace(found[last], required_by=needers)
        elif comment.startswith("from "):
            index = aliases.get(comment[5:].rstrip("/"), "default")
            found[last] = replace(found[last], index=index)
    return found


def _is_bound(text: str) -> bool:
    """Say whether this is a constraint or override, which needs nothing."""
    return text.startswith("-") and not text.startswith("-r ")


def _needer(text: str) -> str:
    if text.startswith("-r "):
        return text.removesuffix(".in")
    return canonicalize_name(text.partition("[")[0])


def tiers_of(
    requests: Sequence[PythonRequest],
    needers: Mapping[str, Iterable[str]],
    keep: Mapping[str, WheelPin],
) -> dict[str, str]:
    """Give each package a tier: the one it had, if that still needs it, or the first that does.

    ``needers`` are those of each package. One that no tier comes to has no tier.
    """
    needs: dict[str, set[str]] = {}
    for name, those in needers.items():
        for needer in those:
            needs.setdefault(needer, set()).add(name)
    tiers: dict[str, str] = {}
    for request in requests:
        for name in _closure(f"-r {request.tier}", needs):
            had_it = name in keep and keep[name].tier == request.tier
            if had_it or name not in tiers:
                tiers[name] = request.tier
    return tiers


def _closure(start: str, needs: Mapping[str, Iterable[str]]) -> set[str]:
    reached: set[str] = set()
    todo = [start]
    while todo:
        fresh = set(needs.get(todo.pop(), ())) - reached
        reached |= fresh
        todo.extend(fresh)
    return reached
