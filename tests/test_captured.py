"""What a container prints is held to what was asked of it."""

from __future__ import annotations

import io
import tarfile
import tempfile
from typing import IO, TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01build.digest import Digest
from ds01build.errors import RejectedFile
from ds01build.layers import pack
from ds01build.layers.captured import entries, requested
from ds01build.layers.entry import marked
from ds01build.layers.survey import Changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Entry

CAPABILITY = ("security.capability", b"\x01\0\0\x02\0\x04" + bytes(14))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def printed(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in members:
            header, content = each if isinstance(each, tuple) else (each, b"")
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return file.getvalue()


def taken(
    content: bytes, *present: str, removed: tuple[str, ...] = ()
) -> tuple[list[Entry], list[str]]:
    notes: list[str] = []
    with tempfile.TemporaryFile() as spool:
        changes = Changes(present=present, removed=removed)
        return list(entries(iter([content]), changes, spool, notes)), notes


def test_names_are_asked_for_relative_and_ended_by_nul() -> None:
    changes = Changes(present=("", "-rf", "a b"), removed=("gone",))
    assert requested(changes) == b"./\0./-rf\0./a b\0"


def test_what_is_removed_comes_first_and_its_stat_says_nothing() -> None:
    found, _ = taken(printed(member("./", tarfile.DIRTYPE)), "", removed=("a", "b/c"))
    assert [(each.path, tuple(each.stat)) for each in found[:2]] == [
        ("a", ("whiteout", 0, 0, 0, "")),
        ("b/c", ("whiteout", 0, 0, 0, "")),
    ]
    assert found[2].path == ""


def test_a_hard_link_names_a_file_before_it() -> None:
    found, _ = taken(
        printed(member("./a"), member("./b", tarfile.LNKTYPE, "./a")),
        *("a", "b"),
    )
    assert found[1].stat.content == "a"
    for link in ("/etc/passwd", "../a", "c", "b", "./d"):
        content = printed(
            member("./a"), member("./b", tarfile.LNKTYPE, link), member("./d", tarfile.DIRTYPE)
        )
        with pytest.raises(RejectedFile, match=r"'b' is a hard link to"):
            taken(content, "a", "b", "d")


@pytest.mark.parametrize(
    "names",
    [["a"], ["a", "b", "c"], ["b", "a"], ["a", "a"], ["a", "./c"], [], ["a", "b", "b"]],
)
def test_any_other_set_of_paths_is_refused(names: list[str]) -> None:
    with pytest.raises(RejectedFile, match=r"^what tar in the container printed: "):
        taken(printed(*map(member, names)), "a", "b")


def test_attributes_that_mean_nothing_elsewhere_are_dropped_and_noted() -> None:
    header = member("./a")
    others = {"security.selinux": b"x", "trusted.overlay.opaque": b"y", "user.note": b"\xff"}
    header.pax_headers = {
        f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape")
        for name, value in [CAPABILITY, *others.items()]
    }
    [found], notes = taken(printed((header, b"x")), "a")
    assert found.xattrs == (CAPABILITY, ("user.note", b"\xff"))
    assert found.stat.content == marked(Digest.of(b"x").hex, found.xattrs)
    assert notes == [
        "/a: the attribute 'security.selinux' is left out",
        "/a: the attribute 'trusted.overlay.opaque' is left out",
    ]


def test_bodies_larger_than_memory_pass_through_the_spool() -> None:
    contents = {"a": bytes(range(256)) * 9000, "b": b"small", "c": b"\1" * (1 << 21), "d": b""}
    content = printed(*((member(name), body) for name, body in contents.items()))
    with tempfile.TemporaryFile() as spool:
        found = entries(iter([content]), Changes(present=(*contents,), removed=()), spool, [])
        assert read(pack.compress(checked(found, contents))) == contents
        assert spool.seek(0, io.SEEK_END) == len(contents["a"])


def checked(found: Iterator[Entry], contents: dict[str, bytes]) -> Iterator[Entry]:
    for each in found:
        assert each.stat.content == Digest.of(contents[each.path]).hex
        yield each


def read(pieces: Iterator[object]) -> dict[str, bytes]:
    plain = b"".join(piece.plain for piece in pieces)  # type: ignore[attr-defined]
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return {each.name: opened(archive.extractfile(each)) for each in archive}


def opened(file: IO[bytes] | None) -> bytes:
    assert file is not None
    return file.read()


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=40), st.integers(0, 3000))
def test_damage_never_gives_a_path_that_was_not_asked_for(noise: bytes, at: int) -> None:
    content = bytearray(printed((member("a"), b"x" * 600), member("b/", tarfile.DIRTYPE)))
    content[at : at + len(noise)] = noise
    try:
        found, _ = taken(bytes(content), "a", "b")
    except RejectedFile:
        return
    assert [each.path for each in found] == ["a", "b"]


def test_the_time_of_what_engines_write_to_is_not_the_tiers() -> None:
    paths = ("", "etc", "etc/own", "srv")
    there = [member(f"./{path}", tarfile.DIRTYPE) for path in paths]
    for each in there:
        each.mtime = 86400
    found, _ = taken(printed(*there), *paths)
    assert [entry.mtime for entry in found] == [None, None, 86400, 86400]
