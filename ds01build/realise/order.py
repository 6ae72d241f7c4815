"""The order in which layers are made: each as soon as what it is made from is there."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from itertools import chain
from queue import PriorityQueue
from typing import TYPE_CHECKING

from ds01build import spec
from ds01build.realise.workshop import Workshop
from ds01build.realise.yielding import yielding
from ds01build.spec import DebSpec, InstallSpec, RunSpec, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ds01build.digest import Digest, Key
    from ds01build.plan import LayerStep, Plan
    from ds01build.realise.materials import Made, Materials
    from ds01build.spec import LayerSpec

__all__ = ["realise"]


def realise(plan: Plan, materials: Materials, *, workers: int) -> tuple[Made, ...]:
    """Return the layers of ``plan`` in stack order after making those that do not exist.

    Layers are written by ``workers`` threads while later downloads still run. Raises what
    fetching, wheels, .debs and the store raise; what was finished by then stays in the store.
    """
    shop = Workshop(materials)
    there = [step for step in plan.stack if step.action in ("reuse", "fetch")]
    with (
        ThreadPoolExecutor(1, thread_name_prefix="listing") as reader,
        closing(materials.fetch(plan.downloads)) as arrivals,
        closing(_Pool(workers, shop.write, plan.stack)) as pool,
    ):
        # What is there is read while the rest is fetched: its listings take 50 ms of an update.
        reused = reader.submit(lambda: {step.key: shop.reuse(step) for step in there})
        early = {step.key: step for step in plan.stack if _is_early(step)}
        _write_early(early, arrivals, {pin.digest for pin in plan.downloads}, pool)
        made = {**reused.result(), **pool.results()}
    for step in plan.stack:
        if step.key not in made:
            made[step.key] = _make(step, shop, made)
    return tuple(made[step.key] for step in plan.stack)


def _make(step: LayerStep, shop: Workshop, made: Mapping[Key, Made]) -> Made:
    """Make one layer after those that lie below it in the stack."""
    if step.action == "write":
        return shop.write(step)
    assert isinstance(step.spec, (InstallSpec, RunSpec)), "others are written, or were there"
    return shop.execute(step, [made[key].layer for key in step.spec.below])


def _is_early(step: LayerStep) -> bool:
    """Wheels and .debs depend on nothing else; state and files need the facts of all .debs."""
    return step.action == "write" and isinstance(step.spec, (WheelSpec, DebSpec))


def _write_early(
    steps: Mapping[Key, LayerStep],
    arrivals: Iterable[Digest],
    expected: set[Digest],
    pool: _Pool,
) -> None:
    waiting = {key: _digests(step.spec) & expected for key, step in steps.items()}
    for digest in chain([None], arrivals):
        for missing in waiting.values():
            missing.discard(digest)
        for key in [key for key, missing in waiting.items() if not missing]:
            del waiting[key]
            pool.submit(steps[key])
        pool.raise_failure()
    pool.join()


def _digests(layer: LayerSpec) -> set[Digest | None]:
    return {pin.digest for pin in spec.sources(layer)}


class _Pool:
    """Threads that write layers, the lowest that is ready first; one failure stops the rest.

    Whoever takes layers from the lowest up, such as an engine, can so begin while others are made.
    For the same reason all but the lowest of those under way yield to that one, and to the engine.
    """

    def __init__(
        self, workers: int, write: Callable[[LayerStep], Made], stack: Iterable[LayerStep]
    ) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="layer")
        self._write = write
        self._places = {step.key: place for place, step in enumerate(stack)}
        self._ready: PriorityQueue[tuple[int, Key, LayerStep]] = PriorityQueue()
        self._futures: list[Future[Made]] = []
        self._lock = threading.Lock()
        self._begun: set[int] = set()  # places of what is being written

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def submit(self, step: LayerStep) -> None:
        self._ready.put((self._places[step.key], step.key, step))
        self._futures.append(self._executor.submit(self._write_lowest))

    def _write_lowest(self) -> Made:
        place, _, step = self._ready.get_nowait()
        with self._lock:
            is_lowest = all(place < other for other in self._begun)
            self._begun.add(place)
        try:
            return self._write(step) if is_lowest else yielding(partial(self._write, step))
        finally:
            with self._lock:
                self._begun.remove(place)

    def raise_failure(self) -> None:
        for future in self._futures:
            if future.done():
                future.result()

    def join(self) -> None:
        wait(self._futures, return_when=FIRST_EXCEPTION)
        self.raise_failure()

    def results(self) -> dict[Key, Made]:
        return {made.step.key: made for made in (future.result() for future in self._futures)}
