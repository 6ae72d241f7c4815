"""Wheels that were made to do harm: each is refused, with one line that says why."""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wheels import (
    METADATA,
    MODULE,
    TARGET,
    WHEEL,
    Bytes,
    File,
    archive,
    deflated,
    pin,
    record,
    wheel,
)

from ds01build.errors import CollisionError, RejectedFile
from ds01build.layers.tree import complete
from ds01build.layers.wheel import install
from ds01build.target import Directory, Link, Target

WHEEL_FILE = "demo-1.0-py3-none-any.whl"


def written(
    content: bytes, file: str = WHEEL_FILE, target: Target = TARGET
) -> list[tuple[str, str, bytes]]:
    """Return path, sha256 and bytes of all files of a wheel."""
    return [
        (e.path, e.stat.content, b"".join(p.plain for p in (e.body() if e.body else ())))
        for _, e in install(Bytes(content), pin(content, file), target)
    ]


def problem(content: bytes, target: Target = TARGET, file: str = WHEEL_FILE) -> str:
    """Return why a wheel is refused: when it is opened, or when its bodies are read."""
    with pytest.raises(RejectedFile) as caught:
        written(content, file, target)
    assert caught.value.name == file
    assert caught.value.problem.isprintable()
    assert str(caught.value) == f"{file}: {caught.value.problem}"
    return caught.value.problem


def named(name: bytes, content: bytes = b"x") -> File:
    return File(name=name, content=content)


def points(line: str, group: str = "console_scripts") -> bytes:
    content = f"[{group}]\n{line}\n".encode()
    return wheel(MODULE, named(b"demo-1.0.dist-info/entry_points.txt", content))


def with_record(change: bytes, into: bytes) -> bytes:
    files = [MODULE, METADATA, WHEEL]
    true = record(files)
    assert change in true.content
    return archive([*files, replace(true, content=true.content.replace(change, into))])


def with_metadata(change: bytes, into: bytes) -> bytes:
    return wheel(MODULE, replace(METADATA, content=METADATA.content.replace(change, into, 1)))


def with_wheel_file(change: bytes, into: bytes) -> bytes:
    return wheel(MODULE, replace(WHEEL, content=WHEEL.content.replace(change, into, 1)))


def recorded_as(lie: File, size: bytes = b"") -> bytes:
    """Return a wheel whose RECORD is about ``lie``; the file itself is METADATA's, or empty."""
    files = [replace(MODULE, content=b"") if lie.name == MODULE.name else MODULE, METADATA, WHEEL]
    rows = record([lie if each.name == lie.name else each for each in files])
    content = rows.content.replace(b",1\r\n", b"," + size + b"\r\n") if size else rows.content
    return archive([*files, replace(rows, content=content)])


MODULE_ROW = record([MODULE]).content.split(b"\r\n")[0]

