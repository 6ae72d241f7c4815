from __future__ import annotations

import csv
import gzip
import hashlib
import io
import random
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from wheels import (
    EXECUTABLE,
    METADATA,
    MODULE,
    TARGET,
    WHEEL,
    Bytes,
    File,
    archive,
    checksum,
    deflated,
    pin,
    record,
    wheel,
)

from ds01build.errors import RejectedFile
from ds01build.layers.pack import splice
from ds01build.layers.tree import complete
from ds01build.layers.wheel import check_platform, install
from ds01build.target import Directory, Link, Target

if TYPE_CHECKING:
    from ds01build.layers.entry import Entry

SITE = "usr/local/lib/python3.11/dist-packages"
ELF = b"\x7fELF" + random.Random(1).randbytes(2_000_000)
SCRIPT = File(name=b"demo-1.0.data/scripts/run", content=b"#!python -E\nprint()\n", mode=EXECUTABLE)


def installed(content: bytes, target: Target = TARGET) -> dict[str, Entry]:
    found = install(Bytes(content), pin(content), target)
    assert {owner for owner, _ in found} == {"demo==1.0"}
    assert len({entry.path for _, entry in found}) == len(found)
    return {entry.path: entry for _, entry in found}


def text(entry: Entry) -> bytes:
    pieces = list(entry.body()) if entry.body else []
    plain = b"".join(piece.plain for piece in pieces)
    assert len(plain) == entry.size
    assert hashlib.sha256(plain).hexdigest() == entry.stat.content
    assert not pieces or gzip.decompress(b"".join(p.packed for p in pieces)) == plain
    return plain


def listed(entries: dict[str, Entry], site: str = SITE) -> list[list[str]]:
    content = text(entries[f"{site}/demo-1.0.dist-info/RECORD"])
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def points(content: str) -> File:
    return File(name=b"demo-1.0.dist-info/entry_points.txt", content=content.encode())


def test_files_go_where_their_scheme_says() -> None:
    names = ["purelib/p.py", "platlib/q.py", "scripts/s", "data/etc/d.conf", "headers/h.h"]
    files = [File(name=f"demo-1.0.data/{name}".encode(), content=name.encode()) for name in names]
    assert set(installed(wheel(MODULE, *files))) == {
        f"{SITE}/demo/__init__.py",
        f"{SITE}/p.py",
        f"{SITE}/q.py",
        "usr/local/bin/s",
        "usr/local/etc/d.conf",
        "usr/include/python3.11/demo/h.h",
        *(f"{SITE}/demo-1.0.dist-info/{n}" for n in ("METADATA", "WHEEL", "RECORD", "INSTALLER")),
    }


def test_a_platform_wheel_goes_to_platlib() -> None:
    schemes = replace(TARGET.schemes, platlib="/usr/lib64/site")
    impure = replace(WHEEL, content=WHEEL.content.replace(b"true", b"false"))
    pure = File(name=b"demo-1.0.data/purelib/p.py", content=b"1")
    entries = installed(wheel(MODULE, pure, impure), replace(TARGET, schemes=schemes))
    assert "usr/lib64/site/demo/__init__.py" in entries
    assert f"{SITE}/p.py" in entries
    rows = listed(entries, "usr/lib64/site")
    assert ["../../local/lib/python3.11/dist-packages/p.py", checksum(b"1"), "1"] in rows


def test_bodies_of_the_wheel_keep_their_packed_bytes() -> None:
    entry = installed(wheel(MODULE))[f"{SITE}/demo/__init__.py"]
    assert entry.body is not None
    assert deflated(MODULE.content) in b"".join(piece.packed for piece in entry.body())


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o100644, 0o644),
        (0o100755, 0o755),
        (0o100654, 0o755),
        (0o100600, 0o644),
        (0o104755, 0o755),
        (0o100666, 0o644),
        (0o755, 0o644),  # no file type: pip takes it for not executable
        (0, 0o644),
    ],
)
def test_modes_are_those_that_pip_gives(mode: int, expected: int) -> None:
    entry = installed(wheel(replace(MODULE, mode=mode)))[f"{SITE}/demo/__init__.py"]
    assert (entry.stat.mode, entry.stat.uid, entry.stat.gid) == (expected, 0, 0)


def test_an_empty_file_has_no_body() -> None:
    entry = installed(wheel(replace(MODULE, content=b"")))[f"{SITE}/demo/__init__.py"]
    assert (entry.size, entry.body) == (0, None)
    assert entry.stat.content == hashlib.sha256(b"").hexdigest()


