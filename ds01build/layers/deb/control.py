"""The control paragraph of a .deb: one stanza, ordered, safe to write into the dpkg status."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.errors import RejectedFile

if TYPE_CHECKING:
    from ds01build.pin import DebPin

__all__ = ["Fields", "check", "parse"]

Fields = dict[str, str]  # a value's continuation lines keep their leading space

MAX_CONTROL = 1 << 20  # bytes

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)")
_MULTI_ARCH = ("", "no", "same", "foreign", "allowed")
# What dpkg itself writes into the status, and a package must not (dpkg, lib/dpkg/parse.c).
_DPKGS_OWN = {"status", "conffiles", "config-version", "triggers-pending", "triggers-awaited"}


def parse(raw: bytes, file: str) -> Fields:
    """Parse the control file of the .deb named ``file`` (deb-control(5)).

    Raises RejectedFile for everything that another reader could take for something else: a second
    paragraph, a comment, a field given twice, an empty line in a value, control characters.
    """
    fields: Fields = {}
    name = ""
    for line in _lines(raw, file):
        match = _FIELD.fullmatch(line)
        if match:
            name = match[1]
            if name.lower() in _DPKGS_OWN or name.lower() in map(str.lower, fields):
                raise RejectedFile(
                    name=file, problem=f"control has {name!r:.100} where it must not"
                )
            fields[name] = match[2]
        elif name and line.startswith((" ", "\t")) and line.strip():
            fields[name] += f"\n{line}"
        else:
            raise RejectedFile(name=file, problem=f"control has the line {line!r:.100}")
    return fields


def _lines(raw: bytes, file: str) -> list[str]:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise RejectedFile(name=file, problem="control is not UTF-8") from error
    if len(raw) > MAX_CONTROL:
        raise RejectedFile(name=file, problem=f"control is larger than {MAX_CONTROL} bytes")
    lines = text.rstrip("\n").split("\n")
    for line in lines:
        if any(character < " " and character != "\t" for character in line):
            raise RejectedFile(name=file, problem=f"control has the line {line!r:.100}")
    return lines


def check(fields: Fields, pin: DebPin, file: str) -> None:
    """Raise RejectedFile unless ``fields`` are those of the package that was locked."""
    locked = {"Package": pin.name, "Version": pin.version, "Architecture": pin.architecture}
    for name, value in locked.items():
        if fields.get(name) != value:
            problem = f"its {name} is {fields.get(name, '')!r:.100}, locked is {value!r:.100}"
            raise RejectedFile(name=file, problem=problem)
    if fields.get("Multi-Arch", "") not in _MULTI_ARCH:
        raise RejectedFile(name=file, problem=f"its Multi-Arch is {fields['Multi-Arch']!r:.100}")