HOSTILE: dict[str, tuple[bytes, str]] = {
    # the archive
    "path traversal": (
        wheel(MODULE, named(b"../../etc/passwd")),
        "the name '../../etc/passwd' leads upwards",
    ),
    "path traversal in the middle": (
        wheel(MODULE, named(b"demo/../../x")),
        "the name 'demo/../../x' leads upwards",
    ),
    "path traversal in a scheme": (
        wheel(MODULE, named(b"demo-1.0.data/data/../../etc/x")),
        "the name 'demo-1.0.data/data/../../etc/x' leads upwards",
    ),
    "absolute path": (wheel(MODULE, named(b"/etc/passwd")), "the name '/etc/passwd' is absolute"),
    "absolute path in a scheme": (
        wheel(MODULE, named(b"demo-1.0.data/data//etc/x")),
        "the name 'demo-1.0.data/data//etc/x' has an empty part",
    ),
    "symlink": (
        wheel(MODULE, File(name=b"demo/l", content=b"/etc", mode=0o120777)),
        "'demo/l' is a symbolic link",
    ),
    "duplicate name": (
        wheel(MODULE, replace(MODULE, content=b"evil")),
        "'demo/__init__.py' and 'demo/__init__.py' are the same name",
    ),
    "names that differ in case": (
        wheel(MODULE, replace(MODULE, name=b"demo/__INIT__.py")),
        "'demo/__init__.py' and 'demo/__INIT__.py' are the same name",
    ),
    "header and directory disagree": (
        wheel(replace(MODULE, local_name=b"demo/__evil__.py")),
        "header and directory disagree about the name 'demo/__init__.py'",
    ),
    "leading bytes": (
        archive([MODULE, METADATA, WHEEL, record([MODULE, METADATA, WHEEL])], start=b"\x7fELF"),
        "has bytes before its first file",
    ),
    "trailing bytes": (wheel(MODULE) + b"evil", "has a comment, or bytes behind its end record"),
    "zip bomb in the directory": (
        wheel(replace(MODULE, size=1 << 31)),
        "unpacks to 2147484050 bytes, more than the 1219576 of a zip of its size",
    ),
    "zip bomb in a body": (
        wheel(MODULE, File(name=b"demo/b", content=bytes(1000), packed=deflated(bytes(1_000_000)))),
        "'demo/b' unpacks to more bytes than the zip says",
    ),
    "newline in a name": (
        wheel(MODULE, named(b"demo/a\nb")),
        "the name 'demo/a\\nb' has characters that can't be seen",
    ),
    "escape in a name": (
        wheel(MODULE, named(b"demo/\x1b]0;x\x07")),
        "the name 'demo/\\x1b]0;x\\x07' has characters that can't be seen",
    ),
    # RECORD
    "no RECORD": (archive([MODULE, METADATA, WHEEL]), "has no RECORD"),
    "RECORD without a file": (
        with_record(MODULE_ROW + b"\r\n", b""),
        "RECORD does not have 'demo/__init__.py'",
    ),
    "RECORD with a file too many": (
        with_record(MODULE_ROW, MODULE_ROW + b"\r\n../../etc/passwd,,"),
        "RECORD has '../../etc/passwd', and the wheel has not",
    ),
    "RECORD with another hash": (
        with_record(MODULE_ROW.split(b",")[1], b"sha256=" + b"A" * 43),
        "'demo/__init__.py' does not have the sha256 that RECORD says",
    ),
    "RECORD with another size": (
        with_record(MODULE_ROW, MODULE_ROW[:-2] + b"99"),
        "RECORD has another size for 'demo/__init__.py'",
    ),
    "RECORD with a weak hash": (
        with_record(MODULE_ROW.split(b",")[1], b"md5=1B2M2Y8AsgTpgAmY7PhCfg"),
        "RECORD has no sha256 for 'demo/__init__.py'",
    ),
    "RECORD without a hash": (
        with_record(MODULE_ROW.split(b",")[1], b""),
        "RECORD has no sha256 for 'demo/__init__.py'",
    ),
    "RECORD with a file twice": (
        with_record(MODULE_ROW, MODULE_ROW + b"\r\n" + MODULE_ROW),
        "RECORD has 'demo/__init__.py' twice",
    ),
    "RECORD with two fields": (
        with_record(MODULE_ROW, b"demo/__init__.py,"),
        "RECORD has a row with 2 fields",
    ),
    "RECORD that is no CSV": (
        with_record(MODULE_ROW, b'"demo'),
        "RECORD is not a CSV file in UTF-8",
    ),
    "RECORD that lies about METADATA": (
        recorded_as(replace(METADATA, content=METADATA.content[::-1])),
        "'demo-1.0.dist-info/METADATA' does not have the sha256 that RECORD says",
    ),
    "RECORD that lies about an empty file": (
        recorded_as(replace(MODULE, content=b"x"), size=b"0"),
        "'demo/__init__.py' does not have the sha256 that RECORD says",
    ),
    "RECORD that is not UTF-8": (
        with_record(MODULE_ROW, b"\xff,,"),
        "RECORD is not a CSV file in UTF-8",
    ),
    # metadata
    "no .dist-info": (archive([MODULE]), "has 0 .dist-info directories"),
    "two .dist-info": (
        wheel(MODULE, named(b"other-1.0.dist-info/METADATA")),
        "has 2 .dist-info directories",
    ),
    "two .dist-info that differ in case": (
        wheel(MODULE, named(b"demo-1.0.DIST-INFO/entry_points.txt")),
        "has 2 .dist-info directories",
    ),
    "no METADATA": (archive([MODULE, WHEEL, record([MODULE, WHEEL])]), "has no METADATA"),
    "no WHEEL": (archive([MODULE, METADATA, record([MODULE, METADATA])]), "has no WHEEL"),
    "METADATA of another name": (
        with_metadata(b"Name: demo", b"Name: evil"),
        "METADATA is of 'evil' '1.0', and the lock has demo==1.0",
    ),
    "METADATA of another version": (
        with_metadata(b"Version: 1.0", b"Version: 2.0"),
        "METADATA is of 'demo' '2.0', and the lock has demo==1.0",
    ),
    "METADATA with a path for a name": (
        with_metadata(b"Name: demo", b"Name: ../demo"),
        "METADATA is of '../demo' '1.0', and the lock has demo==1.0",
    ),
    "METADATA with two names": (
        with_metadata(b"Name: demo", b"Name: demo\nName: evil"),
        "METADATA has Name 2 times",
    ),
    "METADATA without a version": (
        with_metadata(b"\nVersion: 1.0", b""),
        "METADATA has Version 0 times",
    ),
    "a version that is none": (
        with_metadata(b"Version: 1.0", b"Version: one"),
        "Invalid version: 'one'",
    ),
    "Wheel-Version 2": (
        with_wheel_file(b"Wheel-Version: 1.0", b"Wheel-Version: 2.0"),
        "has Wheel-Version '2.0', and ds01 knows 1",
    ),
    "no Wheel-Version": (
        with_wheel_file(b"Wheel-Version: 1.0\n", b""),
        "WHEEL has Wheel-Version 0 times",
    ),
    "Root-Is-Purelib maybe": (
        with_wheel_file(b"true", b"maybe"),
        "WHEEL has Root-Is-Purelib 'maybe'",
    ),
    # schemes
    "unknown scheme": (
        wheel(MODULE, named(b"demo-1.0.data/stdlib/os.py")),
        "'demo-1.0.data/stdlib/os.py' is in no scheme of demo-1.0.data",
    ),
    "no scheme": (
        wheel(MODULE, named(b"demo-1.0.data/x")),
        "'demo-1.0.data/x' is in no scheme of demo-1.0.data",
    ),
    "scheme of the root": (
        wheel(MODULE, named(b"demo-1.0.data//x")),
        "the name 'demo-1.0.data//x' has an empty part",
    ),
    ".data of another wheel": (
        wheel(MODULE, named(b"other-1.0.data/scripts/x")),
        "'other-1.0.data/scripts/x' is in no scheme of demo-1.0.data",
    ),
    "one path twice": (
        wheel(MODULE, named(b"demo-1.0.data/purelib/demo/__init__.py")),
        "would write '/usr/local/lib/python3.11/dist-packages/demo/__init__.py' twice",
    ),
    "one path twice through another scheme": (
        wheel(MODULE, named(b"demo-1.0.data/data/lib/python3.11/dist-packages/demo/__init__.py")),
        "would write '/usr/local/lib/python3.11/dist-packages/demo/__init__.py' twice",
    ),
    "RECORD from a scheme": (
        wheel(MODULE, named(b"demo-1.0.data/purelib/demo-1.0.dist-info/RECORD")),
        "would write '/usr/local/lib/python3.11/dist-packages/demo-1.0.dist-info/RECORD' twice",
    ),
    "a script that an entry point replaces, from another scheme": (
        wheel(
            MODULE,
            named(b"demo-1.0.data/data/bin/run"),
            named(b"demo-1.0.dist-info/entry_points.txt", b"[console_scripts]\nrun = demo:main\n"),
        ),
        "would write '/usr/local/bin/run' twice",
    ),
    **{
        f"script named {name}": (
            wheel(MODULE, named(f"demo-1.0.data/{where}/{name}".encode())),
            f"would put its own '{name}' before the base's",
        )
        for where, name in [
            ("scripts", "python3"),
            ("scripts", "python"),
            ("scripts", "pip"),
            ("scripts", "sh"),
            ("data/bin", "bash"),
            ("data/sbin", "env"),
        ]
    },
    # entry points
    **{
        f"entry point named {name!r}": (
            points(f"{name} = demo:main"),
            f"the entry point {name!r} is not a plain file name",
        )
        for name in ["../x", "..", ".", "a/b", "/usr/bin/x", "-rf", "a b", "a\\b", "a;b", "$(id)"]
    },
    "entry point without a name": (
        points("= demo:main"),
        "the entry point '' is not a plain file name",
    ),
    **{
        f"entry point that stands for {name}": (
            points(f"{name} = demo:main"),
            f"would put its own {name!r} before the base's",
        )
        for name in [
            "python",
            "python3",
            "python3.11",
            "pythonw",
            "python3-config",
            "pip",
            "pip3",
            "pip3.11",
            "sh",
            "bash",
            "env",
            "sudo",
        ]
    },
    **{
        f"entry point that calls {value!r}": (
            points(f"run = {value}"),
            f"the entry point run has no module:attribute, but {value!r}",
        )
        for value in [
            "demo",
            "demo:",
            ":main",
            "demo:main()",
            "os;import evil:x",
            "a.b:c:d",
            "demo : main",
            "..demo:main",
            "demo:main # x",
            "1demo:main",
            "demo:main][",
        ]
    },
    "entry point of a GUI that stands for python": (
        points("python = demo:main", "gui_scripts"),
        "would put its own 'python' before the base's",
    ),
    "entry points that are not UTF-8": (
        wheel(MODULE, named(b"demo-1.0.dist-info/entry_points.txt", b"\xff")),
        "entry_points.txt is not UTF-8",
    ),
    "entry point twice": (
        points("run = demo:a\nrun = demo:b"),
        "the entry point 'run' is there twice",
    ),
}


