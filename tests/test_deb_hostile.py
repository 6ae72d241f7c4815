from __future__ import annotations

import lzma
import struct
import zlib
from contextlib import suppress

import debs
import pytest
from debs import Row, control, directory, link
from hypothesis import given
from hypothesis import strategies as st

from ds01build.errors import RejectedFile

FILE = "tool_1.0-1_amd64.deb"
GOOD = debs.deb(control(), [Row("./a", b"a")])


def problem(content: bytes) -> str:
    with pytest.raises(RejectedFile) as error:
        debs.unpacked(content, control())
    assert error.value.name == FILE
    assert "\n" not in str(error.value)
    return error.value.problem


def of(*rows: Row) -> bytes:
    return debs.deb(control(), rows)


def parts(*members: tuple[str, bytes]) -> bytes:
    return debs.ar(members)


VERSION = ("debian-binary", b"2.0\n")
CONTROL_TAR = debs.tar([Row("./control", debs.control_text(control()))])
CONTROL = ("control.tar.xz", lzma.compress(CONTROL_TAR))
EMPTY = ("data.tar.xz", lzma.compress(debs.tar([])))
LONG = "x" * 5000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not a .deb: no ar archive"),
        (b"PK\3\4", "is not a .deb: no ar archive"),
        (GOOD[:80], "no ar member at byte 72"),
        (GOOD[:-8], "data.tar.xz is cut short"),
        (GOOD + b"tail", "bytes follow the data archive"),
        (parts(("debian-binary", b"3.0\n"), CONTROL, EMPTY), "is not a .deb of format 2.0"),
        (parts(CONTROL, VERSION, EMPTY), "is not a .deb of format 2.0"),
        (parts(VERSION, EMPTY, CONTROL), "holds data.tar.xz and control.tar.xz"),
        (
            parts(VERSION, CONTROL, ("data.tar.zst", b"\x28\xb5\x2f\xfd")),
            "data.tar.zst is not compressed with xz or gzip",
        ),
        (
            parts(VERSION, CONTROL, ("data.tar.xz", lzma.compress(b"") + b"tail")),
            "data.tar.xz: bytes follow the compressed stream",
        ),
        (parts(VERSION, CONTROL, ("data.tar.gz", b"")), "data.tar.gz is cut short"),
        (
            parts(VERSION, CONTROL, ("data.tar.xz", EMPTY[1][:-10])),
            "data.tar.xz is cut short",
        ),
        (
            parts(VERSION, CONTROL, ("data.tar.xz", lzma.compress(debs.tar([]) + b"tail"))),
            "data.tar.xz: bytes follow the end of the archive",
        ),
        (
            parts(VERSION, CONTROL, ("data.tar.xz", lzma.compress(debs.header(Row("./a"))))),
            "data.tar.xz: is cut short",
        ),
    ],
)
def test_a_damaged_archive_is_rejected(content: bytes, expected: str) -> None:
    assert problem(content) == expected


