"""The inner archives of a .deb: tar as dpkg-deb writes it (GNU, deb(5)), read strictly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import RejectedFile
from ds01build.layers.deb.stream import Content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.deb.stream import Stream
    from ds01build.stack import Kind

__all__ = ["Member", "members"]

BLOCK = 512
MAX_FILE = 1 << 30  # bytes
MAX_MEMBERS = 200_000
MAX_PATH = 4096  # bytes
MAX_PART = 255

_MAGICS = (b"ustar  \0", b"ustar\x0000")
_OCTAL = re.compile(rb"[ 0]*([0-7]+)[ \0]*")
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"5": "directory",
}
_UNWANTED = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO",
    b"x": "a pax header",
    b"g": "a pax header",
}
_EMPTY = Content(())


class Member(NamedTuple):
    """One member; ``path`` has no leading ``./`` and no trailing slash, ``link`` is as written."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    link: str
    content: Content


def members(stream: Stream, file: str, *, largest: int = MAX_FILE) -> Iterator[Member]:
    """Yield the members of the tar in ``stream``, of the .deb named ``file``, in their order.

    One content, of at most ``largest`` bytes, is held at a time. Raises RejectedFile for what
    dpkg-deb would not write: devices, FIFOs, pax headers, paths that are absolute or hold ``..``,
    names that are not clean UTF-8.
    """
    for _ in range(MAX_MEMBERS):
        member = _member(stream, file, largest)
        if member is None:
            stream.finish()
            return
        yield member
    raise RejectedFile(name=file, problem=f"holds more than {MAX_MEMBERS} files")


def _member(stream: Stream, file: str, largest: int) -> Member | None:
    long: dict[bytes, bytes] = {}
    while True:
        header = stream.read(BLOCK)
        if not header.strip(b"\0"):
            if long:
                raise RejectedFile(name=file, problem="a long name names nothing")
            return None
        _check(header, file)
        kind, size = header[156:157], _number(header[124:136], file)
        if kind not in (b"L", b"K"):
            return _read(stream, header, long, largest, file)
        if size > MAX_PATH or kind in long:
            raise RejectedFile(name=file, problem="a long name is too long")
        long[kind] = _padded(stream, size).read(0, size).rstrip(b"\0")


def _check(header: bytes, file: str) -> None:
    if header[257:265] not in _MAGICS:
        raise RejectedFile(name=file, problem="holds something else than a GNU or ustar tar")
    summed = sum(header) - sum(header[148:156]) + 8 * 32  # the field counts as spaces
    if _number(header[148:156], file) != summed:
        raise RejectedFile(name=file, problem="a tar header has the wrong checksum")


def _read(
    stream: Stream, header: bytes, long: dict[bytes, bytes], largest: int, file: str
) -> Member:
    path = _path(long.get(b"L") or _name(header), file)
    kind = _KINDS.get(header[156:157])
    if kind is None:
        what = _UNWANTED.get(header[156:157], f"of the unknown type {header[156:157]!r}")
        raise RejectedFile(name=file, problem=f"{path!r:.100} is {what}")
    size = _number(header[124:136], file)
    if size > (largest if kind == "file" else 0):
        raise RejectedFile(name=file, problem=f"{path!r:.100} has {size} bytes")
    return Member(
        path=path,
        kind=kind,
        mode=_number(header[100:108], file) & 0o7777,
        uid=_number(header[108:116], file),
        gid=_number(header[116:124], file),
        link=_text(long.get(b"K") or header[157:257].rstrip(b"\0"), file),
        content=_padded(stream, size) if size else _EMPTY,
    )


def _padded(stream: Stream, size: int) -> Content:
    content = stream.content(size)
    stream.read(-size % BLOCK)
    return content


def _name(header: bytes) -> bytes:
    name = header[:100].rstrip(b"\0")
    prefix = header[345:500].rstrip(b"\0") if header[257:265] == _MAGICS[1] else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes, file: str) -> int:
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise RejectedFile(name=file, problem=f"a tar header has the number {field!r}")
    return int(match[1], 8)


def _path(name: bytes, file: str) -> str:
    path = _text(name, file)
    if path.startswith("/"):
        raise RejectedFile(name=file, problem=f"{path!r:.100} is an absolute path")
    path = path.removeprefix("./").removesuffix("/")
    parts = [] if path in ("", ".") else path.split("/")
    if any(part in ("", ".", "..") or len(part.encode()) > MAX_PART for part in parts):
        raise RejectedFile(name=file, problem=f"{path!r:.100} is not a plain path")
    if any(part.startswith(".wh.") for part in parts):
        raise RejectedFile(name=file, problem=f"{path!r:.100} would remove files of other layers")
    return "/".join(parts)


def _text(raw: bytes, file: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise RejectedFile(name=file, problem=f"{raw!r:.100} is not UTF-8") from error
    if len(raw) > MAX_PATH or not text.isprintable():
        raise RejectedFile(name=file, problem=f"{text!r:.100} is not a printable name")
    return text
