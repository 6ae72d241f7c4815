from __future__ import annotations

import contextlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01build.errors import RejectedFile
from ds01build.layers.foreign import Member, Reader
from ds01build.layers.tar import END, header
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.stack import Kind

FILE = Stat("file", 0o644, 0, 0, "")


def chunked(content: bytes, size: int = 1000) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def read(content: bytes, size: int = 1000) -> list[tuple[Member, bytes]]:
    reader = Reader(chunked(content, size), "the tar")
    found = []
    while (member := reader.member()) is not None:
        found.append((member, b"".join(reader.body(member.size))))
    return found


def written(members: list[tarfile.TarInfo], contents: list[bytes], form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for member, content in zip(members, contents, strict=True):
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


parts = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]),
    min_size=1,
    max_size=60,
).filter(lambda part: part not in {".", ".."} and len(part.encode()) <= 255)
paths = st.lists(parts, min_size=1, max_size=6).map("/".join)
KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
}


@st.composite
def members(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    path = draw(paths)
    member = tarfile.TarInfo(f"./{path}")
    member.type = draw(st.sampled_from(list(KINDS)))
    member.mode = draw(st.integers(0, 0o7777))
    member.uid = draw(st.sampled_from([0, 1000, 0o7777777 + 1, (1 << 32) - 2]))
    member.gid = draw(st.integers(0, 70000))
    member.mtime = draw(st.integers(-(1 << 33), 1 << 34))
    member.linkname = path if member.type == tarfile.SYMTYPE else ""
    content = draw(st.binary(max_size=1200)) if member.type == tarfile.REGTYPE else b""
    return member, content


@settings(max_examples=60)
@given(
    st.lists(members(), max_size=3),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.integers(1, 3000),
)
def test_what_tarfile_writes_is_read(
    wanted: list[tuple[tarfile.TarInfo, bytes]], form: int, size: int
) -> None:
    content = written([each for each, _ in wanted], [body for _, body in wanted], form)
    assert read(content, size) == [
        (
            Member(
                path=each.name[2:],
                kind=KINDS[each.type],
                mode=each.mode,
                uid=each.uid,
                gid=each.gid,
                mtime=int(each.mtime),
                link=each.linkname,
                size=len(body),
                xattrs=(),
            ),
            body,
        )
        for each, body in wanted
    ]


def test_fractions_of_a_second_are_rounded_down() -> None:
    times = {"1.5": 1, "-1.5": -2, "-1": -1, "-0.000000001": -1, "7": 7, "-3.0": -3}
    for text, mtime in times.items():
        member = tarfile.TarInfo("a")
        member.pax_headers = {"mtime": text}
        assert read(written([member], [b""], tarfile.PAX_FORMAT))[0][0].mtime == mtime


def test_attributes_are_kept_as_bytes() -> None:
    member = tarfile.TarInfo("a")
    value = b"\xff\0=\n"
    member.pax_headers = {"SCHILY.xattr.user.a": value.decode("utf-8", "surrogateescape")}
    [(found, _)] = read(written([member], [b"x"], tarfile.PAX_FORMAT))
    assert found.xattrs == (("user.a", value),)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/etc/passwd", "'/etc/passwd' is not a plain path"),
        ("../x", "'../x' is not a plain path"),
        ("a/../../x", "'a/../../x' is not a plain path"),
        ("a//b", "'a//b' is not a plain path"),
        ("a\x1b[31m", "'a\\x1b[31m' is not a plain path"),
        ("a" * 256, f"{'a' * 256!r:.100} is not a plain path"),
    ],
)
def test_a_path_that_is_not_plain_is_refused(name: str, problem: str) -> None:
    content = written([tarfile.TarInfo(name)], [b""], tarfile.PAX_FORMAT)
    with pytest.raises(RejectedFile) as caught:
        read(content)
    assert str(caught.value) == f"the tar: {problem}"


@pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"7", b"S", b"g", b"D", b"M", b"V"])
def test_other_types_are_refused(kind: bytes) -> None:
    member = tarfile.TarInfo("a")
    member.type = kind
    with pytest.raises(RejectedFile, match=r"is of the type"):
        read(written([member], [b""], tarfile.GNU_FORMAT))


def test_a_sparse_file_is_refused() -> None:
    member = tarfile.TarInfo("a")
    member.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(RejectedFile, match=r"is of the type b'0'"):
        read(written([member], [b"x"], tarfile.PAX_FORMAT))


PAX_FLAWS = [
    b"", b"5", b"5 a=b\n", b"07 a=b\n", b"99 a=b\n", b"6 a=bb", b"8 a-bbb\n", b"2 \n", b"-1 a=b\n",
    b"11 size=-1\n", b"11 size=1e\n", b"12 uid=\xc2\xb2xx\n", b"14 mtime=1.2.\n", b"13 mtime=nan\n",
    b"20 uid=99999999999\n", b"12 path=\xff\xff\xff\n",
]  # fmt: skip


@pytest.mark.parametrize("records", PAX_FLAWS[1:])
def test_malformed_records_are_refused(records: bytes) -> None:
    extension = header("x", FILE, len(records))
    block = bytearray(extension)
    block[156:157] = b"x"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    content = bytes(block) + records.ljust(512, b"\0") + header("a", FILE, 0) + END
    with pytest.raises(RejectedFile):
        read(content)


def test_a_stream_that_is_cut_short_or_goes_on_is_refused() -> None:
    content = header("a", FILE, 600) + bytes(1024) + END
    for end in range(1, len(content) - len(END), 100):
        with pytest.raises(RejectedFile, match=r"^the tar: is cut short$"):
            read(content[:end])
    with pytest.raises(RejectedFile, match=r"^the tar: goes on after its end$"):
        read(content + b"x")


@given(st.binary(max_size=600), st.integers(0, 1500))
def test_no_bytes_raise_anything_else(noise: bytes, at: int) -> None:
    member = tarfile.TarInfo("a")
    member.pax_headers = {"mtime": "1.5", "comment": "x"}
    content = bytearray(written([member], [b"y"], tarfile.PAX_FORMAT))
    content[at : at + len(noise)] = noise
    with contextlib.suppress(RejectedFile):
        read(bytes(content))
