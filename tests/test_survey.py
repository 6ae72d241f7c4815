from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from ds01build.errors import Ds01Error, RejectedFile
from ds01build.layers.survey import Survey, argv, compare, is_noise, parse

if TYPE_CHECKING:
    from pathlib import Path


def survey(*paths: str, **changed: str) -> Survey:
    """Return a survey of paths, a directory where one ends in a slash."""
    found = {b"": (b"d", b"0")}
    for path in paths:
        kind, _, name = path.rpartition(":")
        found[name.rstrip("/").encode()] = (
            (kind or ("d" if name.endswith("/") else "f")).encode(),
            changed.get(name.replace("/", "_"), "1").encode(),
        )
    return found


def test_a_record_is_type_ctime_and_path() -> None:
    output = [b"d 1.5 /\0f 2.2", b"50 /a b\0", b"l -1.0 /c\nd\0"]
    assert parse(output) == {
        b"": (b"d", b"1.5"),
        b"a b": (b"f", b"2.250"),
        b"c\nd": (b"l", b"-1.0"),
    }


@pytest.mark.parametrize(
    "output",
    [b"", b"d 1 /\0f 2 /a", b"d 1 /\0f /a\0", b"d 1 /\0f 1 a\0", b"f 1 /a\0", b"d 1 /\0\0"],
)
def test_what_find_would_not_say_is_refused(output: bytes) -> None:
    with pytest.raises(RejectedFile):
        parse([output])


def test_a_changed_path_comes_with_its_directories() -> None:
    changes = compare(survey("a/", "a/b/", "a/b/c"), survey("a/", "a/b/", "a/b/c", a_b_c="2"))
    assert changes.present == ("", "a", "a/b", "a/b/c")
    assert changes.removed == ()


def test_nothing_changed_is_nothing_at_all() -> None:
    changes = compare(survey("a/"), survey("a/"))
    assert (changes.present, changes.removed, changes.notes) == ((), (), ())


def test_only_the_highest_of_removed_paths_is_listed() -> None:
    changes = compare(survey("a/", "a/b/", "a/b/c", "a/d"), survey("a/"))
    assert changes.removed == ("a/b", "a/d")
    assert changes.present == ("", "a")


def test_of_a_directory_that_was_made_again_what_it_had_is_removed() -> None:
    changes = compare(survey("a/", "a/old", "a/new"), survey("a/", "a/new", a_new="2"))
    assert (changes.present, changes.removed) == (("", "a", "a/new"), ("a/old",))


@pytest.mark.parametrize("kind", ["f", "l"])
def test_what_replaces_a_directory_hides_what_it_had(kind: str) -> None:
    changes = compare(survey("a/", "a/b/", "a/b/c"), survey("a/", f"{kind}:a/b"))
    assert (changes.present, changes.removed) == (("", "a", "a/b"), ())


def test_a_directory_replaces_a_file() -> None:
    changes = compare(survey("a"), survey("a/", "a/b"))
    assert (changes.present, changes.removed) == (("", "a", "a/b"), ())


@pytest.mark.parametrize(
    ("kind", "what"), [("p", "a FIFO"), ("s", "a socket"), ("b", "a device"), ("c", "a device")]
)
def test_special_files_are_noted(kind: str, what: str) -> None:
    changes = compare(survey("a/"), survey("a/", f"{kind}:a/x"))
    assert changes.notes == (f"/a/x is {what}, and is left out",)
    assert changes.present == ()


def test_a_volume_may_hold_what_it_held_and_nothing_new() -> None:
    held = survey("data/", "data/x", "database")
    assert compare(held, held, ["/data"]).present == ()
    after = survey("data/", "data/x", "database", database="2")
    assert compare(held, after, ["/data"]).present == ("", "database")
    with pytest.raises(Ds01Error, match=r"^'/data/x' is below /data, a volume of the base"):
        compare(held, survey("data/", "database"), ["/data/"])


def test_what_only_apt_and_dpkg_need_is_noise() -> None:
    noise = [
        "var/cache/apt/pkgcache.bin",
        "var/cache/apt/archives/lock",
        "var/cache/debconf/config.dat-old",
        "var/cache/ldconfig/aux-cache",
        "var/lib/apt/lists/x",
        "var/lib/dpkg/lock",
        "var/lib/dpkg/status-old",
        "var/log/apt/term.log",
        "var/log/dpkg.log",
    ]
    kept = [
        "etc/ld.so.cache",
        "var/cache/debconf/config.dat",
        "var/lib/apt/extended_states",
        "var/lib/dpkg/info/x.list",
        "var/lib/dpkg/status",
    ]
    assert [path for path in [*noise, *kept] if is_noise(path)] == noise
    changes = compare(survey("var/"), survey("var/", "var/log/dpkg.log"), (), is_noise)
    assert changes.present == ()


@pytest.mark.skipif(shutil.which("find") is None, reason="needs find")
def test_find_sees_every_kind_of_change(tmp_path: Path) -> None:
    for name in ("same", "mode", "content", "time", "gone"):
        (tmp_path / name).write_text("x")
    before = seen(tmp_path)
    assert seen(tmp_path) == before
    (tmp_path / "mode").chmod(0o600)
    at = (tmp_path / "content").stat()
    (tmp_path / "content").write_text("y")
    os.utime(tmp_path / "content", ns=(at.st_atime_ns, at.st_mtime_ns))
    os.utime(tmp_path / "time", (0, 0))
    (tmp_path / "gone").unlink()
    (tmp_path / "new").symlink_to("x")
    changes = compare(before, seen(tmp_path))
    above = str(tmp_path)[1:]
    assert {path.removeprefix(f"{above}/") for path in changes.present if path > above} == {
        *("content", "mode", "new", "time")
    }
    assert changes.removed == (f"{above}/gone",)


def seen(directory: Path) -> Survey:
    """Return the survey of this machine, of ``directory`` and nothing else in reality."""
    command = [str(directory) if word == "/" else word for word in argv("/scratch", ())]
    return parse([b"d 0 /\0", subprocess.run(command, capture_output=True, check=True).stdout])
