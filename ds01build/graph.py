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
from ds01build.lock import LockedDebian, LockedImage, LockedLayer
from ds01build.spec import (
    DebSpec,
    FileSpec,
    InstallSpec,
    RemovedSpec,
    RunSpec,
    StateSpec,
    WheelSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.digest import Canonical, DiffId
    from ds01build.lock import Lock, LockedTier
    from ds01build.pin import DebPin, FilePin, WheelPin
    from ds01build.spec import Executed, LayerSpec

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
    image: tuple[DiffId, ...] = ()  # layers of the image that a base is

    @property
    def key(self) -> Key:
        """The input address of the node: that of its layers in any order."""
        layers: Canonical = sorted(str(spec.key(layer)) for layer in self.specs)
        inputs: dict[str, Canonical] = {"schema": SCHEMA, "kind": self.kind, "layers": layers}
        if self.image:
            inputs["image"] = [str(each) for each in self.image]
        return Key.of(inputs)


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
        name: Node(
            name=name,
            kind=kind,
            specs=tuple(specs.get(name, ())),
            needs=needs,
            image=_image(lock) if name == "base" else (),
        )
        for name, kind, needs in _tiers(lock)
    }
    return Graph(nodes=tuple(nodes[name] for name in _order(nodes)), stack=stack)


def _image(lock: Lock) -> tuple[DiffId, ...]:
    if isinstance(lock.base, LockedDebian):
        return ()
    return tuple(layer.diff_id for layer in lock.base.layers)


def _tiers(lock: Lock) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    yield "base", "base", ()
    for tier in lock.tiers:
        yield tier.name, tier.kind, ("base", *(need for need in tier.after if need != "base"))
    if not isinstance(lock.base, LockedDebian):
        return
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
    """Return the layers, lowest first; the state of a Debian base lies above all it speaks of.

    Over such a base declared files come last: they are small, so little is extracted anew when
    one changes. What an engine executes lies above whatever it needs.
    """
    making = _Making(lock)
    if not isinstance(lock.base, LockedDebian):
        return making.stack(lock.layers)
    executed = [layer for layer in lock.layers if layer.kind == "executed"]
    files = [layer for layer in lock.layers if layer.kind == "files"]
    below = [layer for layer in lock.layers if layer not in executed and layer not in files]
    return making.stack([*below, STATE_LAYER, *files, *executed])


STATE_LAYER = LockedLayer(tier=STATE, kind="state", names=())


class _Making:
    """Makes the specs of a lock's layers."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._wheels = {pin.name: pin for pin in lock.wheels}
        self._debs = {pin.name: pin for pin in lock.debs}
        self._files = {pin.to: pin for pin in lock.files}
        self._removed = {one.name: one for one in lock.removed}
        self._tiers = {tier.name: tier for tier in lock.tiers}

    @property
    def state(self) -> StateSpec:
        debs = tuple(self._debs[name] for name in sorted(self._debs))
        return StateSpec(debs=debs, architecture=self._lock.base.architecture)

    def stack(self, layers: Iterable[LockedLayer]) -> tuple[tuple[str, LayerSpec], ...]:
        """Return the specs of ``layers``; an executed one sees what lies below it and it needs."""
        rows: list[tuple[str, LayerSpec]] = []
        seen: list[tuple[frozenset[str], Key]] = []  # the tiers whose pins a layer has, its key
        for layer in layers:
            made = self._executed(layer, seen) if layer.kind == "executed" else self._made(layer)
            rows.append((layer.tier, made))
            seen.append((self._tiers_in(layer), spec.key(made)))
        return tuple(rows)

    def _tiers_in(self, layer: LockedLayer) -> frozenset[str]:
        """Return the tiers that a layer is of: more than one where there was no room for more."""
        pins: dict[str, Mapping[str, WheelPin | DebPin | FilePin]]
        pins = {"wheels": self._wheels, "debs": self._debs, "files": self._files}
        owned = pins.get(layer.kind, {})
        return frozenset({layer.tier, *(owned[name].tier for name in layer.names if owned)})

    def _made(self, layer: LockedLayer) -> LayerSpec:
        # Sorted, because a key says nothing of order: equal keys have to mean equal bytes.
        return (
            self.state if layer.kind == "state" else self._native(layer.kind, sorted(layer.names))
        )

    def _native(self, kind: str, names: Sequence[str]) -> LayerSpec:
        if kind == "wheels":
            assert self._lock.target is not None, "a lock with wheels has a target"
            wheels = tuple(self._wheels[name] for name in names)
            return WheelSpec(wheels=wheels, target=self._lock.target)
        if kind == "debs":
            return DebSpec(debs=tuple(self._debs[name] for name in names))
        base = self._lock.base
        if kind == "removed":
            assert isinstance(base, LockedImage), "only an image has what can be removed"
            removed = tuple(self._removed[name] for name in names)
            paths = [f"/{path}" for one in removed for path in one.paths]
            return RemovedSpec(removed=removed, ground=base.ground.towards(paths))
        files = tuple(self._files[name] for name in names)
        if isinstance(base, LockedDebian):
            return FileSpec(files=files, base=self.state)
        return FileSpec(files=files, base=base.ground.towards(pin.to for pin in files))

    def _executed(self, layer: LockedLayer, seen: Iterable[tuple[frozenset[str], Key]]) -> Executed:
        tier = self._tiers[layer.tier]
        needed = {"base", STATE, *_closure(tier, self._tiers)}
        below = tuple(key for tiers, key in seen if tiers & needed)
        image = _image(self._lock)
        if tier.kind == "apt":
            debs = tuple(pin for pin in self._lock.debs if pin.tier == tier.name)
            return InstallSpec(debs=debs, image=image, below=below)
        settings = self._lock.image
        return RunSpec(
            commands=tier.commands,
            network=tier.network,
            environment=settings.env,
            workdir=settings.workdir,
            image=image,
            below=below,
        )


def _closure(tier: LockedTier, tiers: Mapping[str, LockedTier]) -> set[str]:
    """Return the names of all tiers that ``tier`` needs, directly or through others."""
    reached: set[str] = set()
    todo = list(tier.after)
    while todo:
        name = todo.pop()
        if name not in reached and name in tiers:
            reached.add(name)
            todo.extend(tiers[name].after)
    return reached
