from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ds01build.change import Change, changes

if TYPE_CHECKING:
    from ds01build.digest import Canonical

# What is empty equals what is not there, so what is made up here holds something. A name of a
# table is followed by something, and never is a row of a list of its own.
LEAVES = st.booleans() | st.integers() | st.text(min_size=1, max_size=3)
VALUES: st.SearchStrategy[Canonical] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3)
        | st.builds(lambda name, rest: [{"name": name, "to": rest}], st.sampled_from("xyz"), inner)
    ),
    max_leaves=8,
)


def said(before: Canonical, after: Canonical) -> list[str]:
    return [str(each) for each in changes(before, after)]


@given(VALUES, VALUES)
def test_values_have_changes_where_they_differ_and_nowhere_else(
    first: Canonical, second: Canonical
) -> None:
    is_same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert bool(changes({"x": first}, {"x": second})) != is_same


@given(VALUES, VALUES)
def test_changes_back_are_the_mirror_of_changes_there(first: Canonical, second: Canonical) -> None:
    there, back = changes({"x": first}, {"x": second}), changes({"x": second}, {"x": first})
    assert sorted(each.mirrored() for each in back) == sorted(there)


def test_fields_are_named_by_their_path() -> None:
    before: Canonical = {"image": {"env": {"A": "1", "B": "2"}}, "base": {"suite": "bookworm"}}
    after: Canonical = {"image": {"env": {"A": "3"}}, "base": {"suite": "trixie"}}
    assert said(before, after) == [
        "base.suite: bookworm -> trixie",
        "image.env.A: 1 -> 3",
        "image.env.B: - 2",
    ]


def test_lists_are_compared_by_names_by_elements_and_by_order() -> None:
    def tiers(*names: str) -> Canonical:
        return [{"name": name, "kind": name} for name in names]

    assert said({"tier": tiers("a", "b")}, {"tier": tiers("b", "c")}) == [
        "tier.a.kind: - a",
        "tier.c.kind: + c",
    ]
    assert said({"x": [["usr", 1]]}, {"x": [["usr", 2], ["var", 1]]}) == [
        "x.usr: 1 -> 2",
        "x.var: + 1",
    ]
    assert said({"x": ["a", "b"]}, {"x": ["b", "c"]}) == ["x: - a", "x: + c"]
    assert said({"x": ["a", "b"]}, {"x": ["b", "a"]}) == ['x: ["a", "b"] -> ["b", "a"]']


def test_an_empty_text_is_told_from_none() -> None:
    assert changes({"x": None}, {"x": ""}) == (Change(field="x", before="", after='""'),)