@pytest.mark.parametrize(("content", "expected"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_wheel_is_refused(content: bytes, expected: str) -> None:
    assert problem(content) == expected


@pytest.mark.parametrize(
    "name", ["python-argcomplete-check", "pipx", "shtab", "2to3", "f2py3.11", "a+b"]
)
def test_names_that_only_look_like_those_of_the_base_are_accepted(name: str) -> None:
    content = points(f"{name} = demo:main")
    assert f"usr/local/bin/{name}" in {
        entry.path for _, entry in install(Bytes(content), pin(content), TARGET)
    }


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "demo-2.0-py3-none-any.whl",
            "its .dist-info directory is of 'demo' '1.0', and the lock has demo==2.0",
        ),
        (
            "evil-1.0-py3-none-any.whl",
            "its .dist-info directory is of 'demo' '1.0', and the lock has evil==1.0",
        ),
    ],
)
def test_a_wheel_under_another_name_is_refused(file: str, expected: str) -> None:
    assert problem(wheel(MODULE), file=file) == expected


@pytest.mark.parametrize("file", ["demo-1.0-any.whl", "demo-1.0-py3-none-any.zip"])
def test_a_file_that_is_not_named_as_a_wheel_is_refused(file: str) -> None:
    assert problem(wheel(MODULE), file=file).startswith("Invalid wheel filename")


