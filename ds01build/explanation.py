"""Why each layer of a plan is reused or made: what of it differs from the last build."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from ds01build import spec
from ds01build.cause import Cause, causes, whole
from ds01build.change import changes
from ds01build.lock import LockedDebian, LockedImage, to_dict
from ds01build.pin import FilePin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.digest import Canonical, Key
    from ds01build.graph import Graph
    from ds01build.lock import Lock, LockedBase
    from ds01build.pin import DebPin, WheelPin
    from ds01build.plan import Action, LayerStep, Plan, Step
    from ds01build.spec import LayerSpec

__all__ = ["Explanation", "Last", "LayerReason", "TierReason", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The last build of a name: ``number`` of its generation, its lock and graph.

    ``recorded`` are the inputs of its layers that were written otherwise than this ds01 would, by
    the keys that this one would give them.
    """

    number: int
    lock: Lock
    graph: Graph
    recorded: Mapping[Key, Mapping[str, Canonical]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReason:
    """Why a layer is reused or made; ``causes`` are what differs from the layer ``was``.

    ``place`` is empty for one that the last build did not have; one that moved has the same bytes
    and lies over other layers. ``in_engine`` is None where no engine was asked.
    """

    tier: str
    title: str
    key: Key
    action: Action
    text: str
    place: Literal["", "in place", "moved"] = ""
    was: Key | None = None
    causes: tuple[Cause, ...] = ()
    in_engine: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierReason:
    """Why a tier is reused or made; ``causes`` are of a base image, others are of the layers."""

    name: str
    kind: str
    action: Action
    text: str
    layers: tuple[LayerReason, ...]
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The reasons of a plan, tiers in its order. ``generation`` is None without a last build.

    ``gone`` says of each tier of the last build that is no more what became of it, and names the
    packages that are gone with all of their layer.
    """

    name: str
    generation: int | None
    tiers: tuple[TierReason, ...]
    gone: tuple[str, ...] = ()


def explain(plan: Plan, lock: Lock, last: Last | None, in_engine: int | None = None) -> Explanation:
    """Return why each tier of ``plan``, which is of ``lock``, is reused or made.

    ``in_engine`` is how many layers of the image, from the lowest, an engine has already.
    """
    reasons = _compared(plan, lock, last) if last else [_alone(step) for step in plan.stack]
    if in_engine is not None:
        above = in_engine - (len(lock.base.layers) if isinstance(lock.base, LockedImage) else 0)
        reasons = [replace(each, in_engine=at < above) for at, each in enumerate(reasons)]
    rows = {
        step.name: tuple(each for each in reasons if each.tier == step.name) for step in plan.steps
    }
    return Explanation(
        name=lock.name,
        generation=last.number if last else None,
        tiers=tuple(_tier(step, rows[step.name], lock, last) for step in plan.steps),
        gone=(*_gone(plan, last), *_gone_packages(lock, last, reasons)) if last else (),
    )


def _alone(step: LayerStep) -> LayerReason:
    return LayerReason(
        tier=step.tier,
        title=spec.title(step.spec),
        key=step.key,
        action=step.action,
        text=step.reason,
    )


def _compared(plan: Plan, lock: Lock, last: Last) -> list[LayerReason]:
    """Return the reasons of the layers of ``plan``, lowest first."""
    now = whole(lock, {step.key: step.tier for step in plan.stack})
    rows = [(tier, layer, spec.key(layer)) for tier, layer in last.graph.stack]
    before = whole(last.lock, {key: tier for tier, _, key in rows})
    had = [*_image(last.lock.base), *(str(key) for _, _, key in rows if key not in last.recorded)]
    has = [*_image(lock.base), *(str(step.key) for step in plan.stack)]
    same = _common(had, has) - len(_image(lock.base))
    gone = {key for _, _, key in rows} - {step.key for step in plan.stack} | {*last.recorded}
    reasons = []
    for place, step in enumerate(plan.stack):
        if str(step.key) in had:
            reasons.append(_unchanged(step, last, is_in_place=place < same))
            continue
        old = _counterpart(step, [row for row in rows if row[2] in gone])
        inputs = last.recorded.get(old[1], spec.inputs(old[0])) if old else None
        why = causes(spec.inputs(step.spec), now, inputs, before)
        reasons.append(_changed(step, last, old[1] if old else None, why))
    return reasons


def _image(base: LockedBase) -> list[str]:
    return [] if isinstance(base, LockedDebian) else [str(each.diff_id) for each in base.layers]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _counterpart(
    step: LayerStep, rows: Sequence[tuple[str, LayerSpec, Key]]
) -> tuple[LayerSpec, Key] | None:
    """Return the layer of the last build that has most in common with that of ``step``.

    That is one of the same kind with a name in common; native layers without names, and those that
    an engine executes, are recognised by their tier.
    """
    names = _names(step.spec)
    best: tuple[int, bool, LayerSpec, Key] | None = None
    for tier, layer, key in rows:
        if type(layer) is not type(step.spec):
            continue
        rank = len(names & _names(layer)), tier == step.tier
        is_like = rank[0] > 0 or (rank[1] and not isinstance(layer, (spec.WheelSpec, spec.DebSpec)))
        if is_like and (best is None or rank > best[:2]):
            best = (*rank, layer, key)
    return best[2:] if best else None


def _names(layer: LayerSpec) -> set[str]:
    if isinstance(layer, spec.RemovedSpec):
        return {one.name for one in layer.removed}
    pins = spec.sources(layer)
    return {pin.to if isinstance(pin, FilePin) else pin.name for pin in pins}


def _unchanged(step: LayerStep, last: Last, *, is_in_place: bool) -> LayerReason:
    text = f"as in generation {last.number}"
    if step.action != "reuse":
        text = f"nothing differs from generation {last.number}, but the store lacks its layer now"
    elif not is_in_place:
        text += ", over other layers now"
    place: Literal["in place", "moved"] = "in place" if is_in_place else "moved"
    return replace(_alone(step), text=text, place=place, was=step.key)


def _changed(step: LayerStep, last: Last, was: Key | None, why: tuple[Cause, ...]) -> LayerReason:
    text = f"differs from generation {last.number}"
    if was is None:
        text = f"generation {last.number} had no layer like it"
    if step.action == "reuse":
        text += "; the store has it from another build"
    elif step.reason.startswith("run, unless"):
        text += f"; {step.reason.removeprefix('run, ')}"
    return replace(_alone(step), text=text, was=was, causes=why)


def _tier(step: Step, layers: tuple[LayerReason, ...], lock: Lock, last: Last | None) -> TierReason:
    why = _base_causes(lock, last.lock) if last and step.name == "base" else ()
    return TierReason(
        name=step.name,
        kind=step.kind,
        action=step.action,
        text=_tier_text(layers, why, last) if last and (layers or why) else step.reason,
        layers=layers,
        causes=why,
    )


def _tier_text(layers: Sequence[LayerReason], why: Sequence[Cause], last: Last) -> str:
    if why:
        return f"another base than that of generation {last.number}"
    made = [each for each in layers if each.action != "reuse"]
    moved = [each for each in layers if each.place == "moved"]
    new = [each for each in layers if not each.place]
    if made:
        return f"{len(made)} of {_layers(layers)} to make"
    if new:
        return f"{len(new)} of {_layers(layers)} as another build left them in the store"
    if moved:
        return f"as in generation {last.number}, {len(moved)} of {_layers(layers)} over others now"
    return f"as in generation {last.number}"


def _layers(layers: Sequence[LayerReason]) -> str:
    return f"{len(layers)} layer{'' if len(layers) == 1 else 's'}"


def _base_causes(lock: Lock, before: Lock) -> tuple[Cause, ...]:
    """Return what of a base image differs, its layers taken together."""
    if isinstance(lock.base, LockedDebian) and isinstance(before.base, LockedDebian):
        return ()
    old, new = (_described(each) for each in (before, lock))
    found = [
        Cause(
            kind="base", name=each.field, before=each.before or "none", after=each.after or "none"
        )
        for each in changes(old, new)
    ]
    had, has = _image(before.base), _image(lock.base)
    if had != has:
        shared = f"{_common(had, has)} of {len(has)} shared"
        found.append(Cause(kind="base", name="layers", before=str(len(had)), after=shared))
    return tuple(found)


def _described(lock: Lock) -> dict[str, Canonical]:
    base = to_dict(lock)["base"]
    assert isinstance(base, dict), "the form of a lock"
    apart = ("layer", "directories", "links", "packages")
    return {name: value for name, value in base.items() if name not in apart}


def _gone(plan: Plan, last: Last) -> tuple[str, ...]:
    """Say of each tier of the last build that is no more what became of it."""
    names = {step.name for step in plan.steps}
    now = {step.key: step.tier for step in plan.stack}
    texts = []
    for node in last.graph.nodes:
        if node.name not in names:
            heirs = {now.get(spec.key(layer)) for layer in node.specs} - {None}
            text = f"is called {heirs.pop()} now" if len(heirs) == 1 else "is no more"
            texts.append(f"tier {node.name} {text}")
    return tuple(texts)


def _gone_packages(lock: Lock, last: Last, reasons: Sequence[LayerReason]) -> list[str]:
    """Say which packages are gone that no layer which is there can tell of."""
    told = {cause.name for each in reasons for cause in each.causes}
    had: list[WheelPin | DebPin] = [*last.lock.wheels, *last.lock.debs]
    now = {pin.name for pin in lock.wheels} | {pin.name for pin in lock.debs}
    return [
        f"package {pin.name} {pin.version} of tier {pin.tier} is gone"
        for pin in had
        if pin.name not in now | told
    ]
