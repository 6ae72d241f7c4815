"""The plan: what a build would do to each layer, why, and what it costs. A pure value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ds01build import spec
from ds01build.quantities import counted
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
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ds01build.digest import Digest, Key
    from ds01build.graph import Graph, Node
    from ds01build.layer import Layer
    from ds01build.pin import DebPin, WheelPin
    from ds01build.spec import LayerSpec

__all__ = ["Action", "LayerStep", "Loan", "Plan", "Present", "Step", "make"]

_NAMED = 3  # packages of a reason

Action = Literal["reuse", "fetch", "write", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What the caller found: layers by key, and the files and facts that need no download."""

    layers: Mapping[Key, Layer]
    sources: Collection[Digest]  # wheels and .debs whose bytes are in the store
    facts: Collection[Digest]  # .debs whose facts are known without their bytes
    lent: Mapping[Digest, str] = field(default_factory=dict)  # blobs that another store has: which


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStep:
    """What happens to one layer of the stack."""

    tier: str
    spec: LayerSpec
    key: Key
    action: Action
    reason: str
    layer: Layer | None  # the one that is reused or fetched
    place: str = ""  # the store that it is fetched from


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
class Loan:
    """A blob that is copied out of another store of this machine: a layer, or a file of one."""

    digest: Digest
    size: int  # bytes
    place: str  # which store


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in the order of the graph, layers and what they take in stack order, lowest first."""

    steps: tuple[Step, ...]
    stack: tuple[LayerStep, ...]
    downloads: tuple[WheelPin | DebPin, ...]
    loans: tuple[Loan, ...]
    space: int  # bytes that the store grows by, estimated


def make(graph: Graph, present: Present) -> Plan:
    """Return the plan that realises ``graph``, given what is ``present``."""
    stack = _stack(graph, present)
    by_tier: dict[str, list[LayerStep]] = {}
    for step in stack:
        by_tier.setdefault(step.tier, []).append(step)
    seen: dict[Digest, WheelPin | DebPin] = {}
    held = {pin.tier for step in stack for pin in spec.sources(step.spec)}
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
                action=_action(layers),
                reason=_reason(node, layers, held),
                layers=layers,
                download=sum(pin.size for pin in fresh.values()),
            )
        )
    used = (pin.digest for step in stack for pin in spec.sources(step.spec))
    downloads = tuple(({digest: seen[digest] for digest in used if digest in seen} | seen).values())
    loans = _loans(stack, present)
    space = _space(stack, downloads) + sum(loan.size for loan in loans)
    return Plan(
        steps=tuple(steps), stack=stack, downloads=downloads, loans=tuple(loans), space=space
    )


def _action(layers: Sequence[LayerStep]) -> Action:
    actions: tuple[Action, ...] = ("run", "write", "fetch")
    return next((each for each in actions if each in {step.action for step in layers}), "reuse")


def _loans(stack: Iterable[LayerStep], present: Present) -> list[Loan]:
    sizes: dict[Digest, int] = {}
    for step in stack:
        if step.layer:
            sizes[step.layer.digest] = step.layer.size
        sizes.update((pin.digest, pin.size) for pin in _needed(step, present))
    return [
        Loan(digest=digest, size=size, place=present.lent[digest])
        for digest, size in sizes.items()
        if digest in present.lent
    ]


def _stack(graph: Graph, present: Present) -> tuple[LayerStep, ...]:
    steps: dict[Key, LayerStep] = {}
    made: list[LayerStep] = []
    for tier, layer in graph.stack:
        step = _layer_step(tier, layer, present, steps)
        steps[step.key] = step
        made.append(step)
    return tuple(made)


def _layer_step(
    tier: str, layer: LayerSpec, present: Present, below: Mapping[Key, LayerStep]
) -> LayerStep:
    key = spec.key(layer)
    found = present.layers.get(key)
    action: Action = "write"
    reason = f"the store has no layer for {key}"
    place = present.lent.get(found.digest, "") if found else ""
    if found and place:
        action, reason = "fetch", f"{found.digest} is in the read-only store {place}"
    elif found:
        action, reason = "reuse", f"{found.digest} is in the store"
    elif isinstance(layer, (InstallSpec, RunSpec)):
        action = "run"
        new = [below[key].tier for key in layer.below if not below[key].layer]
        what = (
            "packages are not installed"
            if isinstance(layer, InstallSpec)
            else "commands did not run"
        )
        reason = f"these {what} yet over what the tier stands on"
        if new:
            reason = f"run, unless {', '.join(dict.fromkeys(new))} comes out unchanged"
    return LayerStep(
        tier=tier, spec=layer, key=key, action=action, reason=reason, layer=found, place=place
    )


def _missing(step: LayerStep, present: Present) -> list[WheelPin | DebPin]:
    """Return the pins that have to be downloaded before the layer can be made."""
    return [pin for pin in _needed(step, present) if pin.digest not in present.sources]


def _needed(step: LayerStep, present: Present) -> list[WheelPin | DebPin]:
    """Return the pins whose bytes a layer is made from."""
    if step.layer:
        return []
    pins: Iterable[WheelPin | DebPin]
    known: Collection[Digest] = present.facts
    state = step.spec.base if isinstance(step.spec, FileSpec) else step.spec
    if isinstance(state, StateSpec):
        pins = state.debs
    else:
        pins, known = _files(step.spec), ()
    return [pin for pin in pins if pin.digest not in known]


def _files(layer: LayerSpec) -> tuple[WheelPin | DebPin, ...]:
    if isinstance(layer, WheelSpec):
        return layer.wheels
    return layer.debs if isinstance(layer, (DebSpec, InstallSpec)) else ()


def _reason(node: Node, layers: tuple[LayerStep, ...], held: Collection[str]) -> str:
    """Say why; ``held`` are the tiers that have packages in any layer."""
    new = [step for step in layers if not step.layer]
    if node.image and not new:
        return f"an image of {counted(len(node.image), 'layer')}"
    if not layers:
        is_held = node.name in held
        return "shares a layer with another tier" if is_held else "the base has all of it"
    if not new:
        return _fetched(layers) or "all layers are in the store"
    if new[0].action == "run":
        return new[0].reason
    names = [_named(step.spec) for step in new]
    lacking = (
        "none of its layers is"
        if len(new) == len(layers)
        else f"{len(new)} of {len(layers)} layers are not"
    )
    return f"{lacking} in the store: {_some([name for row in names for name in row])}"


def _fetched(layers: Sequence[LayerStep]) -> str:
    places = [step.place for step in layers if step.place]
    if not places:
        return ""
    what = "all layers are" if len(places) == len(layers) else f"{len(places)} of {len(layers)} are"
    return f"{what} in the read-only store {', '.join(dict.fromkeys(places))}"


def _named(layer: LayerSpec) -> list[str]:
    if isinstance(layer, RemovedSpec):
        return [f"{one.name} {one.version} of the base goes" for one in layer.removed]
    return [str(pin) for pin in spec.sources(layer)]


def _some(names: list[str]) -> str:
    shown, rest = names[:_NAMED], len(names) - _NAMED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def _space(stack: tuple[LayerStep, ...], downloads: tuple[WheelPin | DebPin, ...]) -> int:
    """Estimate bytes: wheels keep their size; xz to deflate grows a .deb by half, as measured.

    What commands will leave behind cannot be known.
    """
    total = sum(pin.size for pin in downloads)
    for step in stack:
        if not step.layer:
            size = sum(pin.size for pin in spec.sources(step.spec))
            grown = size + size // 50
            if isinstance(step.spec, (DebSpec, InstallSpec)):
                grown = size + size // 2
            total += grown if not isinstance(step.spec, StateSpec) else size // 20
    return total
