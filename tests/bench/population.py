"""Locks of many people that share most of what they use: made of one real lock, sizes and all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ds01build import grouping
from ds01build.digest import Digest
from ds01build.grammar import requirement_name
from ds01build.grouping import Group, Item
from ds01build.lock import Lock, LockedLayer, LockedTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.pin import WheelPin

__all__ = ["OWN", "Where", "grouped", "picked", "sharing", "users"]

Where = Literal["own", "last", "all"]  # tier of what is a recipe's own
OWN = "own"
_EVERY = 10  # one wheel in so many is a recipe's own
_SOME = 8  # of ten packages that a site asks for, so many are asked for by whoever picks


def sharing(site: Lock, count: int, where: Where) -> Iterator[Lock]:
    """Yield ``count`` locks with 90 % of the wheels of ``site``, and others in place of the rest.

    Those have the sizes of the ones that they replace.
    """
    common, rest = _divided(site)
    tiers = [tier.name for tier in site.tiers if tier.kind == "python"]
    places = {"own": [OWN], "last": tiers[-1:], "all": tiers}[where]
    for number in range(count):
        yield _with_own(site, common, rest, places, number)


def users(site: Lock, count: int) -> Iterator[Lock]:
    """Yield ``count`` locks of bundles: the first two Python tiers, every other time the third.

    To that each adds a tier of its own, as large as a tenth of the site's wheels.
    """
    tiers = [tier.name for tier in site.tiers if tier.kind == "python"]
    _, rest = _divided(site)
    for number in range(count):
        chosen = tiers[: 3 if number % 2 else 2]
        wheels = [pin for pin in site.wheels if pin.tier in chosen]
        yield _with_own(site, wheels, rest, [OWN], number)


def picked(site: Lock, count: int) -> Iterator[Lock]:
    """Yield ``count`` locks of people who each pick 80 % of what the site asks for, by name."""
    _, rest = _divided(site)
    asked = sorted(
        {requirement_name(r) for t in site.tiers if t.kind == "python" for r in t.requests}
    )
    for number in range(count):
        names = [n for n in asked if _number(f"{n} {number}") % _EVERY < _SOME]
        wheels = _closure(site, names)
        yield _with_own(site, wheels, rest, [OWN], number)


def grouped(lock: Lock, site: Lock | None) -> Lock:
    """Return ``lock`` with the layers that a first lock gets, preferring those of ``site``."""
    items = _items(lock)
    theirs = [Group(one.tier, one.kind, one.names) for one in site.layers] if site else []
    shared = grouping.shared(theirs, _items(site), items, {}) if site else ()
    groups = grouping.group(items, ["base", *(tier.name for tier in lock.tiers)], site=shared)
    layers = (LockedLayer(tier=one.tier, kind=one.kind, names=one.names) for one in groups)
    return replace(lock, layers=tuple(layers))


def _divided(site: Lock) -> tuple[list[WheelPin], list[WheelPin]]:
    """Return the wheels that all have, and a tenth of every size."""
    by_size = sorted(site.wheels, key=lambda pin: (pin.size, pin.name))
    rest = by_size[_EVERY // 2 :: _EVERY] or by_size[-1:]
    return [pin for pin in site.wheels if pin not in rest], rest


def _with_own(
    site: Lock, common: Iterable[WheelPin], rest: Iterable[WheelPin], places: list[str], number: int
) -> Lock:
    own = [
        replace(
            pin,
            name=f"own-{pin.name}-{number}",
            digest=Digest.of(f"{pin.name} {number}".encode()),
            tier=places[each % len(places)],
            requires=(),
        )
        for each, pin in enumerate(rest)
    ]
    tiers = (*site.tiers, LockedTier(name=OWN, kind="python"))
    return replace(site, wheels=tuple(sorted([*common, *own])), tiers=tiers, files=(), layers=())


def _closure(site: Lock, names: Iterable[str]) -> list[WheelPin]:
    by_name = {pin.name: pin for pin in site.wheels}
    reached: set[str] = set()
    todo = [name for name in names if name in by_name]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo.extend(by_name[name].requires)
    return [pin for pin in site.wheels if pin.name in reached]


def _items(lock: Lock) -> list[Item]:
    return [
        *(Item(pin.tier, "debs", pin.name, pin.size, pin.digest) for pin in lock.debs),
        *(Item(pin.tier, "wheels", pin.name, pin.size, pin.digest) for pin in lock.wheels),
    ]


def _number(text: str) -> int:
    return int(Digest.of(text.encode()).hex, 16)
