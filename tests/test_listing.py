from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import directory, symlink
from wheels import Bytes

from ds01build.digest import Digest
from ds01build.layers import gzip, pack
from ds01build.layers.entry import Entry, Piece, marked
from ds01build.layers.listing import from_json, noted, read, to_json
from ds01build.stack import Listing, Stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CONTENTS = {
    "usr/bin/tool": b"\x7fELF" * 100_000,
    "usr/lib/empty": b"",
    "usr/share/" + "d" * 90 + "/" + "f" * 120: b"deep",
    "usr/share/é": b"name outside ASCII",
}
PATHS: Listing = {
    "": directory(),
    "tmp": directory(0o1777),
    "usr": directory(0o2775, 0, 50),
    "usr/link": symlink("../tmp/" + "x" * 120),
    "usr/other": Stat("hardlink", 0o644, 0, 0, "usr/bin/tool"),
    **{
        path: Stat("file", 0o4755, 1000, 2_000_000_000, Digest.of(content).hex)
        for path, content in CONTENTS.items()
    },
}


def body(content: bytes) -> Callable[[], Iterator[Piece]]:
    return lambda: iter([Piece(content, gzip.stored(content))])


def entries() -> Iterator[Entry]:
    for path, stat in PATHS.items():
        content = CONTENTS.get(path, b"")
        yield Entry(
            path=path, stat=stat, size=len(content), body=body(content) if content else None
        )


def test_a_listing_is_noted_while_entries_pass() -> None:
    paths: Listing = {}
    assert [one.path for one in noted(entries(), paths)] == [*PATHS]
    assert paths == PATHS


@pytest.mark.parametrize("write", [pack.splice, pack.compress])
def test_what_is_read_from_a_layer_is_what_was_noted(
    write: Callable[[Iterable[Entry]], Iterator[Piece]],
) -> None:
    paths: Listing = {}
    layer = b"".join(piece.packed for piece in write(noted(entries(), paths)))
    assert read(Bytes(layer)) == paths


def test_a_removed_path_and_attributes_are_read_from_a_layer() -> None:
    xattrs = (("security.capability", bytes(range(20))), ("user.note", b"\xff\n"))
    content = Digest.of(b"x").hex
    wanted = {
        "usr/gone": Stat("whiteout", 0, 0, 0, ""),
        "usr": directory()._replace(content=marked("", xattrs)),
        "usr/file": Stat("file", 0o644, 0, 0, marked(content, xattrs)),
    }
    layer = pack.compress(
        [
            Entry(path="usr/gone", stat=wanted["usr/gone"]),
            Entry(path="usr", stat=wanted["usr"], mtime=-5, xattrs=xattrs),
            Entry(path="usr/file", stat=wanted["usr/file"], size=1, body=body(b"x"), xattrs=xattrs),
        ]
    )
    assert read(Bytes(b"".join(piece.packed for piece in layer))) == wanted


def test_files_that_differ_in_an_attribute_have_different_stats() -> None:
    one, other = (("user.a", b"1"),), (("user.a", b"2"),)
    split = (("user.a", b""), ("user.b", b"1"))
    sums = {marked("0" * 64, xattrs) for xattrs in ((), one, other, split)}
    assert len(sums) == 4
    assert marked("0" * 64, ()) == "0" * 64


def test_a_listing_passes_through_json() -> None:
    assert from_json(json.loads(json.dumps(to_json(PATHS)))) == PATHS
    assert from_json(json.loads(json.dumps(to_json({})))) == {}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {},
        {"schema": "ds01.listing/1"},
        {"schema": "ds01.listing/0", "paths": []},
        {"schema": "ds01.listing/1", "paths": {}},
        {"schema": "ds01.listing/1", "paths": ["usr"]},
        {"schema": "ds01.listing/1", "paths": [["usr", "file", 420, 0, 0]]},
        {"schema": "ds01.listing/1", "paths": [["usr", "file", 420, 0, 0, "", ""]]},
        {"schema": "ds01.listing/1", "paths": [["usr", "file", "420", 0, 0, ""]]},
        {"schema": "ds01.listing/1", "paths": [["usr", "file", True, 0, 0, ""]]},
        {"schema": "ds01.listing/1", "paths": [[5, "file", 420, 0, 0, ""]]},
    ],
)
def test_what_is_no_listing_is_none(value: object) -> None:
    assert from_json(value) is None


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["schema", "paths", "ds01.listing/1", "file"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(JSON)
def test_no_value_raises(value: object) -> None:
    assert from_json({"schema": "ds01.listing/1", "paths": value}) in (None, {})
