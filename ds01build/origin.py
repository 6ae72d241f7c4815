"""Where a package comes from: who asks for it, what needs it, which tier and layer hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build import spec
from ds01build.grammar import requirement_name
from ds01build.lock import LockedDebian

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.digest import Key
    from ds01build.graph import Graph
    from ds01build.lock import Lock
    from ds01build.pin import DebPin, WheelPin

    Needs = Mapping[str, Sequence[str]]

__all__ = ["Asked", "Chain", "Holder", "Origin", "origins"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Asked:
    """A line of a recipe that asks for package ``name``, in its normal form, and its tier."""

    tier: str
    line: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Chain:
    """How a recipe comes to a package: ``names`` from the one asked for to the one it needs."""

    asked: Asked
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The layer that holds a package: ``place`` of ``total`` above the base image, from 1."""

    tier: str
    place: int
    total: int
    packages: int  # in that layer
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A locked package. ``needers`` need it themselves; ``chains`` has the shortest of each line.

    ``is_complete`` says whether what packages need of each other is known: a lock does not have
    that of .debs, which is known of those that have been unpacked here.
    """

    kind: Literal["python", "debian"]
    pin: WheelPin | DebPin
    holder: Holder | None
    asked: tuple[Asked, ...]
    needers: tuple[str, ...]
    chains: tuple[Chain, ...]
    is_complete: bool


def origins(lock: Lock, graph: Graph, name: str, debs: Needs) -> tuple[Origin, ...]:
    """Return the wheel and the .deb called ``name``, as far as the lock has them.

    ``debs`` are the names of other locked .debs that each needs, of those where it is known.
    """
    wheels = {pin.name: pin.requires for pin in lock.wheels}
    knows_debs = all(pin.name in debs for pin in lock.debs)
    found: list[Origin] = []
    for wheel in (pin for pin in lock.wheels if pin.name == name):
        origin = Origin(
            kind="python",
            pin=wheel,
            holder=_holder(graph, wheel),
            asked=tuple(each for each in _lines(lock) if each.name == name),
            needers=_needers(name, wheels),
            chains=_chains(name, _lines(lock), wheels),
            is_complete=True,
        )
        found.append(origin)
    for deb in (pin for pin in lock.debs if pin.name == name):
        origin = Origin(
            kind="debian",
            pin=deb,
            holder=_holder(graph, deb),
            asked=tuple(each for each in _deb_lines(lock) if each.name == name),
            needers=_needers(name, debs),
            chains=_chains(name, _deb_lines(lock), debs),
            is_complete=knows_debs,
        )
        found.append(origin)
    return tuple(found)


def _lines(lock: Lock) -> list[Asked]:
    return [
        Asked(tier=tier.name, line=line, name=requirement_name(line))
        for tier in lock.tiers
        if tier.kind == "python"
        for line in tier.requests
    ]


def _deb_lines(lock: Lock) -> list[Asked]:
    """Return the lines that ask for .debs; those of a Debian base itself are of tier base."""
    base = lock.base.packages if isinstance(lock.base, LockedDebian) else ()
    lines = [
        ("base", base),
        *((tier.name, tier.requests) for tier in lock.tiers if tier.kind == "apt"),
    ]
    return [
        Asked(tier=tier, line=line, name=line.partition("=")[0])
        for tier, requests in lines
        for line in requests
    ]


def _needers(name: str, needs: Needs) -> tuple[str, ...]:
    return tuple(sorted(needer for needer, needed in needs.items() if name in needed))


def _chains(name: str, asked: Iterable[Asked], needs: Needs) -> tuple[Chain, ...]:
    """Return the shortest way from each line to ``name``, shorter ways first."""
    following = _followers(name, needs)
    found = []
    for each in asked:
        names, here = [each.name], each.name
        while here != name and here in following:
            here = following[here]
            names.append(here)
        if here == name:
            found.append(Chain(asked=each, names=tuple(names)))
    return tuple(sorted(found, key=lambda chain: (len(chain.names), chain)))


def _followers(name: str, needs: Needs) -> dict[str, str]:
    """Return what comes after each package on its shortest way to ``name``."""
    needers: dict[str, list[str]] = {}
    for needer in sorted(needs):
        for needed in needs[needer]:
            needers.setdefault(needed, []).append(needer)
    following: dict[str, str] = {}
    todo = [name]
    for here in todo:  # which grows
        for needer in needers.get(here, ()):
            if needer not in following and needer != name:
                following[needer] = here
                todo.append(needer)
    return following


def _holder(graph: Graph, pin: WheelPin | DebPin) -> Holder | None:
    """Return the layer whose bytes are of ``pin``: the state of .debs, above, only speaks of it."""
    for place, (tier, layer) in enumerate(graph.stack, 1):
        if pin in spec.sources(layer):
            return Holder(
                tier=tier,
                place=place,
                total=len(graph.stack),
                packages=len(spec.sources(layer)),
                key=spec.key(layer),
            )
    return None
