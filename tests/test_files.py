from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from values import file_pin
from wheels import Bytes

from ds01build.digest import Digest
from ds01build.errors import Ds01Error
from ds01build.layers.files import entries
from ds01build.layers.listing import read
from ds01build.layers.pack import compress
from ds01build.stack import Stat
from ds01build.target import resolve

if TYPE_CHECKING:
    from ds01build.layers.entry import Entry

LINKS = {"bin": "usr/bin", "var/run": "/run", "etc/mtab": "/proc/mounts"}


def placed(to: str, content: bytes = b"x") -> Entry:
    pin = replace(file_pin(to), digest=Digest.of(content), size=len(content))
    ((owner, entry),) = entries([(pin, content)], LINKS)
    assert owner == f"files {to}"
    return entry


@pytest.mark.parametrize(
    ("to", "place"),
    [
        ("/etc/motd", "etc/motd"),
        ("/motd", "motd"),
        ("/bin/tool", "usr/bin/tool"),
        ("/var/run/x/y", "run/x/y"),
        ("/etc/mtab", "etc/mtab"),  # the link itself is replaced
    ],
)
def test_a_file_lies_where_the_links_of_the_base_lead(to: str, place: str) -> None:
    assert placed(to).path == place
    assert resolve(to.lstrip("/").rpartition("/")[0], LINKS) == place.rpartition("/")[0]


def test_a_file_has_the_mode_of_its_pin_and_belongs_to_root() -> None:
    pin = file_pin("/run.sh", mode=0o750)
    ((_, entry),) = entries([(pin, b"x" * 10)], {})
    assert entry.stat == Stat("file", 0o750, 0, 0, pin.digest.hex)


@pytest.mark.parametrize("content", [b"", b"content"])
def test_a_file_has_the_bytes_it_was_given(content: bytes) -> None:
    entry = placed("/x", content)
    assert (entry.size, entry.body is None) == (len(content), not content)
    layer = b"".join(piece.packed for piece in compress([entry]))
    assert read(Bytes(layer)) == {"x": entry.stat}


def test_files_come_in_the_order_they_are_given() -> None:
    pins = [file_pin(to) for to in ("/b", "/a", "/c")]
    owned = entries([(pin, b"") for pin in pins], {})
    assert [entry.path for _, entry in owned] == ["b", "a", "c"]


def test_a_destination_through_a_loop_of_links_is_an_error() -> None:
    with pytest.raises(Ds01Error) as caught:
        list(entries([(file_pin("/a/x"), b"")], {"a": "b", "b": "a"}))
    assert str(caught.value) == "config: the destination 'a' passes through a loop of links"


def test_a_destination_outside_the_root_is_an_error() -> None:
    with pytest.raises(Ds01Error) as caught:
        list(entries([(file_pin("/up/x"), b"")], {"up": "../.."}))
    assert str(caught.value) == "config: the destination 'up' leaves the root"
