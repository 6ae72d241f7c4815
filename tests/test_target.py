from __future__ import annotations

import posixpath
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import a_target

from ds01build.digest import canonical
from ds01build.target import Directory, Link, resolve

NAMES = st.sampled_from(["a", "b", "c", "lib"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@given(PATHS)
def test_a_path_without_links_is_where_it_says(path: str) -> None:
    assert resolve(path, {}) == path


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("lib/x", "usr/lib/x"),
        ("lib", "usr/lib"),
        ("usr/local/man/man1", "usr/local/share/man/man1"),
        ("usr/far/x", "opt/x"),
        ("up/x", "x"),
        ("first/x", "usr/lib/x"),
        ("other", "other"),
        ("", ""),
        ("opt//x/", "opt/x"),
    ],
)
def test_links_on_the_way_are_followed(path: str, place: str) -> None:
    links = {
        "lib": "usr/lib",
        "usr/local/man": "share/man",
        "usr/far": "/opt/",
        "up": "usr/..",
        "first": "./lib",
    }
    assert resolve(path, links) == place


@given(st.dictionaries(PATHS, PATHS | PATHS.map(lambda path: f"/{path}"), max_size=5), PATHS)
def test_what_is_resolved_passes_through_no_link(links: dict[str, str], path: str) -> None:
    try:
        place = resolve(path, links)
    except ValueError:
        return
    steps = place.split("/")
    assert not {"/".join(steps[:end]) for end in range(1, len(steps) + 1)} & links.keys()
    assert resolve(place, links) == place


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "/a"}, {"a": "a/x"}])
def test_a_loop_of_links_is_an_error(links: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'a/x' passes through a loop of links"):
        resolve("a/x", links)


@pytest.mark.parametrize("links", [{"a": ".."}, {"a": "/../etc"}, {"a": "b/../../c"}])
def test_a_link_out_of_the_root_is_an_error(links: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'a/x' leaves the root"):
        resolve("a/x", links)


def test_the_kernel_s_forty_links_may_be_followed_and_no_more() -> None:
    chain = {f"l{number}": f"l{number + 1}" for number in range(41)}
    assert resolve("l1", chain) == "l41"
    with pytest.raises(ValueError, match="loop"):
        resolve("l0", chain)


def test_a_target_resolves_through_its_own_links() -> None:
    assert a_target().resolve("usr/local/man/man1/x.1") == "usr/local/share/man/man1/x.1"
    assert posixpath.isabs(a_target().schemes.purelib)


def test_the_order_of_directories_and_links_is_not_part_of_a_target() -> None:
    target = replace(a_target(), links=(Link("a", "b"), Link("c", "d")))
    turned = replace(target, directories=target.directories[::-1], links=target.links[::-1])
    assert canonical(turned.canonical()) == canonical(target.canonical())


def test_a_new_directory_is_root_s_own() -> None:
    assert Directory("x") == Directory("x", 0o755, 0, 0)
