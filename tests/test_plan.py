from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import MIB, a_lock, layer_for, python_lock

from ds01build import graph, plan, spec
from ds01build.graph import STATE
from ds01build.grouping import BUDGET, Item, group
from ds01build.lock import LockedLayer
from ds01build.plan import Plan, Present

if TYPE_CHECKING:
    from collections.abc import Collection

    from ds01build.digest import Digest, Key
    from ds01build.lock import Lock

NOTHING = Present(layers={}, sources=frozenset(), facts=frozenset())


def keys_of(lock: Lock) -> list[Key]:
    return [spec.key(layer) for _, layer in graph.of(lock).stack]


def with_layers(keys: Collection[Key]) -> Present:
    return replace(NOTHING, layers={key: layer_for(key) for key in keys})


def make(lock: Lock, present: Present = NOTHING) -> Plan:
    return plan.make(graph.of(lock), present)


def names(made: Plan) -> list[str]:
    return sorted(pin.name for pin in made.downloads)


def actions(made: Plan) -> dict[str, str]:
    return {step.name: step.action for step in made.steps}


def test_where_all_layers_are_present_nothing_is_done() -> None:
    lock = a_lock()
    made = make(lock, with_layers(keys_of(lock)))
    assert set(actions(made).values()) == {"reuse"}
    assert [step.layer for step in made.stack] == [layer_for(key) for key in keys_of(lock)]
    assert (made.downloads, made.space) == ((), 0)
    assert {step.download for step in made.steps} == {0}


def test_what_another_store_has_is_fetched_from_there_and_downloaded_by_nobody() -> None:
    lock = a_lock()
    wheels, rest = keys_of(lock)[2], keys_of(lock)[3:]
    layer, libc = layer_for(wheels), lock.debs[1].digest
    present = replace(
        with_layers([wheels, *rest]), sources={libc}, lent={layer.digest: "/site", libc: "/site"}
    )
    made = make(lock, present)
    assert actions(made) == {
        **dict.fromkeys(("base", "system"), "write"),
        "work": "fetch",
        STATE: "reuse",
        "config": "reuse",
    }
    by_name = {step.name: step.reason for step in made.steps}
    assert by_name["work"] == "1 of 2 are in the read-only store /site"
    assert [(loan.digest, loan.size) for loan in made.loans] == [
        (libc, lock.debs[1].size),
        (layer.digest, layer.size),
    ]
    assert names(made) == ["git"]
    assert made.space == make(lock, replace(present, lent={})).space + layer.size + 2000


def test_where_nothing_is_present_everything_is_downloaded_once_and_written() -> None:
    lock = a_lock()
    made = make(lock)
    assert set(actions(made).values()) == {"write"}
    assert names(made) == ["git", "libc6", "numpy", "pandas", "six"]
    assert [step.layer for step in made.stack] == [None] * 6
    assert sum(step.download for step in made.steps) == sum(pin.size for pin in made.downloads)


def test_files_are_downloaded_from_the_lowest_layer_up() -> None:
    lock = a_lock()
    for layers in (lock.layers, lock.layers[::-1]):
        made = make(replace(lock, layers=layers))
        used = [pin.digest for step in made.stack for pin in spec.sources(step.spec)]
        places = [used.index(pin.digest) for pin in made.downloads]
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("place", "tier", "downloads"),
    [
        (0, "base", ["libc6"]),
        (1, "system", ["git"]),
        (2, "work", ["numpy"]),
        (3, "work", ["pandas", "six"]),
        (4, STATE, ["git", "libc6"]),
        (5, "config", ["git", "libc6"]),  # a file needs the directories of all .debs
    ],
)
def test_one_layer_that_is_missing_is_written_alone(
    place: int, tier: str, downloads: list[str]
) -> None:
    lock = a_lock()
    keys = keys_of(lock)
    made = make(lock, with_layers({*keys} - {keys[place]}))
    assert [name for name, action in actions(made).items() if action == "write"] == [tier]
    assert [step.key for step in made.stack if step.action == "write"] == [keys[place]]
    assert names(made) == downloads
    download = {step.name: step.download for step in made.steps if step.download}
    assert download == {tier: sum(pin.size for pin in made.downloads)}


def test_what_is_held_is_not_downloaded() -> None:
    lock = a_lock()
    held = {pin.digest for pin in lock.debs} | {pin.digest for pin in lock.wheels[:2]}
    assert names(make(lock, replace(NOTHING, sources=held))) == ["six"]


def test_facts_stand_for_a_deb_where_its_bytes_are_not_needed() -> None:
    lock = a_lock()
    state = keys_of(lock)[4:]  # and the declared files
    present = with_layers({*keys_of(lock)} - {*state})
    facts: Collection[Digest] = frozenset(pin.digest for pin in lock.debs)
    assert names(make(lock, replace(present, facts=facts))) == []
    assert names(make(lock, replace(NOTHING, facts=facts)))[:2] == ["git", "libc6"]


def test_a_deb_that_two_layers_need_counts_once_for_the_first() -> None:
    download = {step.name: step.download for step in make(a_lock()).steps}
    assert (download["base"], download["system"]) == (2000, 2000)
    assert (download[STATE], download["config"]) == (0, 0)


