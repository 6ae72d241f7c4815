from __future__ import annotations

import contextlib
import io
import struct
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wheels import EXECUTABLE, REGULAR, Bytes, File, archive, deflated, end

from ds01build.errors import RejectedFile
from ds01build.layers.window import Window
from ds01build.layers.zip import Member, read_directory

if TYPE_CHECKING:
    from collections.abc import Callable

A = File(name=b"a.py", content=b"print('a')\n" * 20)
B = File(name=b"b/c.py", content=b"c = 1\n", mode=EXECUTABLE)
UTF8 = 0x800


def members(content: bytes) -> tuple[Member, ...]:
    return read_directory(Bytes(content), "w.whl")


def problem(content: bytes) -> str:
    with pytest.raises(RejectedFile) as caught:
        members(content)
    assert caught.value.name == "w.whl"
    return caught.value.problem


def zip64(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


names = st.from_regex(r"[a-z]{1,9}(/[a-z]{1,9}\.py){0,3}", fullmatch=True)


@given(st.dictionaries(names, st.binary(max_size=300), min_size=1), st.sampled_from([0, 8]))
def test_what_zipfile_writes_is_read_as_zipfile_reads_it(
    files: dict[str, bytes], method: int
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as written:
        for name, content in files.items():
            written.writestr(name, content)
    if any(other.startswith(path + "/") for path in files for other in files):
        assert "is a file and a directory" in problem(buffer.getvalue())
        return
    with zipfile.ZipFile(buffer) as read:
        expected = [(i.filename, i.CRC, i.compress_size, i.file_size) for i in read.infolist()]
    found = members(buffer.getvalue())
    assert [(m.name, m.crc, m.packed, m.size) for m in found] == expected
    for member in found:
        start = buffer.getvalue()[member.offset :]
        assert start.startswith(deflated(files[member.name]) if method else files[member.name])


def test_directories_are_left_out() -> None:
    directory = File(name=b"b/", mode=0o040755, method=0)
    assert [m.name for m in members(archive([A, directory, B]))] == ["a.py", "b/c.py"]


def test_modes_are_those_of_the_directory() -> None:
    assert [m.mode for m in members(archive([A, B]))] == [REGULAR, EXECUTABLE]


def test_sizes_may_be_in_zip64_of_the_local_header_alone() -> None:
    # As the wheels of protobuf have them.
    for fields in ({}, {"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF}):
        extra = zip64(len(A.content), len(A.body()))
        (member,) = members(archive([replace(A, local_extra=extra, local_fields=fields)]))
        assert (member.size, member.packed) == (len(A.content), len(A.body()))


def test_sizes_may_be_in_zip64_of_both() -> None:
    extra = zip64(len(A.content), len(A.body()))
    full = {"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF}
    content = archive([replace(A, local_extra=extra, local_fields=full, extra=b"")])
    at = content.rindex(b"PK\1\2")
    central = bytearray(content[at : content.rindex(b"PK\5\6")])
    central[20:28] = b"\xff" * 8
    central[30:32] = struct.pack("<H", len(extra))
    central += extra
    found = members(content[:at] + central + end(1, len(central), at))
    assert (found[0].size, found[0].packed) == (len(A.content), len(A.body()))


def wide_end(content: bytes, narrow: tuple[int, int, int], **lies: int) -> bytes:
    """Return a zip with a zip64 end, as zipfile writes it beyond 2 GiB."""
    at, stop = content.rindex(b"PK\1\2"), content.rindex(b"PK\5\6")
    values = {"count": 1, "size": stop - at, "offset": at, "length": 44, "at": stop, **lies}
    record = struct.pack(
        "<4sQHHLLQQQQ",
        *(b"PK\6\6", values["length"], 45, 45, 0, 0),
        *(values["count"], values["count"], values["size"], values["offset"]),
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, values["at"], 1)
    return content[:stop] + record + locator + end(*narrow)


def test_the_end_may_be_in_zip64() -> None:
    content = archive([A])
    at = content.rindex(b"PK\1\2")
    size = content.rindex(b"PK\5\6") - at
    for narrow in ((0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF), (1, size, at), (1, size, 0xFFFFFFFF)):
        assert members(wide_end(content, narrow))[0].name == "a.py"


def test_two_ends_that_disagree_are_refused() -> None:
    content = archive([A])
    full = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    assert problem(wide_end(content, (2, *full[1:]))) == "its two end records disagree"
    where = "its zip64 end record is not where its locator says"
    assert problem(wide_end(content, full, at=3)) == where
    assert problem(wide_end(content, full, length=45)) == where
    lie = "its central directory is not where its end record says"
    assert problem(wide_end(content, full, offset=3)) == lie


def edited(content: bytes, edit: Callable[[bytearray], object]) -> bytes:
    changed = bytearray(content)
    edit(changed)
    return bytes(changed)


sound = archive([A, B])


def counted(entries: int) -> bytes:
    """Return a zip of two files whose end record says that there are ``entries``."""
    at = sound.index(b"PK\1\2")
    return sound[:-22] + end(entries, len(sound) - 22 - at, at)


ELSEWHERE = "its central directory is not where its end record says"
SHAPES: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "is not a zip file, or is cut short"),
    "no files": (archive([]), "has no files"),
    "cut short": (sound[:-1], "is not a zip file, or is cut short"),
    "trailing byte": (sound + b"\0", "has a comment, or bytes behind its end record"),
    "second end record behind": (sound + sound[-22:], ELSEWHERE),
    "two zips in a row": (sound + archive([A]), ELSEWHERE),
    "comment": (
        sound[:-2] + struct.pack("<H", 3) + b"abc",
        "has a comment, or bytes behind its end record",
    ),
    "comment length without a comment": (
        sound[:-2] + b"\1\0",
        "has a comment, or bytes behind its end record",
    ),
    "end record in a comment": (
        sound[:-2] + struct.pack("<H", 22) + end(0, 0, len(sound)),
        "has no files",
    ),
    "leading byte": (archive([A, B], start=b"#!/bin/sh\n"), "has bytes before its first file"),
    "leading byte, offsets not moved": (
        b"\0" + sound,
        "its central directory is not where its end record says",
    ),
    "gap before a header": (
        archive([A, replace(B, before=b"gap")]),
        "there are bytes behind 'a.py' that belong to no file",
    ),
    "gap before the directory": (
        archive([A, replace(B, behind=b"gap")]),
        "there are bytes behind 'b/c.py' that belong to no file",
    ),
    "huge gap": (
        archive([A, replace(B, before=bytes(200_000))]),
        "there are bytes behind 'a.py' that belong to no file",
    ),
    "hidden file between": (
        archive([A, replace(B, before=archive([A]))]),
        "there are bytes behind 'a.py' that belong to no file",
    ),
    "overlap": (
        archive([replace(A, packed_size=len(A.body()) + 9), B]),
        "'a.py' overlaps what follows it",
    ),
    "one body for two names": (
        archive([A, replace(A, name=b"z.py", offset=0, before=b"")]),
        "'a.py' overlaps what follows it",
    ),
    "quoted header": (
        archive([replace(A, packed=A.body() + archive([B])), replace(B, offset=50)]),
        "'a.py' overlaps what follows it",
    ),
    "offset beyond the end": (
        archive([A, replace(B, offset=9_999_999)]),
        "there are bytes behind 'a.py' that belong to no file",
    ),
    "no local header": (
        archive([A, replace(B, local=b"PK\3\5" + bytes(32))]),
        "'b/c.py' is not where the directory says",
    ),
    "other local name": (
        archive([A, replace(B, local_name=b"b/d.py")]),
        "header and directory disagree about the name 'b/c.py'",
    ),
    "longer local name": (
        archive([A, replace(B, local_name=b"b/c.pyc")]),
        "there are bytes behind 'b/c.py' that belong to no file",
    ),
    **{
        f"other local {name}": (
            archive([replace(A, local_fields={name: value})]),
            "header and directory disagree about 'a.py'",
        )
        for name, value in {
            "flags": 2,
            "method": 0,
            "time": 1,
            "date": 1,
            "crc": 1,
            "packed": 1,
            "size": 1,
        }.items()
    },
    "local zip64 of another size": (
        archive([replace(A, local_extra=zip64(1, len(A.body())))]),
        "header and directory disagree about 'a.py'",
    ),
    "full local sizes without zip64": (
        archive([replace(A, local_fields={"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF})]),
        "header and directory disagree about 'a.py'",
    ),
    "zip64 where there is room": (
        archive([replace(A, extra=zip64(5, 5))]),
        "'a.py' has a zip64 field that does not fit its entry",
    ),
    "no zip64 where there is no room": (
        archive([replace(A, packed_size=0xFFFFFFFF, extra=b"\x99\x99\0\0")]),
        "'a.py' has a zip64 field that does not fit its entry",
    ),
    "extra fields cut short": (
        archive([replace(A, extra=b"\1\0\xff\0ab", local_extra=b"")]),
        "'a.py' has malformed extra fields",
    ),
    "extra field twice": (
        archive([replace(A, local_extra=b"\x99\x99\0\0" * 2)]),
        "'a.py' has malformed extra fields",
    ),
    "Unicode path": (
        archive([replace(A, local_extra=b"\x75\x70\x06\0\x01\0\0\0\0x")]),
        "'a.py' has a second name",
    ),
    "encrypted": (archive([replace(A, flags=1)]), "'a.py' is encrypted"),
    "data descriptor": (
        archive([replace(A, flags=8)]),
        "'a.py' has its size behind its bytes (a data descriptor)",
    ),
    "masked headers": (archive([replace(A, flags=0x2000)]), "'a.py' has the flags 0x2000"),
    "bzip2": (archive([replace(A, method=12)]), "'a.py' is packed with method 12"),
    "stored with two sizes": (
        archive([replace(A, method=0, size=3)]),
        "'a.py' is stored, and has two sizes",
    ),
    "entry comment": (archive([replace(A, comment=b"x")]), "'a.py' has a comment"),
    "other disk": (archive([replace(A, disk=1)]), "'a.py' is on another disk"),
    "several disks": (
        edited(sound, lambda z: z.__setitem__(slice(-18, -16), b"\1\0")),
        "is one of several disks",
    ),
    "fewer entries than there are": (
        counted(1),
        "its central directory has more entries than the end record says",
    ),
    "more entries than there are": (
        counted(3),
        "its central directory is cut short",
    ),
    "symlink": (archive([replace(A, mode=0o120777)]), "'a.py' is a symbolic link"),
    "device": (archive([replace(A, mode=0o060644)]), "'a.py' is not a regular file"),
    "fifo": (archive([replace(A, mode=0o010644)]), "'a.py' is not a regular file"),
    "directory that is named as a file": (
        archive([replace(A, mode=0o040755)]),
        "'a.py' is not a regular file",
    ),
    "file that is named as a directory": (
        archive([replace(A, name=b"a/")]),
        "'a/' is named as a directory, and is none",
    ),
    "symlink that is named as a directory": (
        archive([File(name=b"a/", mode=0o120777, method=0)]),
        "'a/' is named as a directory, and is none",
    ),
    "zip bomb": (
        archive([replace(A, size=300 << 20)]),
        "unpacks to 314572800 bytes, more than the 1072976 of a zip of its size",
    ),
    "duplicate name": (archive([A, A]), "'a.py' and 'a.py' are the same name"),
    "duplicate name of one letter": (
        archive([replace(A, name=b"a"), replace(A, name=b"a")]),
        "'a' and 'a' are the same name",
    ),
    "names that differ in case": (
        archive([A, replace(A, name=b"A.PY")]),
        "'a.py' and 'A.PY' are the same name",
    ),
    "names that differ in normal form": (
        archive([replace(A, name=n.encode(), flags=UTF8) for n in ("e\u0301", "\u00c9")]),
        "'e\u0301' and '\u00c9' are the same name",
    ),
    "file and directory entry": (
        archive([replace(A, name=b"a"), File(name=b"a/", mode=0o040755, method=0)]),
        "'a' and 'a/' are the same name",
    ),
    "file and directory": (
        archive([replace(A, name=b"a/b"), replace(A, name=b"a/b/c/d")]),
        "'a/b' is a file and a directory",
    ),
}


@pytest.mark.parametrize(("content", "expected"), SHAPES.values(), ids=SHAPES.keys())
def test_what_two_readers_could_take_in_two_ways_is_refused(content: bytes, expected: str) -> None:
    assert problem(content) == expected


NAMES: dict[bytes, str] = {
    b"/etc/passwd": "the name '/etc/passwd' is absolute",
    b"../x": "the name '../x' leads upwards",
    b"a/../../x": "the name 'a/../../x' leads upwards",
    b"a/..": "the name 'a/..' leads upwards",
    b"./a": "the name './a' has an empty part",
    b"a//b": "the name 'a//b' has an empty part",
    b"a/.": "the name 'a/.' has an empty part",
    b"": "the name '' has an empty part",
    b"..\\x": "the name '..\\\\x' has a backslash",
    b"a\0b": "the name 'a\\x00b' has characters that can't be seen",
    b"a\nb": "the name 'a\\nb' has characters that can't be seen",
    b"\x1b[2Ja": "the name '\\x1b[2Ja' has characters that can't be seen",
    "a\u202eb".encode(): "the name 'a\\u202eb' has characters that can't be seen",
    b"a" * 256: f"the name '{'a' * 99} is too long",
    b"a/" * 2048 + b"a": f"the name '{('a/' * 50)[:99]} is too long",
    b"a\xff": "the name b'a\\xff' is not UTF-8",
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_names_that_are_no_plain_paths_are_refused(name: bytes, expected: str) -> None:
    assert problem(archive([replace(A, name=name, flags=UTF8)])) == expected


def test_a_name_in_an_unknown_encoding_is_refused() -> None:
    name = b"caf\xe9"
    expected = "the name b'caf\\xe9' is neither ASCII nor marked as UTF-8"
    assert problem(archive([replace(A, name=name)])) == expected


@pytest.mark.parametrize(
    "name", ["..a", "a..", "...", "a b", "naïve/日本.py", "a" * 255, "-x", "~", "$(x)"]
)
def test_unusual_names_that_are_safe_are_read(name: str) -> None:
    assert members(archive([replace(A, name=name.encode(), flags=UTF8)]))[0].name == name


def test_a_directory_with_a_million_entries_is_refused_at_once() -> None:
    started = time.process_time()
    assert problem(end(0xFFFF, 1 << 31, 0)) == (
        "has 65535 entries in 2147483648 bytes, more than is sane"
    )
    assert time.process_time() - started < 1


@given(st.integers(0, len(sound) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing_but_metadata(at: int, change: int) -> None:
    changed = edited(sound, lambda z: z.__setitem__(at, z[at] ^ change))
    try:
        found = members(changed)
    except RejectedFile:
        return
    original = members(sound)
    assert [m._replace(mode=0) for m in found] == [m._replace(mode=0) for m in original]


@example(b"PK\6\7", 0, 0)
@given(st.binary(max_size=200), st.integers(0, len(sound)), st.integers(0, 60))
def test_no_bytes_raise_anything_but_a_rejection(junk: bytes, at: int, cut: int) -> None:
    for content in (junk, sound[:at] + junk + sound[at + cut :], junk + sound[-22:]):
        with contextlib.suppress(RejectedFile):
            members(content)


def test_headers_that_lie_close_together_take_few_reads() -> None:
    files = [File(name=f"f{number}".encode(), content=b"x" * 50) for number in range(500)]
    content = archive(files)
    reads: list[int] = []

    class Counting(Bytes):
        def read(self, offset: int, length: int) -> bytes:
            reads.append(offset)
            return super().read(offset, length)

    assert len(read_directory(Window(Counting(content)), "w.whl")) == 500
    assert len(reads) < 6
