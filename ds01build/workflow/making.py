"""Makes the layers of a plan with the edges of a machine."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ds01build import beneath, spec
from ds01build.digest import Digest
from ds01build.errors import MismatchError
from ds01build.events import Expected, Written
from ds01build.realise import Materials, realise
from ds01build.spec import FileSpec, InstallSpec, RunSpec, StateSpec
from ds01build.workflow import downloads
from ds01build.workflow.assembling import title
from ds01build.workflow.spools import no_spool
from ds01build.workflow.transfers import once

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from contextlib import AbstractContextManager

    from ds01build.layer import Layer
    from ds01build.pin import DebPin, FilePin, WheelPin
    from ds01build.plan import LayerStep, Plan
    from ds01build.realise import Executor, Made, Spool
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.steps import Edges, Locked
    from ds01build.workflow.timer import Timer

__all__ = ["Making", "Rising", "made_of", "native"]


class Rising:
    """Hands layers on from the lowest of a stack up, whatever the order in which they are made."""

    def __init__(self, plan: Plan, add: Callable[[Layer], None]) -> None:
        self._add = add
        self._lock = threading.Lock()
        self._waiting = [step.key for step in reversed(plan.stack)]
        self._made = {step.key: step.layer for step in plan.stack if step.layer}
        self._rise()

    def take(self, step: LayerStep, layer: Layer) -> None:
        """Take a layer that was made just now; called from any thread."""
        with self._lock:
            self._made[step.key] = layer
            self._rise()

    def _rise(self) -> None:
        while self._waiting and self._waiting[-1] in self._made:
            self._add(self._made[self._waiting.pop()])


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What is told while the layers of a plan are made.

    ``received`` gets the sizes of what came over the network, ``take`` each layer that was made,
    and a ``spool`` its tar before that.
    """

    executor: Executor
    timer: Timer
    take: Callable[[LayerStep, Layer], None]
    spool: Callable[[], AbstractContextManager[Spool]] = no_spool
    received: list[int] = field(default_factory=list)


def made_of(planned: Planned, edges: Edges, making: Making) -> tuple[Made, ...]:
    """Return the layers of a plan, after making those that do not exist.

    Raises what fetching, making and executing raise.
    """
    timer = making.timer
    steps = [step for step in planned.plan.stack if not step.layer]
    pins = planned.plan.downloads
    size = sum(pin.size for pin in pins)
    edges.report(Expected(files=len(pins), size=size, layers=len(steps)))
    begin = timer.elapsed()
    note = once(edges.report)

    def fetched(pins: Sequence[WheelPin | DebPin]) -> Generator[Digest, None, None]:
        yield from downloads.arrivals(pins, planned.locked, edges, making.received)
        timer.fetch = timer.elapsed() - begin

    def written(step: LayerStep, layer: Layer) -> None:
        edges.report(Written(tier=step.tier, title=title(step), size=layer.size))
        making.take(step, layer)

    materials = Materials(
        store=edges.store,
        facts=edges.facts,
        fetch=fetched,
        read_file=lambda pin: _read_file(pin, planned.locked),
        executor=making.executor,
        spool=making.spool,
        on_layer=written,
        on_wait=lambda holder: note(f"waiting for what {holder} makes"),
    )
    made = realise(planned.plan, materials, workers=edges.workers)
    timer.layers = timer.elapsed() - begin
    return made


def _read_file(pin: FilePin, locked: Locked) -> bytes:
    content = beneath.read(locked.request.directory, pin.source)
    actual = Digest.of(content)
    if actual != pin.digest:
        raise MismatchError(
            where=pin.source,
            expected=str(pin.digest),
            actual=str(actual),
            hint=f"ds01 lock {locked.request.path}",
        )
    return content


def native(planned: Planned) -> Planned:
    """Return what of a plan is to be made and needs no engine for it."""
    stack = [
        step
        for step in planned.plan.stack
        if step.action == "write" and not isinstance(step.spec, (InstallSpec, RunSpec))
    ]
    read = {digest for step in stack for digest in _read(step)}
    pins = tuple(pin for pin in planned.plan.downloads if pin.digest in read)
    return replace(planned, plan=replace(planned.plan, stack=tuple(stack), downloads=pins))


def _read(step: LayerStep) -> Iterator[Digest]:
    layer = step.spec
    if isinstance(layer, FileSpec) and isinstance(layer.base, StateSpec):
        layer = layer.base
    return (pin.digest for pin in spec.sources(layer))
