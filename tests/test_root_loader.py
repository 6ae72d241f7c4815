from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import debs
import pytest
from debs import Row, directory, link
from hypothesis import given
from hypothesis import strategies as st

from ds01build.errors import Ds01Error
from ds01build.layers.root import loader
from ds01build.layers.root.loader import Row as Library
from ds01build.layers.root.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.layers.deb import DebFacts

FOLDER = "./usr/lib/x86_64-linux-gnu"
CONF = [
    Row("./etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n"),
    Row("./etc/ld.so.conf.d/libc.conf", b"# local\n/usr/local/lib\n"),
    Row("./etc/ld.so.conf.d/z.conf", b"/opt/z/lib  # here\n/lib/x86_64-linux-gnu\n/none\n"),
]


def library(path: str, soname: str, *, bits: int = 64, machine: int = 62) -> Row:
    return Row(path, debs.shared_object(soname, bits=bits, machine=machine))


def libraries() -> list[Row]:
    """Return the cases that ldconfig tells apart."""
    return [
        *CONF,
        directory("./opt/z/lib"),
        directory("./usr/local/lib"),
        directory(FOLDER),
        library(f"{FOLDER}/libz.so.1.2.13", "libz.so.1"),
        link(f"{FOLDER}/libz.so.1", "libz.so.1.2.13"),
        link(f"{FOLDER}/libz.so", "libz.so.1"),  # for the linker
        library(f"{FOLDER}/libm.so.6", "libm.so.6"),
        Row(f"{FOLDER}/libm.so", b"GROUP ( /lib/libm.so.6 )"),  # a linker script
        library(f"{FOLDER}/libnum.so.9.9", "libnum.so.9"),
        library(f"{FOLDER}/libnum.so.9.10", "libnum.so.9"),  # the newer one
        library(f"{FOLDER}/libver.so.1.2", "libver.so.1"),
        library(f"{FOLDER}/libver.so.1.3", "libver.so.1"),
        link(f"{FOLDER}/libwrong.so", "libver.so.1.2"),  # stands for libver.so.1
        library(f"{FOLDER}/libnum.so.10", "libnum.so.10"),
        library(f"{FOLDER}/libbare.so", ""),
        library(f"{FOLDER}/libodd-1.so", "libodd.so.1"),
        library(f"{FOLDER}/plugin.so", "plugin.so"),  # not the name of a library
        library(f"{FOLDER}/libarm.so.1", "libarm.so.1", machine=183),
        library(f"{FOLDER}/libx32.so.1", "libx32.so.1", bits=32),
        library("./usr/lib/libtop.so.1", "libtop.so.1"),
        library("./usr/lib/libz.so.1", "libz.so.1"),  # a second directory has it too
        library("./opt/z/lib/libopt.so.1", "libopt.so.1"),
        library("./usr/local/lib/libopt.so.1", "libopt.so.1"),
        link("./opt/z/lib/libaway.so.1", "/usr/lib/libtop.so.1"),
        link("./opt/z/lib/libdangling.so.1", "nowhere"),
        library(f"{FOLDER}/glibc-hwcaps/x86-64-v3/libz.so.1.2.13", "libz.so.1"),
        library(f"{FOLDER}/glibc-hwcaps/x86-64-v2/libz.so.1.2.13", "libz.so.1"),
        library(f"{FOLDER}/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2"),
        link("./lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
    ]


def root(rows: list[Row], version: str = "2.36-9") -> list[DebFacts]:
    return [debs.package("all", rows), debs.package("libc-bin", Version=version)]


def cache(rows: list[Row]) -> bytes:
    entries = list(loader.entries(Tree.of(root(rows)), "amd64"))
    return debs.content(next(e for _, e in entries if e.path == "etc/ld.so.cache"))


@pytest.mark.skipif(not debs.ldconfig(), reason="needs ldconfig")
def test_the_cache_equals_that_of_ldconfig(tmp_path: Path) -> None:
    """The links of a merged /usr are there in both."""
    shown = subprocess.run(
        [debs.ldconfig(), "--version"], check=True, capture_output=True, text=True
    )
    version = re.search(r"\(Debian GLIBC (\S+)\)", shown.stdout)
    if version is None or not version[1].startswith(("2.36-", "2.37-", "2.38-", "2.39-", "2.4")):
        pytest.skip("needs the ldconfig of Debian 12 or newer")
    facts = root(libraries(), version[1])
    paragraph = debs.control("all")
    entries, _ = debs.unpacked(debs.deb(paragraph, libraries()), paragraph)
    debs.write(tmp_path, entries)
    for name in ("lib", "lib64"):
        (tmp_path / name).symlink_to(f"usr/{name}")
    subprocess.run([debs.ldconfig(), "-X", "-r", tmp_path], check=True, capture_output=True)
    ours = list(loader.entries(Tree.of(facts), "amd64"))
    theirs = (tmp_path / "etc/ld.so.cache").read_bytes()
    assert debs.content(ours[-1][1]) == theirs


def test_the_order_of_packages_and_members_does_not_matter() -> None:
    assert cache(libraries()) == cache(libraries()[::-1])


def test_sonames_that_no_package_links_are_linked() -> None:
    links = debs.link_targets(loader.entries(Tree.of(root(libraries())), "amd64"))
    assert links == {
        "usr/lib/x86_64-linux-gnu/libnum.so.9": "libnum.so.9.10",
        "usr/lib/x86_64-linux-gnu/libver.so.1": "libwrong.so",
        "usr/lib/x86_64-linux-gnu/libodd.so.1": "libodd-1.so",
        "opt/z/lib/libtop.so.1": "libaway.so.1",
    }


def test_configuration_that_includes_itself_ends() -> None:
    rows = [Row("./etc/ld.so.conf", b"include /etc/ld.so.conf\ninclude /etc/*.conf\n/opt\n")]
    assert cache([*rows, library("./opt/liba.so.1", "liba.so.1")]).count(b"/opt/liba.so.1") == 1


def test_no_libc_no_cache() -> None:
    assert list(loader.entries(Tree.of([debs.package("x", libraries())]), "amd64")) == []


def test_an_unknown_architecture_is_an_error() -> None:
    with pytest.raises(Ds01Error, match="no loader cache can be made for 'vax'"):
        list(loader.entries(Tree.of(root([])), "vax"))


NAMES = st.from_regex(r"lib[a-c]{1,2}[0-9]{0,2}\.so\.[0-9]{1,2}", fullmatch=True)


@given(st.lists(NAMES, unique=True, max_size=12))
def test_every_library_can_be_read_back(names: list[str]) -> None:
    rows = [Library(name, f"/lib/{name}", 0x303) for name in names]
    raw = loader.encode(rows, "ldconfig")
    count = int.from_bytes(raw[20:24], "little")
    assert count == len(names)
    found = []
    for at in range(48, 48 + 24 * count, 24):
        key, path = (int.from_bytes(raw[at + i : at + i + 4], "little") for i in (4, 8))
        found.append((_string(raw, key), _string(raw, path)))
    assert sorted(found) == sorted((name, f"/lib/{name}") for name in names)
    assert raw.endswith(b"ldconfig")


def _string(raw: bytes, at: int) -> str:
    return raw[at : raw.index(b"\0", at)].decode()