def test_a_file_name_that_is_not_the_pins_is_refused() -> None:
    content = wheel(MODULE)
    for wrong in (replace(pin(content), version="1.1"), replace(pin(content), name="evil")):
        with pytest.raises(RejectedFile) as caught:
            install(Bytes(content), wrong, TARGET)
        expected = f"the file is named as demo 1.0, and the lock has {wrong}"
        assert caught.value.problem == expected


def test_an_interpreter_that_would_be_shell_text_is_refused() -> None:
    content = points("run = demo:main")
    for interpreter in ("/bin/python\nevil", "/bin/$(id)", "python3", "/opt/my python"):
        expected = f"no script can start with the interpreter {interpreter!r}"
        assert problem(content, replace(TARGET, interpreter=interpreter)) == expected


def test_links_of_a_hostile_base_lead_nowhere() -> None:
    loop = (Link("usr/local", "/usr/local"),)
    assert "passes through a loop of links" in problem(wheel(MODULE), replace(TARGET, links=loop))
    out = (Link("usr/local", "../../.."),)
    assert "leaves the root" in problem(wheel(MODULE), replace(TARGET, links=out))


def test_two_files_that_are_one_through_a_link_are_refused() -> None:
    content = wheel(
        MODULE, named(b"demo-1.0.data/data/man/x"), named(b"demo-1.0.data/data/share/man/x")
    )
    links = (Link("usr/local/man", "share/man"),)
    assert (
        problem(content, replace(TARGET, links=links))
        == "would write '/usr/local/share/man/x' twice"
    )