def test_damaged_compression_is_rejected() -> None:
    damaged = parts(VERSION, CONTROL, ("data.tar.xz", b"\xfd7zXZ\0garbage"))
    assert problem(damaged).startswith("data.tar.xz: cannot be decompressed (")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([Row("/etc/passwd")], "'/etc/passwd' is an absolute path"),
        ([Row("./../etc/passwd")], "'../etc/passwd' is not a plain path"),
        ([Row("./a/../../b")], "'a/../../b' is not a plain path"),
        ([Row("./a//b")], "'a//b' is not a plain path"),
        ([Row("././a")], "'./a' is not a plain path"),
        ([Row("./" + "n" * 256)], f"'{'n' * 99} is not a plain path"),
        ([Row("./a\nb")], "'./a\\nb' is not a printable name"),
        ([Row("./a\x1b[2J")], "'./a\\x1b[2J' is not a printable name"),
        ([Row(f"./{LONG}")], "a long name is too long"),
        ([Row("./a/.wh.b")], "'a/.wh.b' would remove files of other layers"),
        ([Row("./.wh..wh..opq")], "'.wh..wh..opq' would remove files of other layers"),
        ([Row("./dev/sda", type=b"4")], "'dev/sda' is a block device"),
        ([Row("./dev/tty", type=b"3")], "'dev/tty' is a character device"),
        ([Row("./run/pipe", type=b"6")], "'run/pipe' is a FIFO"),
        ([Row("./pax", b"30 path=/etc/passwd\n", type=b"x")], "'pax' is a pax header"),
        ([Row("./pax", b"1", type=b"g")], "'pax' is a pax header"),
        ([Row("./what", type=b"V")], "'what' is of the unknown type b'V'"),
        ([Row("./a", b"1"), Row("./a", b"1")], "'a' is there twice"),
        ([Row("./lib/a", b"1"), Row("./usr/lib/a", b"2")], "'usr/lib/a' is there twice"),
        ([directory("./d"), directory("./d", 0o700)], "'d' is there twice"),
        ([link("./l", "/etc"), Row("./l/passwd")], "'l/passwd' lies below a symlink"),
        ([Row("./l/x/passwd"), link("./l", "/etc")], "'l/x/passwd' lies below a symlink"),
        ([Row("./f"), Row("./f/g")], "'f/g' lies below a file"),
        ([link("./l", "../etc")], "the link 'l' leads out of the root, to '../etc'"),
        ([link("./a/l", "../../x")], "the link 'a/l' leads out of the root, to '../../x'"),
        ([link("./l", "")], "the link 'l' leads out of the root, to ''"),
        ([link("./bin", "/tmp")], "'bin' is a link to '/tmp'"),
        ([Row("./h", kind="hardlink", link="./none")], "'h' is a hard link to './none'"),
        ([Row("./h", kind="hardlink", link="/etc/passwd")], "'h' is a hard link to '/etc/passwd'"),
        (
            [link("./l", "x"), Row("./h", kind="hardlink", link="./l")],
            "'h' is a hard link to './l'",
        ),
        ([link("./l", "x\ny")], "'x\\ny' is not a printable name"),
        ([Row("./d", b"x", kind="directory")], "'d' has 1 bytes"),
        (
            [Row("./var/lib/dpkg/info/tool.list", b"/.\n")],
            "'var/lib/dpkg/info/tool.list' is dpkg's own",
        ),
    ],
)
def test_a_hostile_member_is_rejected(rows: list[Row], expected: str) -> None:
    assert problem(of(*rows)) == expected


def test_a_name_outside_utf_8_is_rejected() -> None:
    block = bytearray(debs.header(Row("./aXb")))
    block[3] = 0xFF
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    content = debs.wrapped(CONTROL_TAR, bytes(block) + bytes(1024))
    assert problem(content) == "b'./a\\xffb' is not UTF-8"


def test_a_wrong_checksum_is_rejected() -> None:
    block = bytearray(debs.header(Row("./a")))
    block[0:3] = b"./b"
    content = debs.wrapped(CONTROL_TAR, bytes(block) + bytes(1024))
    assert problem(content) == "a tar header has the wrong checksum"


def test_numbers_that_are_not_octal_are_rejected() -> None:
    block = bytearray(debs.header(Row("./a")))
    block[124:136] = b"\x80" + bytes(11)  # base-256, as GNU tar writes huge sizes
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    content = debs.wrapped(CONTROL_TAR, bytes(block) + bytes(1024))
    assert problem(content).startswith("a tar header has the number b'\\x80")


def test_another_format_of_tar_is_rejected() -> None:
    old = debs.header(Row("./a"), magic=bytes(8))
    content = debs.wrapped(CONTROL_TAR, old + bytes(1024))
    assert problem(content) == "holds something else than a GNU or ustar tar"


