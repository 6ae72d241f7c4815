"""A layer's tar, read strictly: USTAR, GNU and PAX (POSIX.1-2017), as Go's archive/tar does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol

from ds01build.base.tree import Node
from ds01build.base.wanted import excerpt, wanted
from ds01build.errors import RejectedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.base.tree import Kind

__all__ = ["Member", "Reader", "members"]

BLOCK = 512
MAX_PATH = 4096  # bytes, PATH_MAX
MAX_PART = 255  # bytes, NAME_MAX
MAX_EXTENDED = 1 << 20  # bytes of one PAX header
MAX_OWNER = (1 << 32) - 1
MAX_SIZE = 1 << 43  # bytes of one file

_MAGICS = (b"ustar\x0000", b"ustar  \0", bytes(8))  # POSIX, GNU, and V7, which has none
_KINDS: dict[bytes, Kind | None] = {
    **dict.fromkeys((b"0", b"\0", b"7", b"S"), "file"),
    **dict.fromkeys((b"3", b"4", b"6"), "other"),
    b"1": None,  # a hard link
    b"2": "symlink",
    b"5": "directory",
}
_WITH_BODY = (b"0", b"\0", b"7", b"S")
_BINARY = 0x80
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ")
_DECIMAL = re.compile(r"[0-9]{1,15}")


class Reader(Protocol):
    """A stream of bytes that is read once."""

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end."""

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes, fewer only at the end."""


class Member(NamedTuple):
    """One entry of a layer. ``node`` is None for a hard link, whose target is ``link``.

    ``content`` is what is kept of a wanted file, None for any other.
    """

    path: str
    node: Node | None
    link: str
    content: bytes | None


class _Archive:
    """The state of one pass: where from, and what the extension headers said of the next entry."""

    __slots__ = ("below", "extended", "long", "reader", "source")

    def __init__(self, reader: Reader, source: str, below: str) -> None:
        self.reader = reader
        self.source = source
        self.below = below
        self.long: dict[bytes, bytes] = {}
        self.extended: Mapping[str, str] = {}

    def refuse(self, problem: str) -> NoReturn:
        raise RejectedFile(name=self.source, problem=problem)

    def body(self, size: int) -> bytes:
        content = self.reader.read(size)
        if len(content) < size:
            self.refuse("ends in the middle of a file")
        self.reader.skip(-size % BLOCK)
        return content


def members(reader: Reader, source: str, *, below: str = "") -> Iterator[Member]:
    """Yield the entries of the tar that ``reader`` reads, in their order; ``source`` names it.

    Raises RejectedFile for what is not a tar, for a path with ``..``, one that is too long or
    holds a NUL. A path is relative to the root, whatever slashes and dots it starts with; the tar
    is of the directory ``below``, where it is not of the root.
    """
    archive = _Archive(reader, source, below)
    while header := reader.read(BLOCK):
        if len(header) < BLOCK:
            archive.refuse("ends in the middle of a header")
        if not header.strip(b"\0"):
            break
        _check(archive, header)
        if not _extension(archive, header):
            yield _member(archive, header)
            archive.long, archive.extended = {}, {}
    if archive.long or archive.extended:
        archive.refuse("ends with the long name of nothing")


def _check(archive: _Archive, header: bytes) -> None:
    if header[257:265] not in _MAGICS:
        archive.refuse("is not a tar")
    summed = sum(header) - sum(header[148:156]) + 8 * 32  # the field counts as spaces
    if _number(archive, header[148:156]) != summed:
        archive.refuse("a tar header has the wrong checksum")


def _extension(archive: _Archive, header: bytes) -> bool:
    kind = header[156:157]
    if kind not in b"LKxg":
        return False
    size = _number(archive, header[124:136])
    if size > MAX_EXTENDED:
        archive.refuse(f"has a long name or PAX header of {size} bytes")
    content = archive.body(size)
    if kind == b"x":
        archive.extended = _records(archive, content)
    elif kind != b"g":  # global headers hold comments in practice, and engines pass over them
        archive.long[kind] = content.split(b"\0")[0]
    return True


def _records(archive: _Archive, content: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    while place < len(content):
        match = _RECORD.match(content, place)
        end = place + int(match[1]) if match else 0
        if match is None or end > len(content) or content[end - 1 : end] != b"\n":
            archive.refuse("has a malformed PAX header")
        key, equals, value = content[match.end() : end - 1].partition(b"=")
        if not equals or not key:
            archive.refuse("has a malformed PAX header")
        found[_decoded(key)] = _decoded(value)
        place = end
    return found


def _member(archive: _Archive, header: bytes) -> Member:
    kind = header[156:157]
    if kind not in _KINDS:
        archive.refuse(f"holds an entry of the unknown type {kind!r}")
    extended = archive.extended
    name = extended.get("GNU.sparse.name") or extended.get("path") or _name(archive, header)
    path = _path(archive, name)
    link = extended.get("linkpath") or _decoded(
        archive.long.get(b"K") or header[157:257].split(b"\0")[0]
    )
    size = _stat(archive, "size", header[124:136], MAX_SIZE) if kind in _WITH_BODY else 0
    what = "directory" if kind in (b"0", b"\0") and name.endswith("/") else _KINDS[kind]
    if what is None:
        return Member(path, None, _path(archive, link), None)
    if what == "symlink" and (not link or "\0" in link or len(_encoded(link)) > MAX_PATH):
        archive.refuse(f"/{path!r:.100} is a link to {link!r:.100}")
    mode = 0o777 if what == "symlink" else _number(archive, header[100:108]) & 0o7777
    uid = _stat(archive, "uid", header[108:116], MAX_OWNER)
    gid = _stat(archive, "gid", header[116:124], MAX_OWNER)
    length, content = _content(archive, header, path, size)
    node = Node(what, mode, uid, gid, length, link if what == "symlink" else "")
    return Member(path, node, "", content)


def _content(archive: _Archive, header: bytes, path: str, size: int) -> tuple[int, bytes | None]:
    """Return the size of the file, and what is kept of it; the stream is behind it after that."""
    length, is_sparse = size, any(key.startswith("GNU.sparse.") for key in archive.extended)
    if header[156:157] == b"S":
        length, is_sparse = _number(archive, header[483:495]), True
        more = header[482]
        while more:
            more = archive.body(BLOCK)[504]
    elif is_sparse:
        real = archive.extended.get("GNU.sparse.realsize") or archive.extended.get(
            "GNU.sparse.size", ""
        )
        length = int(real) if _DECIMAL.fullmatch(real) else archive.refuse("has no sparse size")
    want = None if is_sparse else wanted(path)
    if want is None or size > want.limit:
        archive.reader.skip(size + -size % BLOCK)
        return length, None
    return length, excerpt(want, archive.body(size))


def _stat(archive: _Archive, key: str, field: bytes, largest: int) -> int:
    text = archive.extended.get(key)
    if not text:
        number = _number(archive, field)
    elif _DECIMAL.fullmatch(text):
        number = int(text)
    else:
        archive.refuse(f"a PAX header has the {key} {text!r:.100}")
    if number > largest:
        archive.refuse(f"an entry has the {key} {number}")
    return number


def _number(archive: _Archive, field: bytes) -> int:
    if field[0] == _BINARY:  # GNU's base 256, which numbers take that have too many octal digits
        return int.from_bytes(field[1:], "big")
    match = _OCTAL.fullmatch(field)
    if match is None:
        archive.refuse(f"a tar header has the number {field!r}")
    return int(match[1] or b"0", 8)


def _name(archive: _Archive, header: bytes) -> str:
    long = archive.long.get(b"L")
    if long:
        return _decoded(long)
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:265] == _MAGICS[0] else b""
    return _decoded(prefix + b"/" + name if prefix else name)


def _path(archive: _Archive, name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    path = "/".join([archive.below, *parts] if archive.below else parts)
    if ".." in parts or "\0" in name or (not parts and not name):
        archive.refuse(f"{name!r:.100} is not a path in an image")
    if len(_encoded(path)) > MAX_PATH or any(len(_encoded(part)) > MAX_PART for part in parts):
        archive.refuse(f"{name!r:.100} is too long")
    return path


def _decoded(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