def test_a_file_in_the_place_of_a_link_is_refused() -> None:
    content = wheel(MODULE, named(b"demo-1.0.data/data/man"))
    links = (Link("usr/local/man", "share/man"),)
    expected = "would replace the base's link '/usr/local/man'"
    assert problem(content, replace(TARGET, links=links)) == expected


def test_a_command_behind_a_link_is_refused() -> None:
    content = wheel(MODULE, named(b"demo-1.0.data/data/tools/python3"))
    links = (Link("usr/local/tools", "bin"),)
    expected = "would put its own 'python3' before the base's"
    assert problem(content, replace(TARGET, links=links)) == expected


def test_a_file_where_the_base_has_a_directory_is_refused() -> None:
    content = wheel(MODULE, named(b"demo-1.0.data/data/tools"))
    found = install(Bytes(content), pin(content), TARGET)
    with pytest.raises(CollisionError):
        complete(found, [Directory("usr/local/tools")])


@pytest.mark.parametrize("name", ["bin", "etc", "lib", "lib/python3.11", "share", "own"])
def test_a_file_in_the_place_of_a_known_directory_is_refused(name: str) -> None:
    content = wheel(MODULE, named(b"demo-1.0.data/data/%b" % name.encode()))
    target = replace(TARGET, directories=(Directory("usr/local/own", 0o2775),))
    expected = f"would replace the base's directory '/usr/local/{name}'"
    assert problem(content, target) == expected


def test_a_tree_of_many_directories_is_refused_soon() -> None:
    started = time.process_time()
    files = [named(b"%d/" % number + b"a/" * 2000 + b"x", b"") for number in range(60)]
    assert problem(archive(files)) == "has more directories than is sane"
    assert time.process_time() - started < 5


def test_a_directory_of_many_entries_is_refused_soon() -> None:
    started = time.process_time()
    files = [named(b"x%d" % number, b"") for number in range(30_000)]
    assert problem(archive(files)) == "has 0 .dist-info directories"
    assert time.process_time() - started < 5


sound = wheel(
    MODULE, named(b"demo-1.0.data/scripts/run", b"#!python\n"), named(b"demo/b", b"b" * 500)
)


@given(st.integers(0, len(sound) - 1), st.integers(1, 255))
@settings(max_examples=400)
def test_a_changed_byte_never_gives_other_files(at: int, change: int) -> None:
    changed = sound[:at] + bytes([sound[at] ^ change]) + sound[at + 1 :]

    try:
        found = written(changed)
    except RejectedFile:
        return
    assert found == written(sound)


def test_what_is_accepted_is_what_zipfile_sees() -> None:
    with zipfile.ZipFile(io.BytesIO(sound)) as opened:
        assert opened.testzip() is None
        names = {name for name in opened.namelist() if name.startswith("demo/")}
    site = TARGET.schemes.purelib[1:]
    found = {entry.path for _, entry in install(Bytes(sound), pin(sound), TARGET)}
    assert {f"{site}/{name}" for name in names} <= found
