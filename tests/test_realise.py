from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from values import MIB, a_target, deb_pin, layer_for, wheel_pin

from ds01build import spec
from ds01build.plan import LayerStep
from ds01build.realise import Made
from ds01build.realise.order import _Pool
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
