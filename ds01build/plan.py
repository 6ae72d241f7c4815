"""The plan: what a build would do to each layer, why, and what it costs. A pure value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build import spec
from ds01build.spec import DebSpec, FileSpec, StateSpec, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ds01build.digest import Digest, Key
    from ds01build.graph import Graph
    from ds01build.layer import Layer
    from ds01build.pin import DebPin, WheelPin
    from ds01build.spec import LayerSpec

__all__ = ["Action", "LayerStep", "Plan", "Present", "Step", "make"]

_NAMED = 3  # packages of a reason

Action = Literal["reuse", "fetch", "write", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What the caller found: layers by key, and the files and facts that need no download."""

    layers: Mapping[Key, Layer]
    sources: Collection[Digest]  # wheels and .debs whose bytes are in the store
    facts: Collection[Digest]  # .debs whose facts are known without their bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStep:
    """What happens to one layer of the stack."""

    tier: str
    spec: LayerSpec
    key: Key
    action: Action
    reason: str
    layer: Layer | None  # the one that is reused


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one node, its layers taken together."""

    name: str
    kind: str
    key: Key
    action: Action
    reason: str
    layers: tuple[LayerStep, ...]
    download: int  # bytes; what several nodes need counts for the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in the order of the graph, and the layers in stack order, lowest first."""

    steps: tuple[Step, ...]
    stack: tuple[LayerStep, ...]
    downloads: tuple[WheelPin | DebPin, ...]
    space: int  # bytes that the store grows by, at the most; an estimate


def make(graph: Graph, present: Present) -> Plan:
    """Return the plan that realises ``graph``, given what is ``present``."""
    stack = tuple(_layer_step(tier, layer, present) for tier, layer in graph.stack)
    by_tier: dict[str, list[LayerStep]] = {}
    for step in stack:
        by_tier.setdefault(step.tier, []).append(step)
    seen: dict[Digest, WheelPin | DebPin] = {}
    steps: list[Step] = []
    for node in graph.nodes:
        layers = tuple(by_tier.get(node.name, ()))
        missing = {pin.digest: pin for step in layers for pin in _missing(step, present)}
        fresh = {digest: pin for digest, pin in missing.items() if digest not in seen}
        seen.update(fresh)
        steps.append(
            Step(
                name=node.name,
                kind=node.kind,
                key=node.key,
                action="write" if any(step.action == "write" for step in layers) else "reuse",
                reason=_reason(layers),
                layers=layers,
                download=sum(pin.size for pin in fresh.values()),
            )
        )
    downloads = tuple(seen.values())
    return Plan(
        steps=tuple(steps), stack=stack, downloads=downloads, space=_space(stack, downloads)
    )


def _layer_step(tier: str, layer: LayerSpec, present: Present) -> LayerStep:
    key = spec.key(layer)
    found = present.layers.get(key)
    return LayerStep(
        tier=tier,
        spec=layer,
        key=key,
        action="reuse" if found else "write",
        reason=f"{found.digest} is in the store" if found else f"the store has no layer for {key}",
        layer=found,
    )


def _missing(step: LayerStep, present: Present) -> list[WheelPin | DebPin]:
    """Return the pins that have to be downloaded before the layer can be written."""
    if step.action == "reuse":
        return []
    pins: Iterable[WheelPin | DebPin]
    known: Collection[Digest] = present.facts
    if isinstance(step.spec, FileSpec):
        pins = step.spec.base.debs
    elif isinstance(step.spec, StateSpec):
        pins = step.spec.debs
    else:
        pins, known = _files(step.spec), ()
    return [pin for pin in pins if pin.digest not in present.sources and pin.digest not in known]


def _files(layer: WheelSpec | DebSpec) -> tuple[WheelPin, ...] | tuple[DebPin, ...]:
    return layer.wheels if isinstance(layer, WheelSpec) else layer.debs


def _reason(layers: tuple[LayerStep, ...]) -> str:
    new = [step for step in layers if step.action == "write"]
    if not layers:
        return "shares a layer with another tier"
    if not new:
        return "all layers are in the store"
    names = [str(pin) for step in new for pin in spec.sources(step.spec)]
    lacking = (
        "none of its layers is"
        if len(new) == len(layers)
        else f"{len(new)} of {len(layers)} layers are not"
    )
    return f"{lacking} in the store: {_some(names)}"


def _some(names: list[str]) -> str:
    shown, rest = names[:_NAMED], len(names) - _NAMED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def _space(stack: tuple[LayerStep, ...], downloads: tuple[WheelPin | DebPin, ...]) -> int:
    """Estimate bytes: wheels keep their size; xz to deflate grows a .deb by half, as measured."""
    total = sum(pin.size for pin in downloads)
    for step in stack:
        if step.action == "write":
            size = sum(pin.size for pin in spec.sources(step.spec))
            grown = size + size // 2 if isinstance(step.spec, DebSpec) else size + size // 50
            total += grown if not isinstance(step.spec, StateSpec) else size // 20
    return total
