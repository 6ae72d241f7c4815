"""Which pins share a layer, and the order of the layers: decided once, kept in the lock."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BUDGET", "Group", "Item", "group"]

OWN = 4 * 1024 * 1024  # bytes; a pin this large gets a layer of its own
KEPT = 3 * 1024 * 1024  # bytes; it keeps it down to here, so that a patch release does not flip it
SHARE = 16 * 1024 * 1024  # bytes; small pins of a tier beyond this are divided
BUDGET = 100  # layers of one image; engines refuse more than 127 (docs/design/0005)


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """A pin as grouping sees it."""

    tier: str
    kind: str  # wheels, debs or files: what may share a layer
    name: str
    size: int  # bytes
    digest: Digest


@dataclass(frozen=True, slots=True)
class Group:
    """The pins of one layer. ``tier`` is that of the first, where tiers had to be merged."""

    tier: str
    kind: str
    names: tuple[str, ...]


def group(
    items: Iterable[Item],
    tiers: Sequence[str],
    *,
    previous: Sequence[Group] = (),
    unchanged: frozenset[str] = frozenset(),
    budget: int = BUDGET,
) -> tuple[Group, ...]:
    """Return the layers of ``items`` in stack order, lowest first.

    ``tiers`` is the canonical order. Layers of ``previous`` whose names are all in ``unchanged``
    (``kind:name``) and that come out the same stay in their old order, and the others lie on top of
    them: an engine extracts anew whatever lies above a layer that moved. Raises Ds01Error
    when the budget cannot be met.
    """
    had_own = {(g.kind, g.names[0]) for g in previous if len(g.names) == 1}
    fresh = _fresh(items, tiers, had_own)
    merged = _within(fresh, budget)
    known = set(merged)
    kept = [g for g in previous if g in known and _is_unchanged(g, unchanged)]
    return (*kept, *(g for g in merged if g not in set(kept)))


def _is_unchanged(one: Group, unchanged: frozenset[str]) -> bool:
    return all(f"{one.kind}:{name}" in unchanged for name in one.names)


@dataclass(frozen=True, slots=True)
class _Sized:
    group: Group
    size: int


def _fresh(
    items: Iterable[Item], tiers: Sequence[str], had_own: set[tuple[str, str]]
) -> list[_Sized]:
    """Large pins by themselves in order of their names, then the small ones of the tier."""
    rank = {tier: place for place, tier in enumerate(tiers)}
    layers: list[_Sized] = []
    ordered = sorted(items, key=lambda item: (rank[item.tier], item.kind, item.name))
    for _, members in groupby(ordered, key=lambda item: (item.tier, item.kind)):
        layers += _of_tier(list(members), had_own)
    return layers


def _of_tier(members: Sequence[Item], had_own: set[tuple[str, str]]) -> list[_Sized]:
    """Return the layers of a tier's pins of one kind, sorted by name.

    Whether a middling pin has a layer because it had one, or because nothing else fell to its
    share, must not show: grouping the result once more has to give the result.
    """
    small = [item for item in members if not _is_large(item, OWN)]
    sharing = [item for item in small if not _is_large(item, KEPT) or not _had(item, had_own)]
    shares = _shares(sharing, max(1, -(-sum(item.size for item in small) // SHARE)))
    placed = frozenset(sharing)
    own = [[item] for item in members if item not in placed]
    return [_sized(layer) for layer in sorted([*own, *shares], key=_place)]


def _place(layer: Sequence[Item]) -> tuple[bool, str]:
    """Put layers of one large or middling pin first, by name; the others stay as they are."""
    alone = len(layer) == 1 and layer[0].size >= KEPT
    return not alone, layer[0].name if alone else ""


def _is_large(item: Item, bound: int) -> bool:
    return item.size >= bound and item.kind != "files"


def _had(item: Item, had_own: set[tuple[str, str]]) -> bool:
    return (item.kind, item.name) in had_own


def _sized(members: Sequence[Item]) -> _Sized:
    names = tuple(item.name for item in members)
    size = sum(item.size for item in members)
    return _Sized(Group(members[0].tier, members[0].kind, names), size)


def _shares(small: Sequence[Item], count: int) -> list[list[Item]]:
    """Divide pins into ``count`` shares by their names alone: none moves for another's sake.

    Layers of about the same size are written side by side, where one would be the last to end.
    """
    shares: list[list[Item]] = [[] for _ in range(count)]
    for item in small:
        shares[int(Digest.of(item.name.encode()).hex, 16) % count].append(item)
    return [share for share in shares if share]


def _within(layers: list[_Sized], budget: int) -> list[Group]:
    """Merge neighbours, the smallest pair first, those of one tier before others."""
    layers = list(layers)
    while len(layers) > budget:
        pairs = [
            (low.group.tier != high.group.tier, low.size + high.size, place)
            for place, (low, high) in enumerate(pairwise(layers))
            if low.group.kind == high.group.kind != "executed"
        ]
        if not pairs:
            raise Ds01Error(
                f"the image needs {len(layers)} layers, {budget} are possible",
                hint="declare files in fewer tiers",
            )
        place = min(pairs)[2]
        layers[place : place + 2] = [_merged(layers[place], layers[place + 1])]
    return [sized.group for sized in layers]


def _merged(low: _Sized, high: _Sized) -> _Sized:
    names = (*low.group.names, *high.group.names)
    return _Sized(Group(low.group.tier, low.group.kind, names), low.size + high.size)
