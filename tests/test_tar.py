from __future__ import annotations

import io
import shutil
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.layers.entry import Entry
from ds01build.layers.tar import END, MTIME, entry_header, header, padding
from ds01build.stack import Kind, Stat

KINDS: dict[Kind, bytes] = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
}
FILE = Stat("file", 0o644, 0, 0, "0" * 64)
parts = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda part: part not in {".", ".."})
paths = st.lists(parts, min_size=1, max_size=8).map("/".join)
numbers = st.sampled_from([0, 1, 65534, 0o7777777, 0o7777777 + 1, 4_000_000_000])


def read_back(block: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(block + END)) as archive:
        member = archive.next()
        assert member is not None
        return member


@given(paths, st.sampled_from(list(KINDS)), st.integers(0, 0o7777), numbers, numbers, paths)
def test_a_header_says_what_the_stat_says(
    path: str, kind: Kind, mode: int, uid: int, gid: int, link: str
) -> None:
    is_link = kind in {"symlink", "hardlink"}
    block = header(path, Stat(kind, mode, uid, gid, link if is_link else ""), 0)
    member = read_back(block)
    assert len(block) % 512 == 0
    assert (member.name, member.type, member.mode) == (path, KINDS[kind], mode)
    assert (member.uid, member.gid, member.mtime) == (uid, gid, MTIME)
    assert (member.uname, member.gname) == ("", "")
    assert member.linkname == (link if is_link else "")


attributes = st.dictionaries(
    st.from_regex(r"(user|security)\.[a-z.]{1,80}", fullmatch=True), st.binary(max_size=300)
).map(lambda values: tuple(sorted(values.items())))
times = st.integers(-(1 << 40), 1 << 40) | st.sampled_from([0, -1, 0o77777777777, 1 << 33])


@given(paths, st.sampled_from(["file", "directory"]), times, attributes)
def test_times_and_attributes_are_read_back_as_they_were(
    path: str, kind: Kind, mtime: int, xattrs: tuple[tuple[str, bytes], ...]
) -> None:
    stat = Stat(kind, 0o644, 0, 0, "")
    block = entry_header(Entry(path=path, stat=stat, mtime=mtime, xattrs=xattrs))
    member = read_back(block)
    assert (member.name, member.type, member.mtime) == (path, KINDS[kind], mtime)
    read = {
        keyword.removeprefix("SCHILY.xattr."): value.encode("utf-8", "surrogateescape")
        for keyword, value in member.pax_headers.items()
        if keyword.startswith("SCHILY.xattr.")
    }
    assert read == dict(xattrs)


@given(paths, st.sampled_from(list(KINDS)))
def test_the_constant_time_gives_the_bytes_of_a_header_without_one(path: str, kind: Kind) -> None:
    stat = Stat(kind, 0o644, 0, 0, "")
    for mtime in (None, MTIME):
        assert entry_header(Entry(path=path, stat=stat, mtime=mtime)) == header(path, stat, 0)


@pytest.mark.parametrize(
    ("path", "name"), [("a", ".wh.a"), ("usr/bin/x", "usr/bin/.wh.x"), ("é", ".wh.é")]
)
def test_a_whiteout_is_an_empty_file_beside_the_path(path: str, name: str) -> None:
    member = read_back(header(path, Stat("whiteout", 0, 0, 0, ""), 0))
    assert (member.name, member.type, member.size) == (name, tarfile.REGTYPE, 0)


@pytest.mark.parametrize(
    ("path", "blocks"),
    [
        ("a" * 100, 1),
        ("a" * 101, 3),
        ("p" * 155 + "/" + "a" * 100, 1),
        ("p" * 156 + "/" + "a" * 100, 3),
        ("p" * 155 + "/" + "a" * 101, 3),
        ("é", 3),
    ],
)
def test_pax_is_used_only_where_ustar_has_no_room(path: str, blocks: int) -> None:
    block = header(path, FILE, 0)
    assert len(block) == 512 * blocks
    assert read_back(block).name == path


@pytest.mark.parametrize(("size", "blocks"), [(0o77777777777, 1), (0o77777777777 + 1, 3)])
def test_a_size_of_eight_gibibytes_needs_pax(size: int, blocks: int) -> None:
    block = header("big", FILE, size)
    assert len(block) == 512 * blocks
    assert read_back(block).size == size


def test_a_directory_ends_in_a_slash_and_the_root_is_a_dot() -> None:
    directory = Stat("directory", 0o755, 0, 0, "")
    assert header("usr/bin", directory, 0).startswith(b"usr/bin/\0")
    assert header("", directory, 0).startswith(b"./\0")


def test_a_directory_is_not_split_at_its_last_slash() -> None:
    # That would leave an empty name, which some readers take for the end.
    block = header("d" * 100, Stat("directory", 0o755, 0, 0, ""), 0)
    assert read_back(block).name == "d" * 100
    assert len(block) == 3 * 512


def test_a_name_with_nul_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^NUL in a name: 'a\\x00b'$"):
        header("a\0b", FILE, 0)


@given(st.integers(0, 5000))
def test_padding_fills_the_last_block(size: int) -> None:
    assert (size + len(padding(size))) % 512 == 0
    assert len(padding(size)) < 512


def test_bytes_of_a_header_are_fixed_for_ever() -> None:
    block = header("usr/bin/x", Stat("file", 0o755, 0, 0, ""), 7)
    fields = ["0000755", "0000000", "0000000", "00000000007", "02263773600", "007564"]
    expected = b"usr/bin/x".ljust(100, b"\0") + "\0".join(fields).encode() + b"\0 0"
    assert block == (expected.ljust(257, b"\0") + b"ustar\0" + b"00").ljust(512, b"\0")


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs tar")
def test_gnu_tar_lists_ustar_and_pax_without_a_word() -> None:
    names = ["a", "p" * 150 + "/" + "a" * 100, "x" * 240, "naïve"]
    stream = b"".join(header(name, FILE, 0) for name in names) + END
    listed = subprocess.run(
        ["tar", "-tf", "-"],
        input=stream,
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert (
        listed.stdout.decode("unicode_escape").encode("latin-1").decode().split("\n")[:-1] == names
    )
    assert listed.stderr == b""
