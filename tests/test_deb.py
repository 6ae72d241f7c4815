from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import debs
import pytest
from debs import Row, control, directory, link
from hypothesis import given
from hypothesis import strategies as st

from ds01build.layers.deb import DebFacts, Library
from ds01build.layers.deb.place import place
from ds01build.layers.deb.stream import Content
from ds01build.layers.deb.untar import MAX_PATH
from ds01build.stack import Stat

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(
    rows: list[Row], files: dict[str, bytes | str] | None = None, **fields: str
) -> tuple[dict[str, Stat], DebFacts]:
    paragraph = control(**fields)
    entries, facts = debs.unpacked(debs.deb(paragraph, rows, files), paragraph)
    return {entry.path: entry.stat for entry in entries}, facts


def test_paths_are_put_on_a_merged_usr() -> None:
    rows = [
        directory("./"),
        directory("./lib64/"),
        Row("./bin/tool", b"x", mode=0o755),
        Row("./libexec/tool", b"y"),
        Row("./var/run/tool", b"z"),
        link("./lib64/loader", "../lib/loader"),
    ]
    stats, facts = unpacked(rows)
    assert list(stats)[:6] == [
        *("", "usr/lib64", "usr/bin/tool", "libexec/tool", "run/tool", "usr/lib64/loader")
    ]
    assert facts.aliased == ("bin", "lib64", "var/run")


def test_the_list_keeps_the_paths_as_the_package_has_them() -> None:
    paragraph = control(Multi_Arch="same")
    rows = [directory("./"), directory("./lib/"), Row("./lib/a", b"a")]
    entries, facts = debs.unpacked(debs.deb(paragraph, rows), paragraph)
    path = "var/lib/dpkg/info/tool:amd64.list"
    assert debs.text([("", each) for each in entries], path) == "/.\n/lib\n/lib/a\n"
    assert facts.qualified == "tool:amd64"


def test_modes_owners_and_hard_links_are_those_of_the_tar() -> None:
    rows = [
        directory("./var/local/", 0o2775, 0, 50),
        Row("./usr/bin/su", b"elf", mode=0o4755, uid=6, gid=12),
        Row("./usr/bin/also", kind="hardlink", link="./usr/bin/su", mode=0o4755, uid=6, gid=12),
    ]
    stats, _ = unpacked(rows)
    assert stats["var/local"] == Stat("directory", 0o2775, 0, 50, "")
    assert stats["usr/bin/su"] == Stat("file", 0o4755, 6, 12, debs.sha256(b"elf"))
    assert stats["usr/bin/also"] == Stat("hardlink", 0o4755, 6, 12, "usr/bin/su")


def test_a_body_yields_the_content_each_time_it_is_called() -> None:
    content = bytes(range(256)) * 9000  # more than two chunks
    entries, _ = debs.unpacked(debs.deb(control(), [Row("./big", content)]), control())
    assert [debs.content(entries[0]) for _ in range(2)] == [content, content]
    assert entries[0].size == len(content)


def test_long_names_are_read() -> None:
    long = "./usr/share/" + "d/" * 80 + "file"
    stats, _ = unpacked([Row(long, b"x"), link("./usr/share/to", "t" * 300)])
    assert stats[long[2:]].kind == "file"
    assert stats["usr/share/to"].content == "t" * 300


def test_control_and_data_may_be_gzip() -> None:
    fields = control()
    inner = debs.tar([Row("./control", debs.control_text(fields))])
    members = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.gz", debs.gz(inner)),
        ("data.tar.gz", debs.gz(debs.tar([Row("./a", b"a" * 3_000_000)]))),
    ]
    entries, _ = debs.unpacked(debs.ar(members), fields)
    assert entries[0].size == 3_000_000


def test_scripts_triggers_and_conffiles_are_facts() -> None:
    files: dict[str, bytes | str] = {
        "postinst": "#!/bin/sh\ntrue\n",
        "prerm": "#!/bin/sh\n",
        "triggers": "interest x\n",
        "conffiles": "/etc/tool.conf\nremove-on-upgrade /etc/old\n",
    }
    stats, facts = unpacked([Row("./etc/tool.conf", b"setting")], files)
    assert facts.scripts == {"postinst": "#!/bin/sh\ntrue\n", "prerm": "#!/bin/sh\n"}
    assert facts.triggers == "interest x\n"
    md5 = hashlib.md5(b"setting", usedforsecurity=False).hexdigest()
    assert facts.conffiles == {"/etc/tool.conf": md5}
    assert stats["var/lib/dpkg/info/tool.postinst"].mode == 0o755
    assert stats["var/lib/dpkg/info/tool.conffiles"].mode == 0o644


