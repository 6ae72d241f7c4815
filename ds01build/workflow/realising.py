"""Realises a lock: plan, fetch and make what is missing, assemble, load, publish."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.errors import CollisionError, StoreError, Unavailable
from ds01build.labels import labels_of
from ds01build.lock import LockedImage
from ds01build.pin import WheelPin
from ds01build.quantities import counted
from ds01build.workflow import owners, quick
from ds01build.workflow.assembling import assembled, title
from ds01build.workflow.built import Built, BuiltLayer
from ds01build.workflow.executing import Executing
from ds01build.workflow.lending import borrow
from ds01build.workflow.loading import Loader, engine_for
from ds01build.workflow.making import Making, Rising, made_of
from ds01build.workflow.planning import make_plan
from ds01build.workflow.publishing import drop_sources, publish
from ds01build.workflow.registered import registered
from ds01build.workflow.sourcing import build_again
from ds01build.workflow.spools import Spools, no_spool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.digest import Digest
    from ds01build.image import Image
    from ds01build.lock import Lock
    from ds01build.pin import DebPin
    from ds01build.realise import Made
    from ds01build.workflow.lending import Refused
    from ds01build.workflow.loading import InEngine
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.steps import Choices, Edges, Locked
    from ds01build.workflow.timer import Timer

__all__ = ["realise"]

_NAMED = 5  # packages of a message


def realise(locked: Locked, edges: Edges, choices: Choices, timer: Timer) -> Built:
    """Make the image of a lock that need not have been written yet, load it, and return it.

    Raises NotThere for what nobody serves any more, and every other error of ``building.build``.
    """
    edges.store.named()  # before anything is done that could not get its name
    engine = engine_for(choices.load, edges)  # nor for one that is not there
    with ExitStack() as stack:
        stack.enter_context(edges.store.lease(_used(locked.lock)))
        planned = _ready(locked, edges, choices)
        labels = labels_of(planned.locked.lock, planned.graph)
        executing = stack.enter_context(Executing(locked=locked, edges=edges, labels=labels))
        executing.require(planned.plan)
        room = planned.free - planned.plan.space
        spools = stack.enter_context(Spools(edges.store.aside, room)) if engine else None
        loader = Loader(engine=engine, edges=edges, spools=spools) if engine else None
        base = registered(locked.lock.base)
        own = len(planned.plan.stack)
        loading = stack.enter_context(loader.begin(base, labels, own)) if loader else None
        rising = Rising(planned.plan, loading.add if loading else lambda _: None)
        making = Making(
            executor=executing,
            timer=timer,
            take=rising.take,
            spool=spools.open if spools else no_spool,
        )
        made = made_of(planned, edges, making)
        image = _assembled(planned, made, edges)
        begin = timer.elapsed()
        loaded = loader.finish(loading, locked.lock.name, image) if loader and loading else None
        sent = executing.sent + (loaded.sent if loaded else 0)
        timer.load = timer.elapsed() - begin
        publish(image, locked, edges)  # last: what cannot be loaded is no generation
    if not choices.keep_sources:
        drop_sources(made, locked.lock if loaded else None, edges)
    built = _built(locked, (image, loaded), made, timer)
    built = replace(built, downloaded=sum(making.received), sent=sent)
    if locked.lock.recipe == locked.request.digest:
        # The bytes that were read at the start: a recipe may be edited while its build runs.
        key = quick.build_key(locked.request.content, locked.content)
        edges.store.record_document(key, quick.document(built, locked.request.included))
    return built


def _ready(locked: Locked, edges: Edges, choices: Choices) -> Planned:
    """Return a plan that nothing stands in the way of, with what it borrows at hand.

    What turns out to be damaged in a read-only store is planned for without it.
    """
    refused: Refused = frozenset()
    while True:
        planned = make_plan(locked, edges, refused)
        _refuse_offline(planned, choices)
        planned = _with_built(planned, edges, refused)
        _refuse_without_space(planned)
        failed = borrow(planned, edges)
        if not failed:
            return planned
        refused |= failed


def _used(lock: Lock) -> list[Digest]:
    pins: list[WheelPin | DebPin] = [*lock.wheels, *lock.debs]
    base = lock.base.layers if isinstance(lock.base, LockedImage) else ()
    return [*(pin.digest for pin in pins), *(layer.digest for layer in base)]


def _assembled(planned: Planned, made: Sequence[Made], edges: Edges) -> Image:
    try:
        return assembled(planned, made, edges)
    except CollisionError as error:
        layers = {f"{one.step.tier}: {title(one.step)}": one.step.spec for one in made}
        raise owners.named(error, layers, edges.store, edges.facts) from error


def _with_built(planned: Planned, edges: Edges, refused: Refused) -> Planned:
    """Build again the wheels that no index has and the store lacks, and plan with them."""
    lacking = [p for p in planned.plan.downloads if isinstance(p, WheelPin) and p.is_built]
    if not lacking:
        return planned
    build_again(lacking, planned.locked, edges)
    return make_plan(planned.locked, edges, refused)


def _refuse_offline(planned: Planned, choices: Choices) -> None:
    pins = planned.plan.downloads
    if choices.offline and pins:
        more = ", ..." if len(pins) > _NAMED else ""
        names = ", ".join(map(str, pins[:_NAMED])) + more
        lacking = counted(len(pins), "file")
        raise Unavailable(
            f"the store lacks {lacking}, and --offline forbids to fetch: {names}",
            hint=f"ds01 build {planned.locked.request.path}",
        )


def _refuse_without_space(planned: Planned) -> None:
    needed = planned.plan.space
    if needed > planned.free:
        raise StoreError(
            f"the build needs about {needed} bytes, and the store's file system has "
            f"{planned.free} left",
            hint="DS01_STORE=DIRECTORY selects another place",
        )


def _built(
    locked: Locked,
    outcome: tuple[Image, InEngine | None],
    made: Sequence[Made],
    timer: Timer,
) -> Built:
    image, loaded = outcome
    layers = tuple(
        BuiltLayer(
            tier=one.step.tier,
            digest=one.layer.digest,
            diff_id=one.layer.diff_id,
            size=one.layer.size,
            action=one.action,
            reason=one.step.reason,
        )
        for one in made
    )
    return Built(
        name=locked.lock.name,
        digest=image.digest,
        config_digest=image.config_digest,
        size=image.size,
        manifest_size=len(image.manifest),
        config_size=len(image.config),
        layers=layers,
        written=sum(layer.size for layer in layers if layer.action in ("written", "ran")),
        tag=loaded.tag if loaded else "",
        engine_id=loaded.engine_id if loaded else None,
        seconds=timer.seconds(),
    )
