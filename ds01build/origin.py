"""Where a package comes from: who asks for it, which tier and layer hold it, what chose it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.grammar import requirement_name
from ds01build.lock import LockedDebian
from ds01build.spec import key as key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ds01build.digest import Key
    from ds01build.graph import Graph
    from ds01build.lock import Lock
    from ds01build.pin import DebPin, WheelPin

__all__ = ["Chain", "Holder", "Origin", "Request", "chains", "holder", "origins", "requests"]

Needs = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Request:
    """A line of a recipe that asks for a package, in its normal form, and the tier it is in."""

    tier: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Chain:
    """How a request comes to a package: the names from the one asked for to the one it needs."""

    request: Request
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The layer that holds a package: ``place`` of ``total`` above the base, counted from 1."""

    tier: str
    place: int
    total: int
    packages: int  # in that layer
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A locked package. ``needers`` are the packages that need it themselves.

    ``is_complete`` says whether what packages need of each other is known: of .debs it is once
    they have been unpacked here.
    """

    kind: Literal["python", "debian"]
    pin: WheelPin | DebPin
    holder: Holder | None
    requested: tuple[Request, ...]
    needers: tuple[str, ...]
    chains: tuple[Chain, ...]
    is_complete: bool = True


def origins(lock: Lock, graph: Graph, name: str, debs: Mapping[str, tuple[str, ...]]) -> list[Origin]:
    """Return the wheel and the .deb called ``name``, as far as the lock has them.

    ``debs`` are the names of other locked .debs that each needs, where that is known.
    """
    found = []
    wheels = {pin.name: pin.requires for pin in lock.wheels}
    for kind, pins, needs in (("python", lock.wheels, wheels), ("debian", lock.debs, {**debs})):
        for pin in pins:
            if pin.name == name:
                found.append(_origin(kind, pin, requests(lock, kind), needs, graph))
    return found
