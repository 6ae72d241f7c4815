from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import a_lock, digest, file_pin, python_lock

from ds01build import graph, spec
from ds01build.errors import CycleError
from ds01build.graph import STATE
from ds01build.lock import Lock, LockedLayer, LockedTier
from ds01build.spec import FileSpec, StateSpec

if TYPE_CHECKING:
    from ds01build.digest import Key


def keys(lock: Lock) -> dict[str, Key]:
    return {node.name: node.key for node in graph.of(lock).nodes}


def layer_keys(lock: Lock) -> list[Key]:
    return [spec.key(layer) for _, layer in graph.of(lock).stack]


def renamed(lock: Lock, old: str, new: str) -> Lock:
    """Return ``lock`` with another name for a tier, wherever it stands."""
    name = {old: new}
    return replace(
        lock,
        tiers=tuple(
            replace(
                tier,
                name=name.get(tier.name, tier.name),
                after=tuple(name.get(need, need) for need in tier.after),
            )
            for tier in lock.tiers
        ),
        debs=tuple(replace(pin, tier=name.get(pin.tier, pin.tier)) for pin in lock.debs),
        wheels=tuple(replace(pin, tier=name.get(pin.tier, pin.tier)) for pin in lock.wheels),
        files=tuple(replace(pin, tier=name.get(pin.tier, pin.tier)) for pin in lock.files),
        layers=tuple(replace(one, tier=name.get(one.tier, one.tier)) for one in lock.layers),
    )


@pytest.mark.parametrize("tier", ["system", "work", "config"])
def test_renaming_a_tier_keeps_its_key(tier: str) -> None:
    lock = a_lock()
    after = renamed(lock, tier, "zebra")
    assert keys(after).pop("zebra") == keys(lock)[tier]
    assert layer_keys(after) == layer_keys(lock)


def test_needs_are_not_part_of_a_key() -> None:
    lock = a_lock()
    free = replace(lock, tiers=tuple(replace(tier, after=()) for tier in lock.tiers))
    assert graph.of(free).edges() != graph.of(lock).edges()
    assert keys(free) == keys(lock)


@given(st.permutations(a_lock().layers))
def test_the_order_of_layers_is_not_part_of_a_key(layers: list[LockedLayer]) -> None:
    assert keys(replace(a_lock(), layers=tuple(layers))) == keys(a_lock())


def test_equal_keys_are_written_from_pins_in_one_order() -> None:
    lock = a_lock()
    turned = replace(
        lock,
        layers=tuple(replace(one, names=one.names[::-1]) for one in lock.layers),
        debs=lock.debs[::-1],
        wheels=lock.wheels[::-1],
        files=lock.files[::-1],
    )
    assert graph.of(turned).stack == graph.of(lock).stack


def test_a_changed_pin_changes_the_key_of_its_tier_alone() -> None:
    lock = a_lock()
    changed = replace(lock.wheels[2], digest=digest("six, rebuilt"))
    after = keys(replace(lock, wheels=(*lock.wheels[:2], changed)))
    assert {name for name, key in keys(lock).items() if after[name] != key} == {"work"}


def test_each_tier_is_a_node_and_the_state_of_all_debs_is_one_more() -> None:
    made = graph.of(a_lock())
    assert [(node.name, node.kind, len(node.specs)) for node in made.nodes] == [
        ("base", "base", 1),
        ("system", "apt", 1),
        ("work", "python", 2),
        ("config", "files", 1),
        (STATE, "state", 1),
    ]
    assert made.edges() == (
        ("base", "system"),
        ("base", "work"),
        ("base", "config"),
        ("work", "config"),
        ("base", STATE),
        ("system", STATE),
    )


def test_the_state_lies_above_every_locked_layer_but_declared_files() -> None:
    lock = a_lock()
    lock = replace(lock, layers=(lock.layers[-1], *lock.layers[:-1]))
    stack = graph.of(lock).stack
    assert [name for name, _ in stack] == ["base", "system", "work", "work", STATE, "config"]
    state = stack[4][1]
    assert isinstance(state, StateSpec)
    assert stack[5][1] == FileSpec(files=lock.files, base=state)


def test_a_node_follows_what_it_needs_and_otherwise_keeps_its_place() -> None:
    tiers = tuple(
        LockedTier(name=name, kind="files", after=after)
        for name, after in (("a", ("d",)), ("b", ()), ("c", ("a",)), ("d", ("base",)), ("e", ()))
    )
    lock = replace(a_lock(), tiers=tiers, wheels=(), files=(), layers=a_lock().layers[:1])
    names = [node.name for node in graph.of(lock).nodes]
    assert names == ["base", "b", "d", "a", "c", "e", STATE]


@given(st.lists(st.sets(st.integers(0, 9)), min_size=10, max_size=10), st.permutations(range(10)))
def test_every_need_comes_first(needs: list[set[int]], names: list[int]) -> None:
    tiers = tuple(
        LockedTier(
            name=f"t{names[place]}",
            kind="files",
            after=tuple(f"t{names[need]}" for need in sorted(row) if need < place),
        )
        for place, row in enumerate(needs)
    )
    lock = replace(a_lock(), tiers=tiers[::-1], layers=())
    order = [node.name for node in graph.of(lock).nodes]
    assert len(order) == 12
    assert all(order.index(need) < order.index(name) for need, name in graph.of(lock).edges())
    assert order == [node.name for node in graph.of(lock).nodes]


def test_a_cycle_is_an_error_that_names_it() -> None:
    needs = {"a": ("c",), "b": ("a",), "c": ("b",), "d": ("a",)}
    tiers = tuple(LockedTier(name=n, kind="files", after=after) for n, after in needs.items())
    with pytest.raises(CycleError) as caught:
        graph.of(replace(a_lock(), tiers=tiers, layers=()))
    cycle = caught.value.cycle
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"a", "b", "c"}
    assert all(need in needs[name] for need, name in pairwise(cycle))
    assert str(caught.value) == f"tiers need each other: {' -> '.join(cycle)}"


def test_a_tier_that_needs_itself_is_a_cycle() -> None:
    tier = LockedTier(name="a", kind="files", after=("a",))
    with pytest.raises(CycleError, match=r"^tiers need each other: a -> a$"):
        graph.of(replace(a_lock(), tiers=(tier,), layers=()))


def test_a_tier_whose_pins_lie_in_other_layers_has_a_key_all_the_same() -> None:
    lock = a_lock()
    lock = replace(lock, tiers=(*lock.tiers, LockedTier(name="more", kind="python")))
    node = next(node for node in graph.of(lock).nodes if node.name == "more")
    assert node.specs == ()
    assert node.key not in keys(a_lock()).values()


def test_a_declared_file_depends_on_the_directories_of_all_debs() -> None:
    lock = replace(a_lock(), files=(file_pin("/etc/motd"),), layers=a_lock().layers[:1])
    lock = replace(
        lock, layers=(*lock.layers, LockedLayer(tier="config", kind="files", names=("/etc/motd",)))
    )
    other = replace(lock, debs=(replace(lock.debs[0], digest=digest("other")), lock.debs[1]))
    assert keys(lock)["config"] != keys(other)["config"]


def test_a_thousand_tiers_need_no_deep_recursion() -> None:
    nodes = graph.of(python_lock(1000)).nodes
    assert [node.name for node in nodes][1:-1] == [f"tier-{number}" for number in range(1000)]
