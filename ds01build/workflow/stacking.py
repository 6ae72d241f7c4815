"""The layers of a lock and their order: what shares one, and what lies on top."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.catalogue import bundles
from ds01build.digest import Digest, canonical
from ds01build.grouping import BUDGET, Group, Item, group, shared
from ds01build.lock import LockedDebian, LockedLayer
from ds01build.recipe import AptTier, FilesTier, PythonTier, RunTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.digest import Canonical
    from ds01build.lock import Lock, LockedTier
    from ds01build.pin import Pin
    from ds01build.recipe import Tier
    from ds01build.workflow.request import Request

__all__ = ["layers"]

_LAST = 1_000_000  # tiers without a bundle, in recipe order, above those with one


def layers(
    lock: Lock, previous: Lock | None, request: Request, site: Lock | None = None
) -> tuple[LockedLayer, ...]:
    """Return the layers of ``lock``, lowest first, changing as little of ``previous`` as can be.

    What is new shares the layers of ``site``, as far as it has the same. Raises Ds01Error where
    there is no room for them.
    """
    tiers = ["base", *_canonical_order(lock, request)]
    items = _items(lock)
    before = _items(previous) if previous else []
    new = _renamed(before, items)
    had = _groups(previous.layers if previous else (), before, new)
    kept = {replace(item, tier=new.get(item.tier, item.tier)) for item in before} & {*items}
    unchanged = frozenset(f"{item.kind}:{item.name}" for item in kept)
    groups = group(
        items,
        tiers,
        previous=had,
        unchanged=unchanged,
        site=_shared(site, items, lock) if site else (),
        budget=_room(lock),
    )
    return tuple(LockedLayer(tier=g.tier, kind=g.kind, names=g.names) for g in groups)


def _groups(
    layers: Iterable[LockedLayer], before: Iterable[Item], new: Mapping[str, str]
) -> list[Group]:
    """Return layers as grouping sees them, with the ``new`` names of tiers."""
    was = {(item.kind, item.name): new.get(item.tier, item.tier) for item in before}
    return [
        Group(
            tier=new.get(layer.tier, layer.tier),
            kind=layer.kind,
            names=layer.names,
            tiers=tuple(was.get((layer.kind, name), layer.tier) for name in layer.names),
        )
        for layer in layers
    ]


def _shared(site: Lock, items: Iterable[Item], lock: Lock) -> tuple[Group, ...]:
    theirs = [Group(layer.tier, layer.kind, layer.names) for layer in site.layers]
    executed = [tier for tier in lock.tiers if _is_executed(tier, lock)]
    views = {each.name: _needed_by(each, lock) for each in executed}
    seen = {
        tier.name: "\n".join(name for name, view in views.items() if tier.name in view)
        for tier in lock.tiers
    }
    return shared(theirs, _items(site), items, seen)


def _renamed(before: Iterable[Item], items: Iterable[Item]) -> dict[str, str]:
    """Return the new names of tiers that are there under another name: that changes no layer."""
    now = {(item.kind, item.name): item.tier for item in items}
    old: dict[str, set[str]] = {}
    for item in before:
        place = item.kind, item.name
        old.setdefault(item.tier, set()).update({now[place]} if place in now else ())
    return {
        tier: name for tier, names in old.items() if len(names) == 1 for name in names - old.keys()
    }


def _room(lock: Lock) -> int:
    """Return how many layers the lock may name: not those of an image, or the state of .debs."""
    used = 1 if isinstance(lock.base, LockedDebian) else len(lock.base.layers)
    return BUDGET - used


def _canonical_order(lock: Lock, request: Request) -> list[str]:
    """Order tiers by kind and bundle, so that two recipes with the same bundles stack alike.

    What an engine executes comes after all that it needs, and after native tiers, unless those
    name it: its bytes are nobody else's, so an engine would know no layer above it.
    """
    kinds = (AptTier, PythonTier, FilesTier, RunTier)
    executed = {tier.name for tier in lock.tiers if _is_executed(tier, lock)}

    def rank(tier: Tier) -> tuple[bool, int, int]:
        bundle = tier.bundle if isinstance(tier, (AptTier, PythonTier)) else ""
        place = bundles()[bundle].rank if bundle else _LAST
        return tier.name in executed, kinds.index(type(tier)), place

    waiting = [tier.name for tier in sorted(request.recipe.tiers, key=rank)]
    needs = {
        tier.name: tier.after if tier.name in executed else executed.intersection(tier.after)
        for tier in lock.tiers
    }
    ordered: list[str] = []
    while waiting:
        ready = next(name for name in waiting if not set(needs.get(name, ())) & set(waiting))
        waiting.remove(ready)
        ordered.append(ready)
    return ordered


def _is_executed(tier: LockedTier, lock: Lock) -> bool:
    return tier.kind == "run" or (tier.kind == "apt" and not isinstance(lock.base, LockedDebian))


def _items(lock: Lock) -> list[Item]:
    debs = lock.debs if isinstance(lock.base, LockedDebian) else ()
    return [
        *(_item(pin.tier, "debs", pin.name, pin.size, pin.digest) for pin in debs),
        *(_item(pin.tier, "wheels", pin.name, pin.size, pin.digest) for pin in lock.wheels),
        *(_item(pin.tier, "files", pin.to, pin.size, pin.digest) for pin in lock.files),
        *(_item("base", "removed", one.name, 0, _sum(list(one.paths))) for one in lock.removed),
        *_executed_items(lock),
    ]


def _item(tier: str, kind: str, name: str, size: int, digest: Digest) -> Item:
    return Item(tier=tier, kind=kind, name=name, size=size, digest=digest)


def _sum(value: Canonical) -> Digest:
    return Digest.of(canonical(value))


def _executed_items(lock: Lock) -> list[Item]:
    """Return an item for each tier that an engine executes, addressed by all that it sees."""
    installed = {pin.tier for pin in lock.debs}
    tiers = [
        tier
        for tier in lock.tiers
        if _is_executed(tier, lock) and (tier.kind == "run" or tier.name in installed)
    ]
    return [_item(tier.name, "executed", tier.name, 0, _seen_by(tier, lock)) for tier in tiers]


def _seen_by(tier: LockedTier, lock: Lock) -> Digest:
    """Return the digest of what a tier does and of everything that it needs."""
    by_name = {each.name: each for each in lock.tiers}
    needed = _needed_by(tier, lock)
    pins: list[Pin] = [*lock.debs, *lock.wheels, *lock.files]
    base: Canonical = None
    if isinstance(lock.base, LockedDebian):
        needed |= {"base"}
    else:
        base = [str(layer.diff_id) for layer in lock.base.layers]
    done: list[Canonical] = [
        [by_name[name].kind, list(by_name[name].commands), by_name[name].network]
        for name in sorted(needed & by_name.keys())
    ]
    seen = tuple(sorted(str(pin.digest) for pin in pins if pin.tier in needed))
    removed: list[Canonical] = [list(one.paths) for one in lock.removed]
    return _sum({"base": base, "tiers": done, "pins": seen, "removed": removed})


def _needed_by(tier: LockedTier, lock: Lock) -> set[str]:
    """Return the names of ``tier`` and of all that it needs, directly or through others."""
    by_name = {each.name: each for each in lock.tiers}
    needed, todo = {tier.name}, list(tier.after)
    while todo:
        name = todo.pop()
        if name in by_name and name not in needed:
            needed.add(name)
            todo.extend(by_name[name].after)
    return needed
