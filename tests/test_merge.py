from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import directory, file, symlink

from ds01build.errors import CollisionError
from ds01build.layers.entry import Entry
from ds01build.layers.merge import merged
from ds01build.stack import Stat, check


def entry(path: str, stat: Stat | None = None) -> Entry:
    return Entry(path=path, stat=stat or file(path))


def paths(*entries: tuple[str, Entry]) -> list[str]:
    return [one.path for one in merged(entries)]


def collision(*entries: tuple[str, Entry]) -> str:
    with pytest.raises(CollisionError) as caught:
        paths(*entries)
    return str(caught.value)


def test_entries_keep_their_order_and_get_the_directories_they_need() -> None:
    assert paths(("a", entry("usr/bin/x")), ("b", entry("etc/y")), ("b", entry("usr/bin/z"))) == [
        *("", "usr", "usr/bin", "usr/bin/x"),
        *("etc", "etc/y"),
        "usr/bin/z",
    ]


def test_a_directory_that_nobody_brings_is_root_s_own() -> None:
    made = {one.path: one.stat for one in merged([("a", entry("usr/x"))])}
    assert made == {"": directory(), "usr": directory(), "usr/x": file("usr/x")}


def test_a_directory_that_is_brought_keeps_its_mode_and_owner() -> None:
    brought = entry("tmp", directory(0o1777, 5, 6))
    assert [*merged([("a", entry("", directory())), ("a", brought)])][1] is brought


def test_what_two_owners_agree_on_comes_once_and_from_the_first() -> None:
    first, second = entry("x"), entry("x")
    assert next(one for one in merged([("a", first), ("b", second)]) if one.path) is first
    assert paths(("a", first), ("b", second)) == ["", "x"]


def test_what_two_owners_disagree_on_is_an_error_that_names_both() -> None:
    rows = (("a=1", entry("etc/x", file("1"))), ("b=2", entry("etc/x", file("2"))))
    assert collision(*rows) == "/etc/x: a=1 and b=2 disagree (different bytes)"


def test_a_directory_that_was_needed_before_it_came_has_to_be_as_new() -> None:
    needed = ("a", entry("srv/x"))
    assert paths(needed, ("b", entry("srv", directory()))) == ["", "srv", "srv/x"]
    other = ("b", entry("srv", directory(0o700)))
    assert collision(needed, other) == "/srv: a and b disagree (0755 0:0 and 0700 0:0)"


@pytest.mark.parametrize("above", [file(), symlink("/etc")])
@pytest.mark.parametrize("path", ["lib/x", "lib/x/y"])
def test_nothing_comes_below_a_file_or_link(above: Stat, path: str) -> None:
    text = collision(("a", entry("lib", above)), ("b", entry(path)))
    assert text == f"/lib: a and b disagree ({above.kind} and directory)"
    text = collision(("b", entry(path)), ("a", entry("lib", above)))
    assert text == f"/lib: b and a disagree (directory and {above.kind})"


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.builds(
            entry,
            st.sampled_from(["a", "a/b", "a/b/c", "d/e", "d"]),
            st.sampled_from([directory(), file("1"), file("2"), symlink("a")]),
        ),
    ),
    max_size=6,
)


@given(ENTRIES)
def test_what_comes_out_is_complete_and_may_be_stacked(rows: list[tuple[str, Entry]]) -> None:
    try:
        made = list(merged(rows))
    except CollisionError:
        return
    listing = {one.path: one.stat for one in made}
    assert len(listing) == len(made)
    assert {one.path for _, one in rows} <= listing.keys()
    check([("layer", listing)])
    order = [one.path for one in made]
    for path in order:
        if path:
            assert order.index(path.rpartition("/")[0]) < order.index(path)