def test_record_lists_every_file_as_pip_does() -> None:
    data = File(name=b"demo-1.0.data/data/share/x", content=b"x")
    content = wheel(MODULE, data, SCRIPT, points("[console_scripts]\ndemo = demo:main\n"))
    entries = installed(content)
    raw = text(entries[f"{SITE}/demo-1.0.dist-info/RECORD"])
    assert raw.count(b"\r\n") == raw.count(b"\n") == len(entries)
    rows = listed(entries)
    assert rows == sorted(rows)
    prefix = "../../../"
    expected = {
        path.removeprefix(f"{SITE}/") if path.startswith(SITE) else f"{prefix}{path[10:]}"
        for path in entries
    }
    assert {row[0] for row in rows} == expected
    script = text(entries["usr/local/bin/run"])
    assert [f"{prefix}bin/run", checksum(script), str(len(script))] in rows
    assert ["demo-1.0.dist-info/RECORD", "", ""] in rows


def test_a_comma_in_a_name_is_quoted_in_record() -> None:
    entries = installed(wheel(replace(MODULE, name=b"demo/a,b.txt")))
    assert b'"demo/a,b.txt",sha256=' in text(entries[f"{SITE}/demo-1.0.dist-info/RECORD"])


def test_record_need_not_list_itself_and_its_signatures() -> None:
    files = [MODULE, METADATA, WHEEL]
    lines = record(files).content.replace(b"demo-1.0.dist-info/RECORD,,\r\n", b"")
    signature = File(name=b"demo-1.0.dist-info/RECORD.jws", content=b"{}")
    content = archive([*files, signature, replace(record(files), content=lines)])
    entries = installed(content)
    assert text(entries[f"{SITE}/demo-1.0.dist-info/RECORD.jws"]) == b"{}"
    assert ["demo-1.0.dist-info/RECORD", "", ""] in listed(entries)
    assert ["demo-1.0.dist-info/RECORD.jws", "", ""] in listed(entries)


def test_metadata_in_an_old_encoding_is_no_obstacle() -> None:
    old = replace(METADATA, content=METADATA.content.replace(b"\n\n", b"\nSummary: caf\xe9\n\n"))
    assert f"{SITE}/demo/__init__.py" in installed(wheel(MODULE, old))


def test_an_entry_point_becomes_a_script_as_pip_writes_it() -> None:
    entries = installed(
        wheel(MODULE, points("[console_scripts]\ndemo = demo.cli:App.run [extra]\n"))
    )
    assert entries["usr/local/bin/demo"].stat.mode == 0o755
    assert text(entries["usr/local/bin/demo"]) == (
        b"#!/usr/bin/python3.11\n"
        b"import sys\n"
        b"from demo.cli import App\n"
        b"if __name__ == '__main__':\n"
        b"    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n"
        b"    sys.exit(App.run())\n"
    )


def test_a_long_interpreter_is_started_by_the_shell() -> None:
    target = replace(TARGET, interpreter="/opt/" + "x" * 130 + "/python")
    entries = installed(wheel(MODULE, points("[console_scripts]\ndemo = demo:main\n")), target)
    start = f"#!/bin/sh\n'''exec' {target.interpreter} \"$0\" \"$@\"\n' '''\nimport sys\n"
    assert text(entries["usr/local/bin/demo"]).startswith(start.encode())


def test_a_script_that_is_both_console_and_gui_is_listed_twice() -> None:
    both = points("[console_scripts]\ndemo = demo:a\n[gui_scripts]\ndemo = demo:b\n")
    entries = installed(wheel(MODULE, both))
    assert b"sys.exit(b())" in text(entries["usr/local/bin/demo"])
    assert [row[0] for row in listed(entries)].count("../../../bin/demo") == 2


def test_other_groups_and_comments_are_not_scripts() -> None:
    other = points("# a comment\n[pytest11]\nx = ../../y\n\n[console_scripts]\n# none\n")
    assert not any(path.startswith("usr/local/bin") for path in installed(wheel(MODULE, other)))


@pytest.mark.parametrize("name", ["demo", "demo-script.py", "demo.exe", "demo.pya"])
def test_a_script_that_an_entry_point_replaces_is_left_out_but_listed(name: str) -> None:
    old = replace(SCRIPT, name=f"demo-1.0.data/scripts/{name}".encode())
    content = wheel(MODULE, old, points("[console_scripts]\ndemo = demo:main\n"))
    entries = installed(content)
    assert [path for path in entries if path.startswith("usr/local/bin/")] == ["usr/local/bin/demo"]
    assert text(entries["usr/local/bin/demo"]).startswith(b"#!/usr/bin/python3.11\nimport sys\n")
    assert [old.name.decode(), checksum(old.content), str(len(old.content))] in listed(entries)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"#!python\nx", b"#!/usr/bin/python3.11\nx"),
        (b"#!pythonw -E\r\nx\r\n", b"#!/usr/bin/python3.11\nx\r\n"),
        (b"#!python", b"#!/usr/bin/python3.11\n"),
        (b"#! python\nx", b"#! python\nx"),
        (b"#!/usr/bin/env python\nx", b"#!/usr/bin/env python\nx"),
        (ELF, ELF),
    ],
)
def test_the_interpreter_is_written_where_a_script_asks_for_it(
    script: bytes, expected: bytes
) -> None:
    entries = installed(wheel(MODULE, replace(SCRIPT, content=script)))
    assert text(entries["usr/local/bin/run"]) == expected
    assert entries["usr/local/bin/run"].stat.mode == 0o755


