"""Listings: what a layer says of each path, noted while it streams or read from its bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from isal import igzip

from ds01build.layers.entry import marked
from ds01build.layers.tar import WHITEOUT, XATTR
from ds01build.stack import Kind, Listing, Stat

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from ds01build.layers.entry import Attributes, Entry, Source

__all__ = ["Member", "from_json", "noted", "read", "to_json", "walk"]

SCHEMA = "ds01.listing/1"

_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}


class Member(NamedTuple):
    """All that a layer says of a path. ``body`` is there only for files that were asked for."""

    path: str
    stat: Stat
    size: int  # bytes
    time: float  # seconds since 1970
    body: bytes | None


def noted(entries: Iterable[Entry], paths: Listing) -> Iterator[Entry]:
    """Pass ``entries`` on and note the stat of each in ``paths``."""
    for entry in entries:
        paths[entry.path] = entry.stat
        yield entry


def to_json(paths: Listing) -> dict[str, object]:
    """Return the JSON form of a listing."""
    return {"schema": SCHEMA, "paths": [[path, *stat] for path, stat in paths.items()]}


def from_json(value: object) -> Listing | None:
    """Return the listing, or None when ``value`` is not the JSON form of one."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        return None
    rows = value.get("paths")
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        return None
    return {row[0]: Stat(*row[1:]) for row in rows}


def _is_row(row: object) -> bool:
    types = [str, str, int, int, int, str]
    return isinstance(row, list) and [type(value) for value in row] == types


def read(source: Source) -> Listing:
    """Return the listing of a layer that ds01 wrote, from its gzip stream.

    Slow: every byte is inflated and hashed. The caller has verified the layer's digest.
    """
    return {member.path: member.stat for member in walk(source)}


def walk(source: Source, kept: Collection[str] = ()) -> Iterator[Member]:
    """Yield all that a layer says, in its order, with the bodies of the files at ``kept``."""
    packed = io.BufferedReader(_Stream(source), 1 << 20)
    inflated = cast("IO[bytes]", igzip.open(packed))  # type: ignore[no-untyped-call]
    with inflated as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        for info in archive:
            path = _path(info.name)
            stat, body = _read(archive, info, keep=path in kept)
            removed = _removed(path)
            if removed:
                path, stat = removed, stat._replace(kind="whiteout", content="")
            yield Member(path, stat, info.size, info.mtime, body)


def _path(name: str) -> str:
    return "" if name == "." else name.removeprefix("./")


def _removed(path: str) -> str:
    """Return the path that a whiteout at ``path`` removes; empty for anything else."""
    above, slash, name = path.rpartition("/")
    return above + slash + name[len(WHITEOUT) :] if name.startswith(WHITEOUT) else ""


def _xattrs(member: tarfile.TarInfo) -> Attributes:
    return tuple(
        (keyword.removeprefix(XATTR), value.encode("utf-8", "surrogateescape"))
        for keyword, value in sorted(member.pax_headers.items())
        if keyword.startswith(XATTR)
    )


def _read(
    archive: tarfile.TarFile, member: tarfile.TarInfo, *, keep: bool
) -> tuple[Stat, bytes | None]:
    kind = _KINDS[member.type]
    content, body = member.linkname, None
    if kind == "file":
        summed, pieces = hashlib.sha256(), []
        stream = archive.extractfile(member)
        assert stream is not None, "a regular file has a body"
        while chunk := stream.read(1 << 20):
            summed.update(chunk)
            if keep:
                pieces.append(chunk)
        content, body = summed.hexdigest(), b"".join(pieces) if keep else None
    content = marked(content, _xattrs(member))
    return Stat(kind, member.mode, member.uid, member.gid, content), body


class _Stream(io.RawIOBase):
    """A source as the raw stream that the standard library reads from."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._offset = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        content = self._source.read(self._offset, len(view))
        view[: len(content)] = content
        self._offset += len(content)
        return len(content)
