"""A tar stream from a program that nobody vouches for: USTAR, GNU and PAX, read strictly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import RejectedFile
from ds01build.layers.tar import BLOCK, XATTR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Attributes
    from ds01build.stack import Kind

__all__ = ["Member", "Reader", "is_clean"]

MAX_PATH = 4096  # bytes: PATH_MAX
MAX_PART = 255  # bytes: NAME_MAX
MAX_FILE = 1 << 38  # bytes
MAX_EXTENSION = 1 << 20  # bytes of PAX records for one member; an attribute has at most 64 KiB

_CHUNK = 1 << 20  # bytes
_MAGICS = (b"ustar  \0", b"ustar\x0000")
_OCTAL = re.compile(rb"[ 0]*([0-7]*)[ \0]*")
_LENGTH = re.compile(rb"([1-9][0-9]{0,6}) ")
_WHOLE = re.compile(r"[0-9]{1,12}")
_TIME = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?")
_LARGEST_OWNER = (1 << 32) - 2
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"5": "directory",
}
_BASE_256 = {0x80: 0, 0xFF: 1}  # by the first byte: whether the rest is negative
_PAX, _LONG_NAME, _LONG_LINK = b"x", b"L", b"K"
# Control characters, line separators, and what changes the direction of text.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)


class Member(NamedTuple):
    """One member; ``path`` has no leading ``./`` and no trailing slash, the root is empty.

    ``mtime`` is in seconds, rounded down. ``link`` is as it was written.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    link: str
    size: int
    xattrs: Attributes


class _Long(NamedTuple):
    """What stood before a header: long names, and PAX records."""

    names: dict[bytes, bytes]
    records: dict[str, bytes]


