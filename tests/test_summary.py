"""What image-create says of a build before it begins is computed from its plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from values import an_image_lock, base_layer, layer_for, python_lock

from ds01build import graph, plan, spec
from ds01build.plan import Present
from ds01build.spec import InstallSpec, RunSpec
from ds01build.wizard import summary
from ds01build.wizard.summary import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.lock import Lock
    from ds01build.spec import LayerSpec


def summed(lock: Lock, *, has: Callable[[LayerSpec], bool]) -> Summary:
    """Return the summary where the store ``has`` some layers, of 500 bytes, and no file."""
    nodes = graph.of(lock)
    keys = [spec.key(layer) for _, layer in nodes.stack if has(layer)]
    layers = {key: layer_for(key) for key in keys}
    present = Present(layers=layers, sources=frozenset(), facts=frozenset())
    return summarise(lock, plan.make(nodes, present))


def is_executed(layer: LayerSpec) -> bool:
    return isinstance(layer, (InstallSpec, RunSpec))


def test_what_is_there_takes_no_time_and_counts_for_the_size() -> None:
    lock = an_image_lock()
    found = summed(lock, has=lambda _: True)
    assert (found.download, found.seconds) == (0, 0)
    assert found.added == 500 * len(lock.layers)
    assert found.base == base_layer(1).size + base_layer(2).size
    assert summary.duration(found.seconds) == "nothing: it is there"


def test_a_tier_that_is_executed_takes_time_though_nothing_is_fetched() -> None:
    commands = summed(an_image_lock(), has=lambda layer: not isinstance(layer, RunSpec))
    assert commands.download == 0
    assert commands.seconds == pytest.approx(12, abs=1)
    executed = summed(an_image_lock(), has=lambda layer: not is_executed(layer))
    assert executed.seconds == pytest.approx(32, abs=1)


def test_what_is_fetched_and_written_takes_time_though_nothing_is_executed() -> None:
    lock = python_lock(1)
    wheels = tuple(replace(pin, size=200_000_000) for pin in lock.wheels)
    found = summed(replace(lock, wheels=wheels), has=lambda _: False)
    assert found.download == 400_000_000 + lock.debs[0].size
    assert found.seconds == pytest.approx(2 + 400 / 20 + 400 / 60, abs=1)
    assert found.added == pytest.approx(400_000_000, rel=0.03), "what is fetched is no layer"
    assert found.base == 0, "it is made of .debs"


def test_packages_that_are_asked_for_are_told_from_all_that_are_locked() -> None:
    lock = an_image_lock()
    found = summed(lock, has=lambda _: True)
    assert (found.packages, found.there, found.locked) == (4, 0, 5)
    without = replace(lock, wheels=lock.wheels[1:])
    layers = tuple(each for each in lock.layers if each.names != ("numpy",))
    found = summarise(
        without, plan.make(graph.of(replace(without, removed=(), layers=layers[1:])), NOTHING)
    )
    assert (found.packages, found.there, found.locked) == (3, 1, 4)


NOTHING = Present(layers={}, sources=frozenset(), facts=frozenset())


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "nothing: it is there"),
        (0.9, "nothing: it is there"),
        (1, "about 5 seconds"),
        (12, "about 10 seconds"),
        (59, "about 60 seconds"),
        (60, "about 1 minute"),
        (150, "about 2 minutes"),
        (3600, "about 60 minutes"),
    ],
)
def test_a_time_is_told_as_roughly_as_it_is_known(seconds: float, told: str) -> None:
    assert summary.duration(seconds) == told
