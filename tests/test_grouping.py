from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import MIB, digest

from ds01build.errors import Ds01Error
from ds01build.grouping import BUDGET, SHARE, Group, Item, group, shared

if TYPE_CHECKING:
    from random import Random

TIERS = ("base", "system", "work", "extra", "config")
KINDS = {"base": "debs", "system": "debs", "work": "wheels", "extra": "wheels", "config": "files"}

SIZES = st.sampled_from([0, 1000, MIB, 4 * MIB - 1, 4 * MIB, 50 * MIB])


def item(name: str, size: int, tier: str = "work", content: str = "") -> Item:
    return Item(tier, KINDS[tier], name, size, digest(content or name))


NAMES = st.sampled_from([f"{letter}{number}" for letter in "abcdef" for number in range(4)])
ITEMS = st.dictionaries(NAMES, st.tuples(SIZES, st.sampled_from(TIERS)), max_size=12).map(
    lambda rows: [item(name, size, tier) for name, (size, tier) in sorted(rows.items())]
)


def names_of(items: list[Item]) -> frozenset[str]:
    return frozenset(f"{one.kind}:{one.name}" for one in items)


def alone(groups: tuple[Group, ...], name: str) -> bool:
    return any(one.names == (name,) for one in groups)


@given(ITEMS, st.integers(min_value=1, max_value=8))
def test_every_item_is_in_exactly_one_layer_of_its_kind(items: list[Item], budget: int) -> None:
    try:
        groups = group(items, TIERS, budget=budget)
    except Ds01Error:
        return
    placed = sorted((one.kind, name) for one in groups for name in one.names)
    assert placed == sorted((one.kind, one.name) for one in items)
    assert all(one.names for one in groups)


@given(ITEMS, st.integers(min_value=1, max_value=8))
def test_the_budget_is_met_or_the_kinds_need_more(items: list[Item], budget: int) -> None:
    runs = len({one.kind for one in items})  # kinds do not interleave in TIERS
    if runs > budget:
        with pytest.raises(Ds01Error, match=f"{budget} are possible"):
            group(items, TIERS, budget=budget)
    else:
        assert len(group(items, TIERS, budget=budget)) <= budget


def test_a_budget_that_cannot_be_met_is_an_error_with_a_way_out() -> None:
    items = [item("a", 1, "base"), item("b", 1, "work"), item("/c", 1, "config")]
    with pytest.raises(Ds01Error) as caught:
        group(items, TIERS, budget=2)
    assert str(caught.value) == "the image needs 3 layers, 2 are possible"
    assert caught.value.hint == "declare files in fewer tiers"


@given(ITEMS)
def test_large_items_are_alone_and_small_ones_of_a_tier_share(items: list[Item]) -> None:
    groups = group(items, TIERS)
    for one in items:
        small = [it for it in items if it.tier == one.tier and not is_large(it)]
        if is_large(one) or small == [one]:
            assert alone(groups, one.name)
        elif sum(it.size for it in small) <= SHARE:
            assert not alone(groups, one.name)


def is_large(one: Item) -> bool:
    return one.size >= 4 * MIB and one.kind != "files"


