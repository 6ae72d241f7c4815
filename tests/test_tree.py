from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01build.errors import CollisionError
from ds01build.layers.entry import Entry
from ds01build.layers.tree import complete
from ds01build.stack import Kind, Stat
from ds01build.target import Directory

paths = st.from_regex(r"[abAB.]{1,2}x(/[abAB.-]{1,2}x){0,3}", fullmatch=True)


def entry(path: str, kind: Kind = "file", content: str = "", mode: int = 0o644) -> Entry:
    return Entry(path=path, stat=Stat(kind, mode, 0, 0, content))


def directories_of(entries: list[Entry]) -> dict[str, tuple[int, int, int]]:
    return {
        e.path: (e.stat.mode, e.stat.uid, e.stat.gid) for e in entries if e.stat.kind == "directory"
    }


@settings(max_examples=40)
@given(st.sets(paths, max_size=12).filter(lambda ps: not any(p + "/" in q for p in ps for q in ps)))
def test_every_directory_comes_before_what_is_in_it(files: set[str]) -> None:
    ordered = [each.path for each in complete([("w", entry(path)) for path in files], ())]
    assert ordered[0] == ""
    assert len(ordered) == len(set(ordered))
    for number, path in enumerate(ordered[1:], 1):
        assert path.rpartition("/")[0] in ordered[:number]


def test_the_order_does_not_depend_on_the_order_of_the_owners() -> None:
    given = [("a", entry("x/1")), ("b", entry("x/0")), ("c", entry("w"))]
    assert complete(given, ()) == complete(reversed(given), ())


def test_directories_keep_the_metadata_of_the_base() -> None:
    base = [
        Directory("", 0o700),
        Directory("tmp", 0o1777),
        Directory("srv", 0o2775, 0, 50),
        Directory("not/on/the/way", 0o711),
    ]
    entries = complete([("w", entry("tmp/x/y")), ("w", entry("srv/z"))], base)
    assert directories_of(entries) == {
        "": (0o700, 0, 0),
        "tmp": (0o1777, 0, 0),
        "tmp/x": (0o755, 0, 0),
        "srv": (0o2775, 0, 50),
    }


def test_a_directory_of_the_base_stays_as_it_is_whatever_an_owner_says() -> None:
    entries = complete([("w", entry("tmp", "directory", mode=0o755))], [Directory("tmp", 0o1777)])
    assert directories_of(entries)["tmp"] == (0o1777, 0, 0)


def test_a_new_directory_is_as_its_owner_says() -> None:
    entries = complete([("w", entry("new/x")), ("w", entry("new", "directory", mode=0o750))], ())
    assert directories_of(entries)["new"] == (0o750, 0, 0)


def test_equal_entries_of_two_owners_become_one() -> None:
    entries = complete([("a", entry("x", content="1")), ("b", entry("x", content="1"))], ())
    assert [each.path for each in entries] == ["", "x"]


def test_hard_links_come_last() -> None:
    entries = complete([("a", entry("a", "hardlink", "b")), ("a", entry("b"))], ())
    assert [each.path for each in entries] == ["", "b", "a"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (entry("x", content="2"), "/x: a==1 and b==1 disagree (different bytes)"),
        (entry("x", content="1", mode=0o755), "/x: a==1 and b==1 disagree (0644 0:0 and 0755 0:0)"),
        (entry("x", "symlink", "1"), "/x: a==1 and b==1 disagree (file and symlink)"),
        (entry("x/y"), "/x: a==1 and b==1 disagree (file and directory)"),
        (entry("x/y/z"), "/x: a==1 and b==1 disagree (file and directory)"),
    ],
)
def test_owners_that_disagree_are_named(second: Entry, message: str) -> None:
    with pytest.raises(CollisionError) as caught:
        complete([("a==1", entry("x", content="1")), ("b==1", second)], ())
    assert str(caught.value) == message


def test_a_path_below_a_symlink_of_another_owner_is_refused() -> None:
    with pytest.raises(CollisionError, match="symlink and directory"):
        complete([("a", entry("lib", "symlink", "usr/lib")), ("b", entry("lib/x"))], ())


@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_a_file_where_the_base_has_a_directory_is_refused(kind: Kind) -> None:
    with pytest.raises(CollisionError) as caught:
        complete([("w==1", entry("usr/bin", kind))], [Directory("usr/bin")])
    assert str(caught.value) == f"/usr/bin: the base and w==1 disagree (directory and {kind})"
