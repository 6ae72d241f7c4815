"""Scripts that an installer makes: wrappers of entry points, and interpreters in first lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = [
    "PLACEHOLDER",
    "EntryPoints",
    "check_name",
    "is_shadowed",
    "parse",
    "rewritten",
    "versioned",
    "wrapper",
]

PLACEHOLDER = b"#!python"  # the first line that asks for the interpreter's path

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_LONGEST_NAME = 255  # bytes: NAME_MAX
_OBJECT = re.compile(
    r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<attribute>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"\s*(?:\[[\w\s,.-]*\]\s*)?",
    re.ASCII,
)
_INTERPRETER = re.compile(r"/[A-Za-z0-9._+/-]+")
_LONGEST_LINE = 127  # bytes that older kernels read of a first line, the newline included

# Names that people and programs expect to be the base's own.
_PYTHON = re.compile(r"pythonw?[0-9.]*(?:-config)?")
_PIP = re.compile(r"pip[0-9.]*")
_BASE = frozenset(
    {"apt", "apt-get", "ash", "bash", "busybox", "chroot", "csh", "dash", "dpkg", "env", "fish"}
    | {"init", "ksh", "ld", "ldconfig", "login", "mount", "rbash", "run-parts", "sh", "su", "sudo"}
    | {"systemd", "tcsh", "zsh"}
)

_SECTIONS = ("console_scripts", "gui_scripts")
EntryPoints = dict[str, str]  # names of scripts, and the objects that they call: module:attribute


def parse(content: bytes) -> tuple[EntryPoints, EntryPoints]:
    """Return the console and the GUI scripts of an ``entry_points.txt``.

    Raises ValueError for one whose name is not a plain file name, or whose object is not a dotted
    name, or that is there twice.
    """
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError("entry_points.txt is not UTF-8") from error
    found: dict[str, EntryPoints] = {section: {} for section in _SECTIONS}
    points: EntryPoints | None = None
    for line in map(str.strip, lines):
        if line.startswith("[") and line.endswith("]"):
            points = found.get(line.strip("[]"))
        elif points is not None and line and not line.startswith("#"):
            name, value = _point(line)
            if points.setdefault(name, value) != value:
                raise ValueError(f"the entry point {name!r:.100} is there twice")
    return found["console_scripts"], found["gui_scripts"]


def _point(line: str) -> tuple[str, str]:
    name, _, value = map(str.strip, line.partition("="))
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(f"the entry point {name!r:.100} is not a plain file name")
    match = _OBJECT.fullmatch(value)
    if match is None:
        raise ValueError(f"the entry point {name} has no module:attribute, but {value!r:.100}")
    return name, f"{match['module']}:{match['attribute']}"


def check_name(name: str, distribution: str) -> None:
    """Raise ValueError when a script of ``distribution`` would stand for a program of the base."""
    if _PYTHON.fullmatch(name) or name in _BASE or (_PIP.fullmatch(name) and distribution != "pip"):
        raise ValueError(f"would put its own {name!r:.100} before the base's")


def is_shadowed(name: str, points: Container[str]) -> bool:
    """Say whether a script is one that setuptools made for an entry point: pip leaves it out."""
    for suffix in (".exe", "-script.py", ".pya"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] in points
    return name in points


def versioned(console: EntryPoints, version: str) -> EntryPoints:
    """Return the console scripts that pip makes for an interpreter of ``version``.

    pip and easy_install get their versioned names from the interpreter, not from the wheel.
    """
    major, minor = version.split(".")[:2]
    made = dict(console)
    for name, names, others in (
        ("pip", (f"pip{major}", f"pip{major}.{minor}"), r"pip\d+(\.\d+)?"),
        ("easy_install", (f"easy_install-{major}.{minor}",), r"easy_install-\d+\.\d+"),
    ):
        if name in made:
            made = {known: v for known, v in made.items() if not re.fullmatch(others, known)}
            made.update(dict.fromkeys(names, made[name]))
    return made


def wrapper(value: str, interpreter: str) -> bytes:
    """Return the script that calls ``value`` (module:attribute), as pip 26.3 writes it."""
    module, _, attribute = value.partition(":")
    return (
        f"{_first_lines(interpreter)}import sys\n"
        f"from {module} import {attribute.partition('.')[0]}\n"
        "if __name__ == '__main__':\n"
        "    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n"
        f"    sys.exit({attribute}())\n"
    ).encode()


def _first_lines(interpreter: str) -> str:
    _check_interpreter(interpreter)
    simple = f"#!{interpreter}\n"
    if len(simple) <= _LONGEST_LINE:
        return simple
    return f"#!/bin/sh\n'''exec' {interpreter} \"$0\" \"$@\"\n' '''\n"


def rewritten(script: bytes, interpreter: str) -> bytes:
    """Return a script that starts with PLACEHOLDER with the interpreter's path in its place."""
    _check_interpreter(interpreter)
    _, _, rest = script.partition(b"\n")
    return f"#!{interpreter}\n".encode() + rest


def _check_interpreter(interpreter: str) -> None:
    if not _INTERPRETER.fullmatch(interpreter):
        raise ValueError(f"no script can start with the interpreter {interpreter!r:.100}")