def test_many_small_items_are_divided_into_layers_of_similar_size() -> None:
    items = [item(f"p{number}", MIB) for number in range(100)]
    groups = group(items, TIERS)
    assert len(groups) == -(-100 * MIB // SHARE)
    assert all(4 <= len(one.names) <= 30 for one in groups)


@given(ITEMS, ITEMS)
def test_what_is_added_gets_layers_above_all_that_were_there(
    before: list[Item], more: list[Item]
) -> None:
    places = {(one.kind, one.name) for one in before}
    new = [one for one in more if (one.kind, one.name) not in places]
    previous = group([*before, item("heavy", 5 * MIB, "config")], TIERS)
    after = [*before, item("heavy", 5 * MIB, "config"), *new]
    groups = group(after, TIERS, previous=previous, unchanged=names_of(after) - names_of(new))
    assert groups[: len(previous)] == previous
    assert {f"{one.kind}:{name}" for one in groups[len(previous) :] for name in one.names} == {
        *names_of(new)
    }


def test_small_items_that_come_one_by_one_share_the_layer_on_top_until_it_is_heavy() -> None:
    items = [item("low", 1000), item("top", 9 * MIB)]
    groups = group(items, TIERS)
    for number in range(5):
        new = item(f"p{number}", 400_000)
        groups = group([*items, new], TIERS, previous=groups, unchanged=names_of(items))
        items.append(new)
    assert [one.names for one in groups] == [("top",), ("low", "p0", "p1", "p2"), ("p3", "p4")]
    extra = item("q", 1, "extra")
    groups = group([*items, extra], TIERS, previous=groups, unchanged=names_of(items))
    assert [one.names for one in groups[2:]] == [("p3", "p4"), ("q",)]


def test_an_item_keeps_its_layer_until_it_goes() -> None:
    rest = [item("x", 1000), item("y", 1000)]
    first = group([item("a", 4 * MIB), *rest], TIERS)
    assert alone(first, "a")
    assert not alone(group([item("a", 4 * MIB - 1), *rest], TIERS), "a")
    for size in (4 * MIB - 1, 1):
        again = group(
            [item("a", size, content="2"), *rest],
            TIERS,
            previous=first,
            unchanged=names_of(rest),
        )
        assert [one.names for one in again] == [("x", "y"), ("a",)]


def test_an_item_that_has_grown_large_leaves_the_layer_that_it_shared() -> None:
    items = [item("a", 1000), item("b", 1000)]
    again = group([item("a", 4 * MIB), items[1]], TIERS, previous=group(items, TIERS))
    assert [one.names for one in again] == [("a",), ("b",)]


def test_an_item_that_changes_its_tier_leaves_the_layer_of_the_old_one() -> None:
    items = [item("a", 1000), item("b", 1000)]
    moved = replace(items[0], tier="extra")
    again = group(
        [moved, items[1]], TIERS, previous=group(items, TIERS), unchanged=names_of([items[1]])
    )
    assert again == (Group("work", "wheels", ("b",)), Group("extra", "wheels", ("a",)))


def test_merged_tiers_stay_merged_when_the_first_of_them_goes() -> None:
    items = [item("a", 1000), item("b", 1000, "extra")]
    previous = group(items, TIERS, budget=1)
    assert group(
        items[1:], TIERS[:2] + TIERS[3:], previous=previous, unchanged=names_of(items[1:])
    ) == (Group("extra", "wheels", ("b",)),)


def test_a_file_has_no_layer_for_its_size() -> None:
    items = [item("/a", 10 * MIB, "config"), item("/b", 1, "config"), item("/c", 1, "config")]
    assert group(items, TIERS) == (Group("config", "files", ("/a", "/b", "/c")),)


def test_a_fresh_order_is_that_of_tiers_then_large_before_small() -> None:
    items = [
        item("m", 1000),
        item("a", 1000),
        item("z", 9 * MIB),
        item("y", 5 * MIB),
        item("libc6", 1000, "base"),
    ]
    assert group(items, TIERS) == (
        Group("base", "debs", ("libc6",)),
        Group("work", "wheels", ("y",)),
        Group("work", "wheels", ("z",)),
        Group("work", "wheels", ("a", "m")),
    )


@given(ITEMS, st.randoms(use_true_random=False), st.integers(min_value=3, max_value=8))
def test_the_order_of_items_does_not_matter(items: list[Item], random: Random, budget: int) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    assert group(shuffled, TIERS, budget=budget) == group(items, TIERS, budget=budget)


@given(ITEMS, st.integers(min_value=3, max_value=12))
def test_grouping_again_changes_nothing(items: list[Item], budget: int) -> None:
    once = group(items, TIERS, budget=budget)
    again = group(items, TIERS, previous=once, unchanged=names_of(items), budget=budget)
    assert again == once


@given(ITEMS, ITEMS)
def test_unchanged_layers_keep_their_order_below_the_changed_ones(
    before: list[Item], after: list[Item]
) -> None:
    previous = group(before, TIERS)
    kept = names_of([one for one in before if one in after])
    groups = group(after, TIERS, previous=previous, unchanged=kept)
    same = [
        one
        for one in previous
        if one in groups and {f"{one.kind}:{name}" for name in one.names} <= kept
    ]
    assert list(groups[: len(same)]) == same


def test_a_changed_layer_goes_on_top() -> None:
    items = [item(name, 5 * MIB) for name in "abc"]
    previous = group(items, TIERS)
    changed = [item("a", 5 * MIB, content="2"), *items[1:]]
    groups = group(changed, TIERS, previous=previous, unchanged=names_of(items[1:]))
    assert [one.names for one in groups] == [("b",), ("c",), ("a",)]


def test_what_changed_is_merged_before_what_did_not() -> None:
    items = [item(name, 5 * MIB) for name in "abc"]
    new = [item(name, 50 * MIB) for name in "xyz"]
    previous = group(items, TIERS)
    groups = group([*items, *new], TIERS, previous=previous, unchanged=names_of(items), budget=4)
    assert [one.names for one in groups] == [("a",), ("b",), ("c",), ("x", "y", "z")]


def test_the_smallest_neighbours_of_one_tier_are_merged_first() -> None:
    items = [
        item("a", 9 * MIB),
        item("b", 5 * MIB),
        item("c", 6 * MIB),
        item("tiny", 1, "system"),
        item("wee", 1, "base"),
    ]
    assert [one.names for one in group(items, TIERS, budget=4)] == [
        ("wee",),
        ("tiny",),
        ("a",),
        ("b", "c"),
    ]
    merged = group(items, TIERS, budget=2)
    assert merged == (Group("base", "debs", ("wee", "tiny")), Group("work", "wheels", tuple("abc")))


@given(ITEMS)
def test_renaming_tiers_changes_nothing_but_their_names(items: list[Item]) -> None:
    new = {tier: f"new-{tier}" for tier in TIERS}
    renamed = group(
        [replace(one, tier=new[one.tier]) for one in items], [new[tier] for tier in TIERS]
    )
    old = group(items, TIERS)
    assert renamed == tuple(replace(one, tier=new[one.tier]) for one in old)


def test_a_thousand_tiers_fit_into_the_budget_in_a_second() -> None:
    tiers = [f"t{number:04}" for number in range(1000)]
    items = [Item(tier, "wheels", f"p{tier}", 1000, digest(tier)) for tier in tiers]
    start = time.process_time()
    assert len(group(items, tiers)) == BUDGET
    assert time.process_time() - start < 1.0


@given(ITEMS, ITEMS)
def test_a_site_s_layers_that_are_there_as_a_whole_are_the_lowest_in_its_order(
    theirs: list[Item], own: list[Item]
) -> None:
    groups = group(theirs, TIERS)
    both = list({(one.kind, one.name): one for one in [*own, *theirs[::2]]}.values())
    site = shared(groups, theirs, both, {})
    places = {(one.kind, one.name) for one in both}
    whole = [one for one in groups if all((one.kind, name) in places for name in one.names)]
    made = group(both, TIERS, site=site)
    low = [(one.kind, one.names) for one in made[: len(whole)]]
    assert low == [(one.kind, one.names) for one in whole]
    assert sorted((one.kind, name) for one in made for name in one.names) == sorted(places)


@given(ITEMS, ITEMS)
def test_a_site_moves_nothing_that_lies_where_it_lay(theirs: list[Item], own: list[Item]) -> None:
    previous = group(own, TIERS)
    both = list({(one.kind, one.name): one for one in [*theirs, *own]}.values())
    site = shared(group(theirs, TIERS), theirs, both, {})
    made = group(both, TIERS, previous=previous, unchanged=names_of(own), site=site)
    top = previous[-1:] if len(made) > len(previous) or made != previous else ()
    assert made[: len(previous) - len(top)] == previous[: len(previous) - len(top)]


def test_what_is_removed_of_a_base_lies_below_the_wheels_that_come_in_its_place() -> None:
    gone = [Item("base", "removed", name, 0, digest(f"{name} of the base")) for name in "ab"]
    wheels = [item(name, 5 * MIB) for name in "ab"]
    theirs = [*gone, *wheels]
    groups = group(theirs, TIERS)
    assert [one.kind for one in groups] == ["removed", "wheels", "wheels"]
    part = [gone[0], *wheels]
    lower = group(part, TIERS, site=shared(groups, theirs, part, {}))
    assert [(one.kind, one.names) for one in lower] == [
        ("removed", ("a",)),
        ("wheels", ("a",)),
        ("wheels", ("b",)),
    ]
    other = [replace(gone[0], digest=digest("of another base")), *wheels]
    apart = group(other, TIERS, site=shared(groups, theirs, other, {}))
    assert [(one.kind, one.names) for one in apart] == [
        ("wheels", ("b",)),
        ("removed", ("a",)),
        ("wheels", ("a",)),
    ]
