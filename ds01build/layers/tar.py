"""Tar headers (POSIX.1-2017, pax): USTAR, and PAX records only for what USTAR can't say.

Times are whole seconds, as in every layer that an engine or BuildKit commits. Extended attributes
are SCHILY.xattr records, as all readers of layers know them. A removed path is an empty file
``.wh.NAME`` beside where it was (OCI image-spec 1.1, layer.md, whiteouts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.layers.entry import Entry
    from ds01build.stack import Stat

__all__ = ["BLOCK", "END", "MTIME", "WHITEOUT", "XATTR", "entry_header", "header", "padding"]

BLOCK = 512  # bytes
END = bytes(2 * BLOCK)
MTIME = 315619200  # 1980-01-02 UTC: a zip can't hold less in any time zone

_NAME = 100  # bytes, and so on: the widths of USTAR's fields
_PREFIX = 155
_LARGEST_SIZE = 0o77777777777
_LARGEST_OWNER = 0o7777777
_LARGEST_TIME = 0o77777777777  # seconds

WHITEOUT = ".wh."
XATTR = "SCHILY.xattr."

_KINDS = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5", "whiteout": b"0"}
_PAX = b"x"

_CHECKSUM = b" " * 8  # counts as spaces in itself
_MAGIC = b"ustar\x0000"
# No user and group names. Device numbers mean nothing here, and are left empty.
_AFTER_LINK = _MAGIC + bytes(32 + 32 + 8 + 8)
_CONSTANT_SUM = sum(_CHECKSUM) + sum(_AFTER_LINK)


def entry_header(entry: Entry) -> bytes:
    """Return the header blocks of ``entry``, as ``header`` does."""
    mtime = MTIME if entry.mtime is None else entry.mtime
    if not entry.xattrs and entry.mtime is None:
        return header(entry.path, entry.stat, entry.size)
    records = [(f"{XATTR}{name}".encode(), value) for name, value in entry.xattrs]
    return _header(entry.path, entry.stat, entry.size, mtime, records)


def header(path: str, stat: Stat, size: int) -> bytes:
    """Return the header blocks of one member whose body has ``size`` bytes.

    Raises ValueError for a NUL in a name, which no tar can hold.
    """
    return _header(path, stat, size, MTIME, [])


def _header(
    path: str, stat: Stat, size: int, mtime: int, records: list[tuple[bytes, bytes]]
) -> bytes:
    name = _named(path, stat)
    link = stat.content.encode() if stat.kind in {"symlink", "hardlink"} else b""
    if b"\0" in name or b"\0" in link:
        raise ValueError(f"NUL in a name: {path!r:.100}")
    kind = _KINDS[stat.kind]
    split = _split(name)
    numbers = (stat.mode, stat.uid, stat.gid, size, mtime)
    if (
        split
        and not records
        and len(link) <= _NAME
        and link.isascii()
        and size <= _LARGEST_SIZE
        and max(stat.uid, stat.gid) <= _LARGEST_OWNER
        and 0 <= mtime <= _LARGEST_TIME
    ):
        return _block(kind, split, link, numbers)
    return _extended(kind, (name, link), numbers, records)


def _named(path: str, stat: Stat) -> bytes:
    if stat.kind == "directory":
        return f"{path}/".encode() if path else b"./"
    if stat.kind == "whiteout":
        above, slash, name = path.rpartition("/")
        return f"{above}{slash}{WHITEOUT}{name}".encode()
    return path.encode()


def padding(size: int) -> bytes:
    """Return the zeros that fill the last block of a body."""
    return bytes(-size % BLOCK)


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Return a name as USTAR's prefix and name, or None where it has no room or isn't ASCII."""
    if not name.isascii():
        return None
    if len(name) <= _NAME:
        return b"", name
    cut = name.find(b"/", len(name) - _NAME - 1, -1)
    return (name[:cut], name[cut + 1 :]) if 0 < cut <= _PREFIX else None


_Numbers = tuple[int, int, int, int, int]  # mode, uid, gid, size, mtime


def _block(kind: bytes, split: tuple[bytes, bytes], link: bytes, numbers: _Numbers) -> bytes:
    prefix, name = split
    fields = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % numbers
    total = _CONSTANT_SUM + sum(b"".join((prefix, name, fields, kind, link)))
    return b"".join(
        (
            name.ljust(_NAME, b"\0"),
            fields,
            b"%06o\0 " % total,
            kind,
            link.ljust(_NAME, b"\0"),
            _AFTER_LINK,
            prefix.ljust(BLOCK - 345, b"\0"),
        )
    )


def _extended(
    kind: bytes, names: tuple[bytes, bytes], numbers: _Numbers, records: list[tuple[bytes, bytes]]
) -> bytes:
    """Return a PAX header with ``records`` and what doesn't fit, and the header that it extends."""
    name, link = names
    mode, uid, gid, size, mtime = numbers
    split = _split(name)
    misfits = [
        (keyword, value)
        for keyword, value, fits in (
            (b"gid", b"%d" % gid, gid <= _LARGEST_OWNER),
            (b"linkpath", link, len(link) <= _NAME and link.isascii()),
            (b"mtime", b"%d" % mtime, 0 <= mtime <= _LARGEST_TIME),
            (b"path", name, split),
            (b"size", b"%d" % size, size <= _LARGEST_SIZE),
            (b"uid", b"%d" % uid, uid <= _LARGEST_OWNER),
        )
        if not fits
    ]
    extension = b"".join(_record(keyword, value) for keyword, value in [*records, *misfits])
    short = (
        mode,
        uid if uid <= _LARGEST_OWNER else 0,
        gid if gid <= _LARGEST_OWNER else 0,
        size if size <= _LARGEST_SIZE else 0,
        mtime if 0 <= mtime <= _LARGEST_TIME else 0,
    )
    return b"".join(
        (
            _block(
                _PAX,
                (b"", b"PaxHeaders/" + _cut(name, _NAME - 11)),
                b"",
                (0o644, 0, 0, len(extension), MTIME),
            ),
            extension,
            padding(len(extension)),
            _block(kind, split or (b"", _cut(name, _NAME)), _cut(link, _NAME), short),
        )
    )


def _record(keyword: bytes, value: bytes) -> bytes:
    """Return one PAX record; the length in front counts itself."""
    rest = len(keyword) + len(value) + 3  # a space, an equals sign, a newline
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, keyword, value)


def _cut(name: bytes, length: int) -> bytes:
    """Return what a reader without PAX shall see of a name."""
    return bytes(value if value < 0x80 else ord("_") for value in name[-length:]).lstrip(b"/")  # noqa: PLR2004