def test_tiers_with_equal_layers_share_their_downloads() -> None:
    lock = a_lock()
    same = replace(lock.wheels[2], name="five", tier="config")
    layer = replace(lock.layers[3], tier="config", names=("five",))
    made = make(replace(lock, wheels=(*lock.wheels, same), layers=(*lock.layers, layer)))
    assert len(made.downloads) == 5


@given(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 4)))
def test_steps_are_those_of_the_graph_with_a_reason_each(
    layers: set[int], sources: set[int]
) -> None:
    lock = a_lock()
    keys = keys_of(lock)
    pins = [*(pin.digest for pin in lock.debs), *(pin.digest for pin in lock.wheels)]
    held = frozenset(pins[place] for place in sources)
    made = make(lock, replace(with_layers({keys[place] for place in layers}), sources=held))
    assert [step.name for step in made.steps] == [node.name for node in graph.of(lock).nodes]
    assert [step.key for step in made.stack] == keys
    assert all(step.reason and len(step.reason.splitlines()) == 1 for step in made.steps)
    assert all(step.reason for step in made.stack)
    assert not {pin.digest for pin in made.downloads} & held
    assert sum(step.download for step in made.steps) == sum(pin.size for pin in made.downloads)
    for step in made.steps:
        assert (step.action == "write") == any(one.action == "write" for one in step.layers)


def test_reasons_say_what_is_missing() -> None:
    lock = a_lock()
    keys = keys_of(lock)
    made = make(lock, with_layers({keys[0], keys[2]}))
    reasons = {step.name: step.reason for step in made.steps}
    assert reasons["base"] == "all layers are in the store"
    assert reasons["system"] == "none of its layers is in the store: git=1.0-1"
    assert reasons["work"] == "1 of 2 layers are not in the store: pandas==1.0, six==1.0"
    assert made.stack[0].reason == f"{layer_for(keys[0]).digest} is in the store"
    assert made.stack[1].reason == f"the store has no layer for {keys[1]}"


def test_a_long_reason_names_three_packages() -> None:
    lock = python_lock(3)
    layers = tuple(replace(layer, tier="tier-0") for layer in lock.layers[1:])
    lock = replace(lock, layers=(*lock.layers[:1], *layers))
    keys = keys_of(lock)
    step = next(s for s in make(lock, with_layers({keys[1]})).steps if s.name == "tier-0")
    expected = "2 of 3 layers are not in the store: a1==1.0, b1==1.0, a2==1.0 and 1 more"
    assert step.reason == expected


def test_a_tier_whose_pins_lie_in_another_tier_s_layer_says_so() -> None:
    lock = a_lock()
    lock = replace(lock, tiers=(*lock.tiers, replace(lock.tiers[1], name="more")))
    step = next(step for step in make(lock).steps if step.name == "more")
    assert (step.action, step.reason) == ("reuse", "the base has all of it")
    last = replace(lock.wheels[-1], tier="more")
    lock = replace(lock, wheels=(*lock.wheels[:-1], last))
    step = next(step for step in make(lock).steps if step.name == "more")
    assert (step.action, step.reason) == ("reuse", "shares a layer with another tier")


@given(st.sets(st.integers(0, 5)), st.integers(0, 5))
def test_the_space_grows_with_what_is_written(places: set[int], more: int) -> None:
    lock = a_lock()
    keys = keys_of(lock)
    less = make(lock, with_layers({keys[place] for place in places | {more}}))
    assert make(lock, with_layers({keys[place] for place in places})).space >= less.space


def test_the_space_holds_downloads_and_layers() -> None:
    lock = a_lock()
    made = make(lock)
    wheels = sum(pin.size for pin in lock.wheels)
    downloads = sum(pin.size for pin in made.downloads)
    assert wheels + downloads < made.space < 1.05 * (wheels + downloads) + MIB


def test_a_plan_is_the_same_value_each_time() -> None:
    assert make(a_lock()) == make(a_lock())


def seconds_of(lock: Lock) -> float:
    """Return the processor time of a plan: the least of three, since others take turns with it."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert len(make(lock).steps) == 1002
        taken.append(time.process_time() - start)
    return min(taken)


def test_a_thousand_python_tiers_are_planned_in_a_second() -> None:
    assert seconds_of(python_lock(1000)) < 1.0


def test_a_thousand_tiers_of_files_over_many_debs_are_planned_in_a_second() -> None:
    lock = python_lock(1000)
    debs = tuple(replace(lock.debs[0], name=f"lib{number}") for number in range(150))
    files = tuple(replace(a_lock().files[0], to=f"/{t.name}", tier=t.name) for t in lock.tiers)
    items = [Item(pin.tier, "files", pin.to, pin.size, pin.digest) for pin in files]
    groups = group(items, [tier.name for tier in lock.tiers])
    base = replace(lock.layers[0], names=tuple(pin.name for pin in debs))
    layers = [LockedLayer(tier=one.tier, kind=one.kind, names=one.names) for one in groups]
    assert len(layers) == BUDGET
    lock = replace(lock, wheels=(), debs=debs, files=files, layers=(base, *layers))
    assert seconds_of(lock) < 1.0
