"""Locks over an image: their graph, keys and plan, and what their layers see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import a_lock, an_image_lock, base_layer, digest, directory, file, layer_for

from ds01build import graph, plan, spec
from ds01build.digest import DiffId, Key
from ds01build.errors import CollisionError, LockError
from ds01build.grouping import Item, group
from ds01build.lock import Lock, LockedImage
from ds01build.lockfile import dumps, loads
from ds01build.plan import Plan, Present
from ds01build.spec import InstallSpec, RunSpec
from ds01build.stack import Listing, Stat, check

if TYPE_CHECKING:
    from collections.abc import Collection

WHITEOUT = Stat("whiteout", 0, 0, 0, "")


def executed(lock: Lock) -> dict[str, InstallSpec | RunSpec]:
    return {
        name: layer
        for name, layer in graph.of(lock).stack
        if isinstance(layer, (InstallSpec, RunSpec))
    }


def keys(lock: Lock) -> dict[str, Key]:
    """Return the keys of the layers, by tier and place in it."""
    return {
        f"{name} {place}": spec.key(layer)
        for place, (name, layer) in enumerate(graph.of(lock).stack)
    }


def moved_base(lock: Lock) -> Lock:
    assert isinstance(lock.base, LockedImage)
    return replace(lock, base=replace(lock.base, layers=(base_layer(1), base_layer(3))))


def made(lock: Lock, known: Collection[Key] = ()) -> Plan:
    layers = {key: layer_for(key) for key in known}
    present = Present(layers=layers, sources=frozenset(), facts=frozenset())
    return plan.make(graph.of(lock), present)


def test_a_lock_over_an_image_is_read_as_it_was_written() -> None:
    assert loads(dumps(an_image_lock()), source="x.lock") == an_image_lock()


def test_without_python_a_lock_has_no_target() -> None:
    lock = replace(an_image_lock(), target=None, wheels=(), removed=())
    names = ("wheels", "removed")
    lock = replace(lock, layers=tuple(each for each in lock.layers if each.kind not in names))
    assert loads(dumps(lock), source="x.lock") == lock


@pytest.mark.parametrize(
    ("wrong", "issue"),
    [
        ({"layers": an_image_lock().layers[1:]}, "removed 'numpy': is in no layer"),
        (
            {"removed": (replace(an_image_lock().removed[0], name="torch"),)},
            "removed 'torch': no wheel comes in its place",
        ),
        ({"layers": an_image_lock().layers[:-1]}, "executed 'models': is in no layer"),
        ({"target": None}, "target: required, since there are wheels"),
        ({"base": a_lock().base}, "removed: only an image has distributions that can be removed"),
        (
            {"base": replace(an_image_lock().base, layers=())},  # type: ignore[arg-type]
            "base.layer: required",
        ),
        (
            {"base": replace(an_image_lock().base, glibc="")},  # type: ignore[arg-type]
            "base.glibc: required, since there are wheels",
        ),
    ],
)
def test_a_lock_that_contradicts_itself_is_refused(wrong: dict[str, object], issue: str) -> None:
    lock = replace(an_image_lock(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(LockError) as caught:
        loads(dumps(lock), source="x.lock")
    assert f"x.lock: {issue}" in str(caught.value).splitlines()


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc", "a/../b", "a//b", ".", "a/"])
def test_a_lock_cannot_remove_what_lies_outside_the_root(path: str) -> None:
    lock = an_image_lock()
    lock = replace(lock, removed=(replace(lock.removed[0], paths=(path,)),))
    with pytest.raises(LockError, match=r"removed\[0\]\.paths\[0\]"):
        loads(dumps(lock), source="x.lock")


def test_native_layers_do_not_depend_on_the_image_but_executed_ones_do() -> None:
    lock = an_image_lock()
    before, after = keys(lock), keys(moved_base(lock))
    changed = {name.partition(" ")[0] for name in before if before[name] != after[name]}
    assert changed == {"system", "media", "models"}


def test_an_executed_tier_sees_what_it_needs_in_stack_order_and_nothing_else() -> None:
    lock = an_image_lock()
    by_key = {key: name for name, key in keys(lock).items()}
    seen = {name: [by_key[key] for key in one.below] for name, one in executed(lock).items()}
    assert seen == {
        "system": ["base 0"],
        "media": ["base 0", "system 1"],
        "models": ["base 0", "work 3", "work 4", "config 5"],
    }


def test_a_tier_sees_a_layer_that_it_shares_with_another_s_pins() -> None:
    lock = an_image_lock()
    # For want of room, the wheel of another tier lies in a layer that is called after "work".
    tiers = (*lock.tiers[:3], replace(lock.tiers[2], name="more"), *lock.tiers[3:4])
    run = replace(lock.tiers[4], after=("more",))
    wheels = tuple(replace(w, tier="more") if w.name == "six" else w for w in lock.wheels)
    one = executed(replace(lock, tiers=(*tiers, run), wheels=wheels))["models"]
    by_key = {key: name for name, key in keys(lock).items()}
    assert [by_key[key] for key in one.below] == ["base 0", "work 4"]


@pytest.mark.parametrize(
    "change",
    [
        {"commands": ("true",)},
        {"network": False},
        {"commands": ("true", "python -m nltk.downloader punkt")},
    ],
)
def test_what_a_tier_runs_is_in_its_key(change: dict[str, object]) -> None:
    lock = an_image_lock()
    other = replace(lock.tiers[-1], **change)  # type: ignore[arg-type]
    after = keys(replace(lock, tiers=(*lock.tiers[:-1], other)))
    assert {name for name, key in keys(lock).items() if after[name] != key} == {"models 6"}


def test_the_environment_of_commands_is_in_their_key_alone() -> None:
    lock = an_image_lock()
    after = keys(replace(lock, image=replace(lock.image, env=(("A", "2"),))))
    assert {name for name, key in keys(lock).items() if after[name] != key} == {"models 6"}


def test_an_outcome_is_the_same_however_what_lies_below_was_made() -> None:
    one = executed(an_image_lock())["models"]
    other = replace(one, below=tuple(Key.of({"n": n}) for n in range(len(one.below))))
    below = [DiffId(digest(str(number)).value) for number in range(4)]
    assert spec.key(one) != spec.key(other)
    assert spec.outcome_inputs(one, below) == spec.outcome_inputs(other, below)
    assert spec.outcome_inputs(one, below) != spec.outcome_inputs(one, below[::-1])


def test_a_plan_runs_a_tier_unless_what_it_stands_on_comes_out_unchanged() -> None:
    lock = an_image_lock()
    every = keys(lock)
    known = {key for name, key in every.items() if name not in ("work 4", "models 6")}
    steps = {step.name: (step.action, step.reason) for step in made(lock, known).steps}
    assert steps["models"] == ("run", "run, unless work comes out unchanged")
    assert steps["media"] == ("reuse", "all layers are in the store")
    assert steps["base"] == ("reuse", "an image of 2 layers")


def test_an_executed_tier_that_the_store_lacks_is_run_and_its_debs_are_fetched() -> None:
    lock = an_image_lock()
    known = set(keys(lock).values()) - {keys(lock)["media 2"]}
    planned = made(lock, known)
    assert {step.name for step in planned.steps if step.action == "run"} == {"media"}
    assert [pin.name for pin in planned.downloads] == ["ffmpeg"]


def test_executed_layers_are_never_merged_whatever_the_budget() -> None:
    tiers = ["base", "system", "work"]
    items = [
        Item(tier="work", kind="wheels", name=name, size=5 << 20, digest=digest(name))
        for name in "abcd"
    ]
    items += [
        Item(tier=tier, kind="executed", name=tier, size=0, digest=digest(tier))
        for tier in ("system", "work")
    ]
    groups = group(items, tiers, budget=3)
    assert sorted(one.names for one in groups if one.kind == "executed") == [("system",), ("work",)]


def test_a_layer_may_change_what_it_was_made_over_and_nothing_else() -> None:
    base, status = {"var": directory(), "var/status": file("1")}, {"var": directory()}
    after = {**status, "var/status": file("2")}
    check([("low", base), ("high", after)], {1: {0}})
    with pytest.raises(CollisionError, match="/var/status: low and high disagree"):
        check([("low", base), ("high", after)])
    with pytest.raises(CollisionError, match="/var/status: between and high disagree"):
        check([("low", base), ("between", base), ("high", after)], {2: {0}})


def test_a_path_that_is_taken_away_has_nothing_below_it_but_what_was_seen() -> None:
    low, gone = {"a": directory(), "a/b": file()}, {"a": WHITEOUT}
    check([("low", low), ("high", gone)], {1: {0}})
    with pytest.raises(CollisionError, match="/a: "):
        check([("low", low), ("high", gone)])
    check([("gone", gone), ("new", low)], {1: {0}})
    with pytest.raises(CollisionError, match="/a: "):
        check([("gone", gone), ("new", low)])


LISTINGS = st.dictionaries(
    st.sampled_from(["a", "a/b", "c"]),
    st.sampled_from([directory(), file("1"), file("2"), WHITEOUT]),
    max_size=3,
)


@given(st.lists(LISTINGS, max_size=4))
def test_seeing_more_never_makes_a_stack_worse(listings: list[Listing]) -> None:
    named = [(f"layer {place}", listing) for place, listing in enumerate(listings)]
    try:
        check(named)
    except CollisionError:
        return
    check(named, {place: set(range(place)) for place in range(len(named))})
