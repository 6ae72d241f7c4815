"""The graph: one node per tier, edges for real needs, keys for what each node would make.

The only module that imports networkx; its types appear in no signature.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import networkx as nx

from ds01build import spec
from ds01build.digest import Key
from ds01build.errors import CycleError
from ds01build.spec import DebSpec, FileSpec, StateSpec, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.digest import Canonical
    from ds01build.lock import Lock, LockedLayer
    from ds01build.pin import DebPin, FilePin, WheelPin
    from ds01build.spec import LayerSpec

__all__ = ["STATE", "Graph", "Node", "of"]

STATE = "(state)"  # not a possible tier name

SCHEMA = "ds01.node/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A tier with everything resolved. ``name`` and ``needs`` are labels, not part of the key."""

    name: str
    kind: str
    specs: tuple[LayerSpec, ...]
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """The input address of the node: that of its layers in any order."""
        layers: Canonical = sorted(str(spec.key(layer)) for layer in self.specs)
        return Key.of({"schema": SCHEMA, "kind": self.kind, "layers": layers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes in an order in which each follows what it needs, and the layers in stack order."""

    nodes: tuple[Node, ...]
    stack: tuple[tuple[str, LayerSpec], ...] = field(repr=False)  # (node name, layer)

    def edges(self) -> tuple[tuple[str, str], ...]:
        """Return (needed, needing) pairs of node names."""
        return tuple((need, node.name) for node in self.nodes for need in node.needs)


def of(lock: Lock) -> Graph:
    """Return the graph of ``lock``.

    Raises CycleError when tiers need each other.
    """
    stack = _stack(lock)
    specs: dict[str, list[LayerSpec]] = {}
    for name, layer in stack:
        specs.setdefault(name, []).append(layer)
    nodes = {
        name: Node(name=name, kind=kind, specs=tuple(specs.get(name, ())), needs=needs)
        for name, kind, needs in _tiers(lock)
    }
    return Graph(nodes=tuple(nodes[name] for name in _order(nodes)), stack=stack)


def _tiers(lock: Lock) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    yield "base", "base", ()
    for tier in lock.tiers:
        yield tier.name, tier.kind, ("base", *(need for need in tier.after if need != "base"))
    apt = tuple(tier.name for tier in lock.tiers if tier.kind == "apt")
    yield STATE, "state", ("base", *apt)


def _order(nodes: Mapping[str, Node]) -> list[str]:
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from((need, node.name) for node in nodes.values() for need in node.needs)
    place = {name: number for number, name in enumerate(nodes)}
    try:
        return list(nx.lexicographical_topological_sort(graph, key=place.__getitem__))
    except nx.NetworkXUnfeasible:
        cycle = [edge[0] for edge in nx.find_cycle(graph)]
        raise CycleError(cycle=(*cycle, cycle[0])) from None


def _stack(lock: Lock) -> tuple[tuple[str, LayerSpec], ...]:
    """Return the layers, lowest first; the state lies above all that it speaks of.

    Declared files come last: they are small, so little is extracted anew when one changes.
    """
    debs = {pin.name: pin for pin in lock.debs}
    state = StateSpec(
        debs=tuple(debs[name] for name in sorted(debs)), architecture=lock.base.architecture
    )
    pins = _Pins(
        wheels={pin.name: pin for pin in lock.wheels},
        debs=debs,
        files={pin.to: pin for pin in lock.files},
    )
    made = [(layer.tier, _spec(layer, pins, lock, state)) for layer in lock.layers]
    below = [row for row in made if not isinstance(row[1], FileSpec)]
    above = [row for row in made if isinstance(row[1], FileSpec)]
    return (*below, (STATE, state), *above)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pins:
    wheels: Mapping[str, WheelPin]
    debs: Mapping[str, DebPin]
    files: Mapping[str, FilePin]


def _spec(layer: LockedLayer, pins: _Pins, lock: Lock, state: StateSpec) -> LayerSpec:
    # Sorted, because a key says nothing of order: equal keys have to mean equal bytes.
    names = sorted(layer.names)
    if layer.kind == "wheels":
        return WheelSpec(wheels=tuple(pins.wheels[name] for name in names), target=lock.target)
    if layer.kind == "debs":
        return DebSpec(debs=tuple(pins.debs[name] for name in names))
    return FileSpec(files=tuple(pins.files[name] for name in names), base=state)
