"""Which pins share a layer, and the order of the layers: decided once, kept in the lock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    _Items = Mapping[tuple[str, str], "Item"]  # by kind and name

__all__ = ["BUDGET", "Group", "Item", "group", "shared"]

OWN = 4 * 1024 * 1024  # bytes; a pin this large gets a layer of its own
SHARE = 16 * 1024 * 1024  # bytes; small pins of a tier beyond this are divided
LIGHT = 1024 * 1024  # bytes; below this a layer on top of all is made anew for another small pin
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
    """The pins of one layer. ``tier`` is that of the first, where there are several.

    ``tiers`` are those of the names, in their order; empty where all are of ``tier``.
    """

    tier: str
    kind: str
    names: tuple[str, ...]
    tiers: tuple[str, ...] = field(default=(), compare=False)


def group(
    items: Iterable[Item],
    tiers: Sequence[str],
    *,
    previous: Sequence[Group] = (),
    unchanged: frozenset[str] = frozenset(),
    site: Sequence[Group] = (),
    budget: int = BUDGET,
) -> tuple[Group, ...]:
    """Return the layers of ``items`` in stack order, lowest first.

    ``tiers`` is the canonical order. What was together in ``previous`` stays together, and what is
    new gets layers of its own, however small: a layer that changes is made anew as a whole. Those
    of ``previous`` whose names are all in ``unchanged`` (``kind:name``) keep their order, and the
    others lie on top of them: an engine extracts anew whatever lies above a layer that moved.
    Between them lies what of ``site``, as ``shared`` returns it, is not in ``previous``. Raises
    Ds01Error when the budget cannot be met.
    """
    known = {(item.kind, item.name): item for item in items}
    left = [_left(one, known, unchanged) for one in previous]
    kept = [new for old, new in zip(previous, left, strict=True) if _same(old, new, unchanged)]
    stayed = [one for one in left if one.names and one not in kept]
    placed = {(one.kind, name) for one in left for name in one.names}
    theirs = _without(site, placed)
    placed |= {(one.kind, name) for one in theirs for name in one.names}
    added = _fresh([item for place, item in known.items() if place not in placed], tiers)
    if kept and len(kept) == len(previous) and not theirs and kept[-1] not in site:
        kept, added = _joined(kept, added, known)
    above = sorted([*stayed, *added], key=lambda one: _place(one, known, tiers))
    low = [*kept, *theirs]
    return tuple(_within([*low, *above], frozenset(low), known, budget))


def shared(
    groups: Iterable[Group], theirs: Iterable[Item], items: Iterable[Item], seen: Mapping[str, str]
) -> tuple[Group, ...]:
    """Return the layers of ``items`` that a site's ``groups`` of ``theirs`` share, lowest first.

    First those that are there as a whole, in the site's order, then what is there of others, one
    layer for each. Nothing that is ``seen`` differently, by tier, shares a layer: what an engine
    executes sees all or nothing of one. What is removed from a base lies lowest: wheels come in
    its place.
    """
    there = {(item.kind, item.name, item.digest) for item in theirs if item.kind != "executed"}
    mine = {(i.kind, i.name): i for i in items if (i.kind, i.name, i.digest) in there}
    gone = {item.name for item in items if item.kind == "removed"}
    apart = {("wheels", name) for name in gone if ("removed", name) not in mine}
    rows: list[tuple[bool, bool, Group]] = []
    for one in groups:
        by_view: dict[str, list[str]] = {}
        for name in one.names:
            item = mine.get((one.kind, name))
            if item is not None and (one.kind, name) not in apart:
                by_view.setdefault(seen.get(item.tier, ""), []).append(name)
        for names in by_view.values():
            tier = mine[one.kind, names[0]].tier
            is_part = len(names) < len(one.names)
            rows.append((one.kind != "removed", is_part, Group(tier, one.kind, tuple(names))))
    return tuple(one for _, _, one in sorted(rows, key=lambda row: row[:2]))


def _same(old: Group, new: Group, unchanged: frozenset[str]) -> bool:
    return new == old and all(f"{old.kind}:{name}" in unchanged for name in old.names)


def _without(groups: Iterable[Group], placed: set[tuple[str, str]]) -> list[Group]:
    left = [
        replace(one, names=tuple(name for name in one.names if (one.kind, name) not in placed))
        for one in groups
    ]
    return [one for one in left if one.names]


def _left(one: Group, items: _Items, unchanged: frozenset[str]) -> Group:
    """Return what is left of a layer: not what went to another tier, or has grown large."""
    was = dict(zip(one.names, one.tiers, strict=False))

    def stays(name: str) -> bool:
        item = items.get((one.kind, name))
        if item is None or f"{one.kind}:{name}" in unchanged:
            return item is not None
        same = item.tier == was.get(name, one.tier)
        return same and (len(one.names) == 1 or not _is_large(item))

    names = tuple(name for name in one.names if stays(name))
    tier = items[one.kind, names[0]].tier if names else one.tier
    return Group(tier, one.kind, names)


def _joined(
    kept: list[Group], added: list[Group], items: _Items
) -> tuple[list[Group], list[Group]]:
    """Let small pins that are added one by one share a layer, as long as nothing lies above it."""
    top = kept[-1]
    for place, new in enumerate(added):
        alike = (new.tier, new.kind) == (top.tier, top.kind) and top.kind != "executed"
        if alike and not _is_own(new, items) and _size(top, items) < LIGHT:
            names = tuple(sorted((*top.names, *new.names)))
            return kept[:-1], [*added[:place], replace(top, names=names), *added[place + 1 :]]
    return kept, added


def _fresh(items: Iterable[Item], tiers: Sequence[str]) -> list[Group]:
    """Large pins by themselves in order of their names, then the small ones of the tier."""
    rank = {tier: place for place, tier in enumerate(tiers)}
    ordered = sorted(items, key=lambda item: (rank[item.tier], item.kind, item.name))
    layers: list[list[Item]] = []
    for _, members in groupby(ordered, key=lambda item: (item.tier, item.kind)):
        large: list[Item] = []
        small: list[Item] = []
        for item in members:
            (large if _is_large(item) else small).append(item)
        layers += [*([item] for item in large), *_shares(small)]
    return [
        Group(layer[0].tier, layer[0].kind, tuple(item.name for item in layer)) for layer in layers
    ]


def _place(one: Group, items: _Items, tiers: Sequence[str]) -> tuple[int, str, bool, str]:
    """Return what orders layers that do not lie where they lay before."""
    own = _is_own(one, items)
    return tiers.index(one.tier), one.kind, not own, one.names[0] if own else ""


def _is_large(item: Item) -> bool:
    return item.size >= OWN and item.kind != "files"


def _is_own(one: Group, items: _Items) -> bool:
    return len(one.names) == 1 and _is_large(items[one.kind, one.names[0]])


def _size(one: Group, items: _Items) -> int:
    return sum(items[one.kind, name].size for name in one.names)


def _shares(small: Sequence[Item]) -> list[list[Item]]:
    """Divide pins by their names alone, whatever the order in which they come.

    Layers of about the same size are written side by side, where one would be the last to end.
    """
    count = max(1, -(-sum(item.size for item in small) // SHARE))
    shares: list[list[Item]] = [[] for _ in range(count)]
    for item in small:
        shares[int(Digest.of(item.name.encode()).hex, 16) % count].append(item)
    return [share for share in shares if share]


def _within(layers: list[Group], low: frozenset[Group], items: _Items, budget: int) -> list[Group]:
    """Merge neighbours where there are too many: what changed first, then the smallest pair.

    Those of one tier are merged before others.
    """
    layers = list(layers)
    heavy = [_size(one, items) for one in layers]
    while len(layers) > budget:
        pairs = [
            (one in low or two in low, one.tier != two.tier, heavy[at] + heavy[at + 1], at)
            for at, (one, two) in enumerate(pairwise(layers))
            if one.kind == two.kind != "executed"
        ]
        if not pairs:
            raise Ds01Error(
                f"the image needs {len(layers)} layers, {budget} are possible",
                hint="declare files in fewer tiers",
            )
        at = min(pairs)[-1]
        both = replace(layers[at], names=(*layers[at].names, *layers[at + 1].names))
        layers[at : at + 2] = [both]
        heavy[at : at + 2] = [heavy[at] + heavy[at + 1]]
    return layers
