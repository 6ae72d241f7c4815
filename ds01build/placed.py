"""The layers of a lock's image in their places, as far as they are known before they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build import graph, spec
from ds01build.lock import LockedImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.digest import DiffId, Key
    from ds01build.layer import Layer
    from ds01build.lock import Lock

__all__ = ["Placed", "stack_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A layer in its place. One that is not made yet has no diff_id, and its size is a guess.

    One that nobody knows the lock of has no key.
    """

    tier: str
    title: str
    size: int  # bytes, compressed
    key: Key | None = None
    diff_id: DiffId | None = None


def stack_of(lock: Lock, made: Mapping[Key, Layer]) -> tuple[Placed, ...]:
    """Return the layers of an image of ``lock``, lowest first; ``made`` are known already."""
    own = []
    for tier, layer in graph.of(lock).stack:
        key = spec.key(layer)
        found = made.get(key)
        guess = sum(pin.size for pin in spec.sources(layer))
        own.append(
            Placed(
                tier=tier,
                title=spec.title(layer),
                size=found.size if found else guess,
                key=key,
                diff_id=found.diff_id if found else None,
            )
        )
    return (*_base_stack(lock), *own)


def _base_stack(lock: Lock) -> tuple[Placed, ...]:
    if not isinstance(lock.base, LockedImage):
        return ()
    return tuple(
        Placed(tier="base", title="of the base image", size=layer.size, diff_id=layer.diff_id)
        for layer in lock.base.layers
    )