def test_a_script_that_is_not_executable_stays_so() -> None:
    entries = installed(wheel(MODULE, replace(SCRIPT, mode=0o100644)))
    assert entries["usr/local/bin/run"].stat.mode == 0o644


def test_an_installer_in_the_wheel_is_replaced_and_listed_twice() -> None:
    shipped = File(name=b"demo-1.0.dist-info/INSTALLER", content=b"conda")
    entries = installed(wheel(MODULE, shipped))
    assert text(entries[f"{SITE}/demo-1.0.dist-info/INSTALLER"]) == b"pip\n"
    rows = [row for row in listed(entries) if row[0] == "demo-1.0.dist-info/INSTALLER"]
    assert sorted(size for _, _, size in rows) == ["4", "5"]


def test_pip_gets_its_names_from_the_interpreter() -> None:
    def pip(content: bytes) -> bytes:
        return content.replace(b"demo", b"pip")

    scripts = points("[console_scripts]\npip = pip:main\npip3 = pip:x\npip3.9 = pip:y\n")
    files = [
        replace(file, name=pip(file.name), content=pip(file.content))
        for file in (MODULE, METADATA, WHEEL, scripts)
    ]
    content = archive([*files, record(files, "pip-1.0")])
    found = install(Bytes(content), pin(content, "pip-1.0-py3-none-any.whl"), TARGET)
    entries = {entry.path: entry for _, entry in found}
    names = sorted(path for path in entries if path.startswith("usr/local/bin/"))
    assert names == [f"usr/local/bin/{name}" for name in ("pip", "pip3", "pip3.11")]
    assert len({entries[name].stat.content for name in names}) == 1


def test_links_of_the_base_are_followed() -> None:
    man = File(name=b"demo-1.0.data/data/man/man1/demo.1", content=b"man")
    links = (Link("usr/local/man", "share/man"), Link(SITE, "/opt/site"))
    entries = installed(wheel(MODULE, man), replace(TARGET, links=links))
    assert "usr/local/share/man/man1/demo.1" in entries
    assert "opt/site/demo/__init__.py" in entries
    rows = listed(entries, "opt/site")
    assert "../../../man/man1/demo.1" in [row[0] for row in rows]


def test_a_wheel_becomes_a_layer_that_tar_reads() -> None:
    content = wheel(MODULE, SCRIPT, points("[console_scripts]\ndemo = demo:main\n"))
    found = install(Bytes(content), pin(content), TARGET)
    pieces = list(splice(complete(found, [Directory("usr/local", 0o2775, 0, 50)])))
    packed = b"".join(piece.packed for piece in pieces)
    assert gzip.decompress(packed) == b"".join(piece.plain for piece in pieces)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive_read:
        modes = {member.name: (member.mode, member.gid) for member in archive_read}
    assert modes["usr/local"] == (0o2775, 50)
    assert modes["usr/local/bin/demo"] == (0o755, 0)
    assert modes["."] == (0o755, 0)


def test_bytes_of_a_layer_are_fixed_for_ever() -> None:
    # Raise pack.WRITER when these bytes have to change: every user makes every layer again.
    content = wheel(MODULE, points("[console_scripts]\ndemo = demo:main\n"))
    found = install(Bytes(content), pin(content), TARGET)
    plain = b"".join(piece.plain for piece in splice(complete(found, ())))
    expected = "706bf0ac817c4b348933d88ef3d34b5d4ea8a738b078d4b1c056962c018de1af"
    assert hashlib.sha256(plain).hexdigest() == expected


def test_a_wheel_that_fits_the_platform_is_accepted() -> None:
    check_platform(pin(b""), {"py3-none-any": 0})
    fits = pin(b"", "demo-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl")
    check_platform(fits, {"cp311-cp311-manylinux_2_17_x86_64"})


def test_a_wheel_for_another_platform_is_refused() -> None:
    foreign = pin(b"", "demo-1.0-cp311-cp311-macosx_11_0_arm64.whl")
    with pytest.raises(RejectedFile) as caught:
        check_platform(foreign, {"cp311-cp311-manylinux_2_17_x86_64", "py3-none-any"})
    assert str(caught.value) == (
        "demo-1.0-cp311-cp311-macosx_11_0_arm64.whl: is for another platform "
        "(cp311-cp311-macosx_11_0_arm64)"
    )
