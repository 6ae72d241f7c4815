"""The outer archive of a .deb: three members, in the ar format (deb(5))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import RejectedFile

if TYPE_CHECKING:
    from ds01build.layers.entry import Source

__all__ = ["Part", "parts"]

_MAGIC = b"!<arch>\n"
_HEADER = 60  # bytes
_MEMBER = re.compile(rb"([a-z.-]+)/? *\d+ *\d+ *\d+ *[0-7]+ *(\d+) *`\n")


class Part(NamedTuple):
    """A member of the archive: ``size`` bytes from ``offset``."""

    name: str
    offset: int
    size: int


def parts(source: Source, file: str) -> tuple[Part, Part]:
    """Return where the control and the data archive of the .deb named ``file`` lie.

    Exactly ``debian-binary``, ``control.tar.*`` and ``data.tar.*``, in that order, fill the file.
    Raises RejectedFile.
    """
    if source.read(0, len(_MAGIC)) != _MAGIC:
        raise RejectedFile(name=file, problem="is not a .deb: no ar archive")
    version = _part(source, len(_MAGIC), file)
    if (
        version.name != "debian-binary"
        or source.read(version.offset, 8)[: version.size] != b"2.0\n"
    ):
        raise RejectedFile(name=file, problem="is not a .deb of format 2.0")
    control = _part(source, _end(version), file)
    content = _part(source, _end(control), file)
    if not control.name.startswith("control.tar") or not content.name.startswith("data.tar"):
        raise RejectedFile(name=file, problem=f"holds {control.name} and {content.name}")
    if _end(content) != source.size:
        raise RejectedFile(name=file, problem="bytes follow the data archive")
    return control, content


def _part(source: Source, offset: int, file: str) -> Part:
    header = source.read(offset, _HEADER)
    match = _MEMBER.fullmatch(header)
    if match is None:
        raise RejectedFile(name=file, problem=f"no ar member at byte {offset}")
    part = Part(match[1].decode(), offset + _HEADER, int(match[2]))
    if part.offset + part.size > source.size:
        raise RejectedFile(name=file, problem=f"{part.name} is cut short")
    return part


def _end(part: Part) -> int:
    """Return where the next member starts: at an even byte."""
    return part.offset + part.size + part.size % 2
