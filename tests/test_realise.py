from __future__ import annotations

import os
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from values import MIB, a_target, deb_pin, layer_for, wheel_pin

from ds01build import spec
from ds01build.plan import LayerStep
from ds01build.realise import Made
from ds01build.realise.order import _Pool
from ds01build.realise.yielding import yielding
from ds01build.spec import DebSpec, WheelSpec

if TYPE_CHECKING:
    from ds01build.spec import LayerSpec


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
