"""What a build of a lock would do, given what the store has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from ds01build import graph, plan, spec
from ds01build.digest import Key
from ds01build.layers.wheel import check_platform
from ds01build.lock import LockedDebian
from ds01build.plan import Present
from ds01build.platform import wheel_tags
from ds01build.spec import InstallSpec, RunSpec
from ds01build.store.durable import free_bytes
from ds01build.workflow.footing import locked_platform
from ds01build.workflow.lending import Reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.graph import Graph
    from ds01build.layer import Layer
    from ds01build.pin import DebPin, WheelPin
    from ds01build.plan import Plan
    from ds01build.workflow.lending import Refused
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["Planned", "make_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What would be done for a lock; ``free`` is what the store's file system has left.

    ``scripts`` is what the maintainer scripts of a .deb would do and ds01 does not, by package;
    ``unread`` are the .debs whose scripts have not been seen on this machine yet.
    """

    locked: Locked
    graph: Graph
    plan: Plan
    free: int  # bytes
    scripts: Mapping[str, tuple[str, ...]]
    unread: tuple[str, ...]


def make_plan(locked: Locked, edges: Edges, refused: Refused = frozenset()) -> Planned:
    """Return what a build of ``locked`` would do, given what the store has.

    What is in a read-only store counts, but for what is ``refused``. Raises RejectedFile for a
    wheel of another platform: an edited lock may name one.
    """
    platform = locked_platform(locked.lock)
    tags = wheel_tags(platform) if platform else {}
    for wheel in locked.lock.wheels:
        check_platform(wheel, tags)
    made = graph.of(locked.lock)
    store, facts = edges.store, edges.facts
    pins: list[WheelPin | DebPin] = [*locked.lock.wheels, *locked.lock.debs]
    # Over an image an engine runs the scripts of .debs.
    unpacked = locked.lock.debs if isinstance(locked.lock.base, LockedDebian) else ()
    seen = {pin: facts.get("scripts", str(pin.digest)) for pin in unpacked}
    scripts = {pin.name: tuple(map(str, found)) for pin, found in seen.items() if _is_list(found)}
    reach = Reach(store, edges.lenders, refused)
    present = Present(
        layers=_known_layers(made, reach),
        sources=frozenset(pin.digest for pin in pins if reach.has(pin.digest, pin.size)),
        facts=frozenset(pin.digest for pin in unpacked if pin.name in scripts),
        lent=reach.lent,
    )
    return Planned(
        locked=locked,
        graph=made,
        plan=plan.make(made, present),
        free=free_bytes(store.root),
        scripts={name: missing for name, missing in scripts.items() if missing},
        unread=tuple(pin.name for pin in unpacked if pin.name not in scripts),
    )


def _known_layers(made: Graph, store: Reach) -> dict[Key, Layer]:
    """Return the layers that are there: by what would be done, or by what it would be done to."""
    known: dict[Key, Layer] = {}
    for _, layer in made.stack:
        key = spec.key(layer)
        found = store.layer(key)
        if found is None and isinstance(layer, (InstallSpec, RunSpec)):
            below = [known[each] for each in layer.below if each in known]
            if len(below) == len(layer.below):
                outcome = spec.outcome_inputs(layer, (each.diff_id for each in below))
                found = store.layer(Key.of(outcome))
        if found is not None:
            known[key] = found
    return known


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
