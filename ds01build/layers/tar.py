"""Tar headers (POSIX.1-2017, pax): USTAR, and PAX records only for what USTAR can't say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.stack import Stat

__all__ = ["BLOCK", "END", "MTIME", "header", "padding"]

BLOCK = 512  # bytes
END = bytes(2 * BLOCK)
MTIME = 315619200  # 1980-01-02 UTC: a zip can't hold less in any time zone

_NAME = 100  # bytes, and so on: the widths of USTAR's fields
_PREFIX = 155
_LARGEST_SIZE = 0o77777777777
_LARGEST_OWNER = 0o7777777

_KINDS = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5"}
_PAX = b"x"

_TIME = b"%011o\0" % MTIME
_CHECKSUM = b" " * 8  # counts as spaces in itself
_MAGIC = b"ustar\x0000"
# No user and group names. Device numbers mean nothing here, and are left empty.
_AFTER_LINK = _MAGIC + bytes(32 + 32 + 8 + 8)
_CONSTANT_SUM = sum(_TIME) + sum(_CHECKSUM) + sum(_AFTER_LINK)


def header(path: str, stat: Stat, size: int) -> bytes:
    """Return the header blocks of one member whose body has ``size`` bytes.

    Raises ValueError for a NUL in a name, which no tar can hold.
    """
    name = path.encode()
    if stat.kind == "directory":
        name = name + b"/" if name else b"./"
    link = stat.content.encode() if stat.kind in {"symlink", "hardlink"} else b""
    if b"\0" in name or b"\0" in link:
        raise ValueError(f"NUL in a name: {path!r:.100}")
    kind = _KINDS[stat.kind]
    split = _split(name)
    if (
        split
        and len(link) <= _NAME
        and link.isascii()
        and size <= _LARGEST_SIZE
        and max(stat.uid, stat.gid) <= _LARGEST_OWNER
    ):
        return _block(kind, split, link, (stat.mode, stat.uid, stat.gid, size))
    return _extended(kind, name, link, (stat.mode, stat.uid, stat.gid, size))


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


def _block(
    kind: bytes, split: tuple[bytes, bytes], link: bytes, numbers: tuple[int, int, int, int]
) -> bytes:
    prefix, name = split
    fields = b"%07o\0%07o\0%07o\0%011o\0" % numbers
    total = _CONSTANT_SUM + sum(b"".join((prefix, name, fields, kind, link)))
    return b"".join(
        (
            name.ljust(_NAME, b"\0"),
            fields,
            _TIME,
            b"%06o\0 " % total,
            kind,
            link.ljust(_NAME, b"\0"),
            _AFTER_LINK,
            prefix.ljust(BLOCK - 345, b"\0"),
        )
    )


def _extended(kind: bytes, name: bytes, link: bytes, numbers: tuple[int, int, int, int]) -> bytes:
    """Return a PAX header with the fields that don't fit, and the header that it extends."""
    mode, uid, gid, size = numbers
    split = _split(name)
    records = b"".join(
        _record(keyword, value)
        for keyword, value, fits in (
            (b"gid", b"%d" % gid, gid <= _LARGEST_OWNER),
            (b"linkpath", link, len(link) <= _NAME and link.isascii()),
            (b"path", name, split),
            (b"size", b"%d" % size, size <= _LARGEST_SIZE),
            (b"uid", b"%d" % uid, uid <= _LARGEST_OWNER),
        )
        if not fits
    )
    short = (
        mode,
        uid if uid <= _LARGEST_OWNER else 0,
        gid if gid <= _LARGEST_OWNER else 0,
        size if size <= _LARGEST_SIZE else 0,
    )
    return b"".join(
        (
            _block(
                _PAX,
                (b"", b"PaxHeaders/" + _cut(name, _NAME - 11)),
                b"",
                (0o644, 0, 0, len(records)),
            ),
            records,
            padding(len(records)),
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
