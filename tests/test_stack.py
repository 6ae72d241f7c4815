from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import directory, file, symlink

from ds01build.errors import CollisionError
from ds01build.stack import Listing, Stat, check

LISTINGS = st.lists(
    st.dictionaries(
        st.sampled_from(["", "a", "a/b", "a/b/c", "d", "ab"]),
        st.sampled_from([directory(), directory(0o1777), file("1"), file("2"), symlink("d")]),
        max_size=4,
    ),
    max_size=4,
)


def check_all(*listings: Listing) -> None:
    check((f"layer {number}", listing) for number, listing in enumerate(listings))


def fails(listings: list[Listing]) -> bool:
    try:
        check_all(*listings)
    except CollisionError:
        return True
    return False


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        (file(), directory(), "file and directory"),
        (symlink("b"), directory(), "symlink and directory"),
        (file(), Stat("hardlink", 0o644, 0, 0, "b"), "file and hardlink"),
        (directory(0o755), directory(0o1777), "0755 0:0 and 1777 0:0"),
        (file(mode=0o644), file(mode=0o600), "0644 0:0 and 0600 0:0"),
        (file(), file(uid=5), "0644 0:0 and 0644 5:0"),
        (directory(gid=50), directory(gid=5), "0755 0:50 and 0755 0:5"),
        (file("1"), file("2"), "different bytes"),
        (symlink("b"), symlink("c"), "different targets"),
    ],
)
def test_layers_that_disagree_on_a_path_are_refused(one: Stat, other: Stat, problem: str) -> None:
    with pytest.raises(CollisionError) as caught:
        check([("cv: opencv", {"usr/a": one}), ("base: 3 .debs", {"usr/a": other})])
    error = caught.value
    assert (error.path, error.first, error.second) == ("usr/a", "cv: opencv", "base: 3 .debs")
    assert error.problem == problem


def test_a_collision_names_the_path_the_layers_and_the_way_out() -> None:
    with pytest.raises(CollisionError) as caught:
        check([("cv: opencv", {"usr/a": file("1")}), ("base: 3 .debs", {"usr/a": file("2")})])
    assert str(caught.value) == "/usr/a: cv: opencv and base: 3 .debs disagree (different bytes)"
    assert (
        caught.value.hint
        == "leave one of them out; [resolve] exclude drops a Python package that others need"
    )


@pytest.mark.parametrize("above", [file(), symlink("elsewhere")])
@pytest.mark.parametrize("path", ["lib/x", "lib/x/y/z"])
def test_nothing_lies_below_a_file_or_link_of_another_layer(above: Stat, path: str) -> None:
    for layers in itertools.permutations([("low", {"lib": above}), ("high", {path: file()})]):
        with pytest.raises(CollisionError) as caught:
            check(layers)
        assert str(caught.value) == f"/lib: low and high disagree ({above.kind} and directory)"


def test_a_name_that_starts_like_a_file_is_not_below_it() -> None:
    check_all({"lib": file()}, {"lib64": directory(), "lib64/x": file()})


@given(st.lists(st.sampled_from(["a", "b", "c"]), unique=True, min_size=1))
def test_layers_that_agree_commute(names: list[str]) -> None:
    shared: Listing = {"": directory(), "tmp": directory(0o1777), "tmp/lib": symlink("../lib")}
    listings: list[Listing] = [{**shared, f"tmp/{name}": file(name)} for name in names]
    for order in itertools.permutations(listings):
        check_all(*order)


@given(LISTINGS)
def test_the_order_of_layers_does_not_decide(listings: list[Listing]) -> None:
    assert fails(listings) == fails(listings[::-1])


@given(LISTINGS)
def test_a_stack_is_refused_exactly_when_two_paths_do_not_commute(listings: list[Listing]) -> None:
    rows = [(path, stat) for listing in listings for path, stat in listing.items()]
    clash = any(
        (path == other and stat != another) or (below(other, path) and stat.kind != "directory")
        for path, stat in rows
        for other, another in rows
    )
    root_is_a_file = any(not path and stat.kind != "directory" for path, stat in rows)
    assert fails(listings) == (clash or root_is_a_file)


def below(path: str, other: str) -> bool:
    return path != other and (not other or path.startswith(f"{other}/"))