def test_a_bomb_is_rejected() -> None:
    content = of(Row("./zeros", bytes(18_000_000)))
    assert len(content) < 20_000
    assert problem(content) == "data.tar.xz: unpacks to more than 100 times its size"


def test_a_file_of_more_than_a_gibibyte_is_rejected_unread() -> None:
    block = debs.header(Row("./huge"), size=(1 << 30) + 1)
    assert problem(debs.wrapped(CONTROL_TAR, block)) == "'huge' has 1073741825 bytes"


def test_xz_that_asks_for_much_memory_is_rejected() -> None:
    packed = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    packed[16] = 34  # the dictionary's size in the block header: 512 MiB
    size = (packed[12] + 1) * 4
    packed[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(packed[12 : 12 + size - 4]))
    content = parts(VERSION, CONTROL, ("data.tar.xz", bytes(packed)))
    assert problem(content) == "data.tar.xz: cannot be decompressed (Memory usage limit exceeded)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Package: tool\n\nPackage: evil\n", "control has the line ''"),
        (b"Package: tool\n# note\n", "control has the line '# note'"),
        (b"Package: tool\nno field\n", "control has the line 'no field'"),
        (b" Package: tool\n", "control has the line ' Package: tool'"),
        (b"Package: tool\npackage: evil\n", "control has 'package' where it must not"),
        (b"Package: tool\nStatus: install ok\n", "control has 'Status' where it must not"),
        (b"Package: tool\nConffiles:\n /x 0\n", "control has 'Conffiles' where it must not"),
        (b"Package: tool\n \n", "control has the line ' '"),
        (b"Package: tool\rStatus: x\n", "control has the line 'Package: tool\\rStatus: x'"),
        (b"Package: \xff\n", "control is not UTF-8"),
        (b"", "control has the line ''"),
    ],
)
def test_a_hostile_control_paragraph_is_rejected(text: bytes, expected: str) -> None:
    assert problem(debs.deb(text)) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"Package": "evil"}, "its Package is 'evil', locked is 'tool'"),
        ({"Version": "1.0-2"}, "its Version is '1.0-2', locked is '1.0-1'"),
        ({"Architecture": "arm64"}, "its Architecture is 'arm64', locked is 'amd64'"),
        ({"Multi-Arch": "../x"}, "its Multi-Arch is '../x'"),
    ],
)
def test_another_package_than_the_locked_one_is_rejected(
    changed: dict[str, str], expected: str
) -> None:
    assert problem(debs.deb({**control(), **changed})) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"list": "/evil\n"}, "the control archive has 'list'"),
        ({"../evil": ""}, "'../evil' is not a plain path"),
        ({"a/b": ""}, "the control archive has 'a/b'"),
        ({"UPPER": ""}, "the control archive has 'UPPER'"),
        ({"conffiles": "etc/x\n"}, "conffiles has the line 'etc/x'"),
        ({"conffiles": "/etc/\x07x\n"}, "conffiles holds control characters"),
        ({"triggers": b"\xff"}, "triggers is not UTF-8"),
    ],
)
def test_a_hostile_control_archive_is_rejected(files: dict[str, str], expected: str) -> None:
    assert problem(debs.deb(control(), [], files)) == expected


def test_a_control_archive_without_control_is_rejected() -> None:
    content = debs.wrapped(debs.tar([directory("./")]), debs.tar([]))
    assert problem(content) == "has no control file"


@given(st.data())
def test_a_flipped_byte_never_ends_in_another_error(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    damaged = bytearray(GOOD)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with suppress(RejectedFile):
        debs.unpacked(bytes(damaged), control())


@given(st.binary(max_size=600))
def test_any_tar_is_read_or_rejected(content: bytes) -> None:
    block = debs.header(Row("./a", b"a")) + content
    with suppress(RejectedFile):
        debs.unpacked(debs.wrapped(CONTROL_TAR, block), control())
