from __future__ import annotations

import os
import threading
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

import pytest
from values import MIB, a_target, deb_pin, file, layer_for, wheel_pin

from ds01build import spec
from ds01build.layers import listing
from ds01build.plan import LayerStep, Plan
from ds01build.realise import Made, Materials, realise
from ds01build.realise.order import _Pool
from ds01build.realise.yielding import yielding
from ds01build.spec import DebSpec, WheelSpec
from ds01build.workflow.spools import no_spool

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ds01build.digest import Digest
    from ds01build.pin import DebPin, WheelPin
    from ds01build.spec import LayerSpec
    from ds01build.store import DirStore

pytest_plugins = ("store_fixtures",)


def step(layer: LayerSpec) -> LayerStep:
    key = spec.key(layer)
    return LayerStep(tier="a", spec=layer, key=key, action="write", reason="", layer=None)


def wheels(name: str, size: int) -> LayerStep:
    return step(WheelSpec(wheels=(wheel_pin(name, size=size),), target=a_target()))


def test_the_lowest_layer_that_is_ready_is_written_first() -> None:
    begun = threading.Event()
    free = threading.Event()
    order: list[LayerStep] = []

    def write(one: LayerStep) -> Made:
        order.append(one)
        begun.set()
        assert free.wait(10)
        return Made(step=one, layer=layer_for(one.key), action="written", listing={})

    first, small, large = wheels("first", 1), wheels("small", MIB), wheels("large", 20 * MIB)
    debs = step(DebSpec(debs=(replace(deb_pin("heavy"), size=4 * MIB),)))
    pool = _Pool(1, write, (small, debs, large, first))
    pool.submit(first)
    assert begun.wait(10)
    for each in (large, debs, small):
        pool.submit(each)
    free.set()
    pool.join()
    assert order == [first, small, debs, large]
    assert pool.results().keys() == {each.key for each in order}
    pool.close()


def test_all_but_the_lowest_layer_under_way_yield_to_it() -> None:
    first, second, third = wheels("first", 1), wheels("second", 2), wheels("third", 3)
    begun = {each.key: threading.Event() for each in (first, second, third)}
    free = threading.Event()
    priorities: dict[str, int] = {}

    def write(one: LayerStep) -> Made:
        priorities[str(one.key)] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        begun[one.key].set()
        assert free.wait(10)
        return Made(step=one, layer=layer_for(one.key), action="written", listing={})

    with closing(_Pool(3, write, (first, second, third))) as pool:
        for each in (second, third, first):
            pool.submit(each)
            assert begun[each.key].wait(10)
        free.set()
        pool.join()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [priorities[str(each.key)] - own for each in (first, second, third)] == [0, 0, 5]


def test_what_yields_raises_what_goes_wrong_in_it() -> None:
    def fail() -> None:
        raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        yielding(fail)
    assert yielding(threading.get_native_id) != threading.get_native_id()


@dataclass
class Remembered:
    """Facts in memory, which tell when they are asked for: a fake of Facts."""

    values: dict[str, object]
    asked: threading.Event = field(default_factory=threading.Event)

    def get(self, kind: str, key: str) -> object:
        assert kind == "listing"
        self.asked.set()
        return self.values.get(key)

    def put(self, kind: str, key: str, value: object) -> None:
        raise AssertionError(f"nothing new is known: {kind} {key} {value}")


class Nobody:
    """Is never asked to run anything: a fake of Executor."""

    def run(self, *_: object) -> NoReturn:
        raise AssertionError("nothing is executed")


def test_listings_of_what_is_there_are_read_while_the_rest_is_fetched(store: DirStore) -> None:
    steps = [wheels("here", 1), wheels("lent", 2)]
    here, lent = (replace(each, layer=layer_for(each.key)) for each in steps)
    here, lent = replace(here, action="reuse"), replace(lent, action="fetch")
    paths = {"a": file("a")}
    digests = [layer_for(each.key).diff_id for each in steps]
    facts = Remembered({str(diff_id): listing.to_json(paths) for diff_id in digests})

    def fetch(pins: Sequence[WheelPin | DebPin]) -> Generator[Digest, None, None]:
        assert facts.asked.wait(10), "nobody reads while something is fetched"
        yield from (pin.digest for pin in pins)

    def nobody(*_: object) -> NoReturn:
        raise AssertionError("nothing is written, and nobody is waited for")

    materials = Materials(
        store=store,
        facts=facts,
        fetch=fetch,
        read_file=nobody,
        executor=Nobody(),
        spool=no_spool,
        on_layer=nobody,
        on_wait=nobody,
    )
    downloads = (wheel_pin("other"),)
    plan = Plan(steps=(), stack=(here, lent), downloads=downloads, loans=(), space=0)
    made = realise(plan, materials, workers=1)
    assert [(each.action, each.listing) for each in made] == [
        ("reused", paths),
        ("fetched", paths),
    ]