class Reader:
    """Members of the tar in ``chunks``, each to be followed by its whole ``body``.

    Methods raise RejectedFile, which calls the stream ``name``, for what is cut short or
    malformed, for a device, FIFO or sparse file, and for a path that leaves the root.
    """

    def __init__(self, chunks: Iterator[bytes], name: str) -> None:
        self._chunks = chunks
        self._name = name
        self._pending = b""

    def member(self) -> Member | None:
        """Return the next member; None at the end, when the stream has been read to its end."""
        long = _Long({}, {})
        while True:
            header = self._read(BLOCK)
            if not header.strip(b"\0"):
                self._finish()
                return None
            self._check(header)
            kind, size = header[156:157], self._number(header[124:136])
            if kind == _PAX:
                long.records.update(self._records(self._extension(size)))
            elif kind in (_LONG_NAME, _LONG_LINK):
                long.names[kind] = self._extension(size).rstrip(b"\0")
            else:
                return self._member(header, long, size)

    def body(self, size: int) -> Iterator[bytes]:
        """Yield the content of the member just returned, which has ``size`` bytes."""
        left = size
        while left:
            chunk = self._read(min(left, _CHUNK))
            left -= len(chunk)
            yield chunk
        self._read(-size % BLOCK)

    def _member(self, header: bytes, long: _Long, size: int) -> Member:
        records, names = long.records, long.names
        path = self._path(records.get("path") or names.get(_LONG_NAME) or _short_name(header))
        kind = _KINDS.get(header[156:157])
        if kind is None or any(keyword.startswith("GNU.sparse.") for keyword in records):
            raise self._rejected(f"{path!r:.100} is of the type {header[156:157]!r}")
        size = self._whole(records, "size", size, MAX_FILE)
        if size and kind != "file":
            raise self._rejected(f"{path!r:.100} is a {kind} of {size} bytes")
        raw_link = records.get("linkpath") or names.get(_LONG_LINK) or header[157:257]
        return Member(
            path=path,
            kind=kind,
            mode=self._number(header[100:108]) & 0o7777,
            uid=self._whole(records, "uid", self._number(header[108:116]), _LARGEST_OWNER),
            gid=self._whole(records, "gid", self._number(header[116:124]), _LARGEST_OWNER),
            mtime=self._time(records, self._number(header[136:148])),
            link=self._text(raw_link.rstrip(b"\0")),
            size=size,
            xattrs=_xattrs(records),
        )

    def _extension(self, size: int) -> bytes:
        if size > MAX_EXTENSION:
            raise self._rejected(f"has {size} bytes before a header")
        return b"".join(self.body(size))

    def _records(self, content: bytes) -> Iterator[tuple[str, bytes]]:
        """Yield PAX records: the decimal length of all of it, a space, KEYWORD=VALUE, newline."""
        at = 0
        while at < len(content):
            match = _LENGTH.match(content, at)
            end = at + int(match[1]) if match else 0
            if match is None or not match.end() < end <= len(content) or content[end - 1] != 10:  # noqa: PLR2004
                raise self._rejected("has a malformed PAX record")
            keyword, equals, value = content[match.end() : end - 1].partition(b"=")
            if not equals:
                raise self._rejected("has a malformed PAX record")
            yield self._text(keyword), value
            at = end

    def _check(self, header: bytes) -> None:
        if header[257:265] not in _MAGICS:
            raise self._rejected("is no GNU or POSIX tar")
        summed = sum(header) - sum(header[148:156]) + 8 * 32  # the field counts as spaces
        if self._number(header[148:156]) != summed:
            raise self._rejected("has a header with the wrong checksum")

    def _number(self, field: bytes) -> int:
        """Return a number in octal, or in base 256 as GNU tar writes what is larger or negative."""
        if field[0] in _BASE_256:
            value = int.from_bytes(field[1:], "big")
            return value - _BASE_256[field[0]] * (1 << 8 * (len(field) - 1))
        match = _OCTAL.fullmatch(field)
        if match is None:
            raise self._rejected(f"has the number {field!r}")
        return int(match[1] or b"0", 8)

    def _whole(self, records: dict[str, bytes], keyword: str, short: int, largest: int) -> int:
        value = short
        if keyword in records:
            text = self._text(records[keyword])
            if not _WHOLE.fullmatch(text):
                raise self._rejected(f"has the {keyword} {text!r:.100}")
            value = int(text)
        if not 0 <= value <= largest:
            raise self._rejected(f"has the {keyword} {value}")
        return value

    def _time(self, records: dict[str, bytes], short: int) -> int:
        if "mtime" not in records:
            return short
        text = self._text(records["mtime"])
        match = _TIME.fullmatch(text)
        if match is None:
            raise self._rejected(f"has the time {text!r:.100}")
        if not match[1]:
            return int(match[2])
        return -int(match[2]) - bool(int(match[3] or 0))

    def _path(self, raw: bytes) -> str:
        path = self._text(raw).removeprefix("./").removesuffix("/")
        if path in ("", "."):
            return ""
        if path.startswith("/") or not is_clean(path):
            raise self._rejected(f"{path!r:.100} is not a plain path")
        return path

    def _text(self, raw: bytes) -> str:
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise self._rejected(f"{raw!r:.100} is not UTF-8") from error
        if len(raw) > MAX_PATH or "\0" in text:
            raise self._rejected(f"{text!r:.100} is not a name")
        return text

    def _read(self, length: int) -> bytes:
        pieces = [self._pending[:length]]
        self._pending = self._pending[length:]
        missing = length - len(pieces[0])
        while missing:
            chunk = next(self._chunks, b"")
            if not chunk:
                raise self._rejected("is cut short")
            pieces.append(chunk[:missing])
            self._pending = chunk[missing:]
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _finish(self) -> None:
        """Read on to the end of the stream; only zeros may be left."""
        rest = self._pending
        while not rest.strip(b"\0"):
            rest = next(self._chunks, b"")
            if not rest:
                return
        raise self._rejected("goes on after its end")

    def _rejected(self, problem: str) -> RejectedFile:
        return RejectedFile(name=self._name, problem=problem)


def is_clean(path: str) -> bool:
    """Tell whether a relative path has plain parts, all of them visible, and none too long."""
    parts = path.split("/")
    return (
        not any(part in ("", ".", "..") or len(part.encode()) > MAX_PART for part in parts)
        and len(path.encode()) <= MAX_PATH
        and not _UNSEEN.search(path)
    )


def _short_name(header: bytes) -> bytes:
    name = header[:100].rstrip(b"\0")
    prefix = header[345:500].rstrip(b"\0") if header[257:265] == _MAGICS[1] else b""
    return prefix + b"/" + name if prefix else name


def _xattrs(records: dict[str, bytes]) -> Attributes:
    return tuple(
        (keyword.removeprefix(XATTR), value)
        for keyword, value in sorted(records.items())
        if keyword.startswith(XATTR)
    )