def test_missing_sums_are_computed_without_conffiles() -> None:
    paragraph = control()
    rows = [
        Row("./etc/c", b"c"),
        Row("./bin/a", b"a"),
        Row("./bin/b", kind="hardlink", link="./bin/a"),
    ]
    entries, _ = debs.unpacked(debs.deb(paragraph, rows, {"conffiles": "/etc/c\n"}), paragraph)
    sums = debs.text([("", each) for each in entries], "var/lib/dpkg/info/tool.md5sums")
    md5 = hashlib.md5(b"a", usedforsecurity=False).hexdigest()
    assert sums == f"{md5}  bin/a\n{md5}  bin/b\n"


def test_small_files_that_rules_read_are_kept() -> None:
    rows = [Row("./etc/ld.so.conf.d/x.conf", b"/opt/lib\n"), Row("./etc/other", b"no")]
    _, facts = unpacked(rows)
    assert facts.kept == {"etc/ld.so.conf.d/x.conf": b"/opt/lib\n"}


def test_shared_objects_are_recognised_and_others_passed_over() -> None:
    rows = [
        Row("./lib/libz.so.1.2", debs.shared_object("libz.so.1")),
        Row("./lib/libold.so", debs.shared_object("libold.so.2", bits=32, machine=3)),
        Row("./lib/libnone.so", debs.shared_object("")),
        Row("./lib/libcut.so", debs.shared_object("libcut.so.1")[:70]),
        Row("./lib/libscript.so", b"INPUT(-lz)"),
        Row("./lib/plugin", debs.shared_object("plugin")),
    ]
    _, facts = unpacked(rows)
    assert facts.libraries == {
        "usr/lib/libz.so.1.2": Library("libz.so.1", 64, 62),
        "usr/lib/libold.so": Library("libold.so.2", 32, 3),
        "usr/lib/libnone.so": Library("", 64, 62),
    }


def test_a_mended_file_has_the_mode_that_its_script_would_set() -> None:
    rows = [Row("./usr/bin/ssh-agent", b"x", mode=0o755)]
    assert unpacked(rows, name="openssh-client")[0]["usr/bin/ssh-agent"][1:4] == (0o2755, 0, 101)
    assert unpacked(rows, name="other")[0]["usr/bin/ssh-agent"][1:4] == (0o755, 0, 0)
    sudoers = [Row("./etc/sudoers", b"x")]
    assert unpacked(sudoers, name="sudo")[0]["etc/sudoers"].mode == 0o440


def test_links_of_a_merged_usr_that_a_package_ships_are_left_to_the_root() -> None:
    stats, facts = unpacked([link("./lib64", "usr/lib64"), link("./var/run", "/run")])
    assert "lib64" not in stats
    assert facts.aliased == ("lib64", "var/run")


def test_facts_survive_json() -> None:
    rows = [Row("./etc/ld.so.conf", b"/x\n\xff"), Row("./lib/libz.so", debs.shared_object("z"))]
    _, facts = unpacked(rows, {"postinst": "#!/bin/sh\n"})
    assert DebFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


FACTS = unpacked([Row("./a", b"a")])[1].to_json()


@given(
    st.sampled_from(
        ["control", "scripts", "triggers", "conffiles", "listing", "kept", "libraries"]
    ),
    st.one_of(st.none(), st.integers(), st.text(), st.lists(st.lists(st.integers()), min_size=1)),
)
def test_facts_are_read_strictly(field: str, value: object) -> None:
    damaged = {**FACTS, field: value}
    assert DebFacts.from_json(damaged) is None or (field == "triggers" and isinstance(value, str))
    del damaged[field]
    assert DebFacts.from_json(damaged) is None


@given(st.binary(max_size=3000), st.integers(0, 3000), st.integers(0, 3000))
def test_content_reads_as_its_bytes_do(raw: bytes, offset: int, length: int) -> None:
    content = Content((raw,)) if raw else Content(())
    assert content.read(offset, length) == raw[offset : offset + length]


@given(st.lists(st.sampled_from(["bin", "lib", "usr", "var", "run", "x"]), max_size=5))
def test_a_place_stays_where_it_is(parts: list[str]) -> None:
    path = place("/".join(parts))
    assert place(path) == path


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")
def test_what_dpkg_deb_builds_is_what_dpkg_deb_extracts(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_bytes(debs.control_text(control()))
    folder = tree / "usr" / "share" / ("n" * 120)
    folder.mkdir(parents=True)
    (folder / "file").write_text("content")
    (folder / "link").symlink_to("file")
    (folder / "hard").hardlink_to(folder / "file")
    built = tmp_path / "tool.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "-b", tree, built], check=True)
    subprocess.run(["dpkg-deb", "-x", built, tmp_path / "out"], check=True)
    entries, _ = debs.unpacked(built.read_bytes(), control())
    ours = tmp_path / "ours"
    ours.mkdir()
    debs.write(ours, entries)
    shutil.rmtree(ours / "var")
    assert _tree(ours) == _tree(tmp_path / "out")


def _tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in root.rglob("*"):
        stat = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        links = stat.st_nlink if path.is_file() else 0
        found[str(path.relative_to(root))] = (stat.st_mode, links, content)
    return found


def test_the_longest_path_is_that_of_the_kernel() -> None:
    assert MAX_PATH == 4096
