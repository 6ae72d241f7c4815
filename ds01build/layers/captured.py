"""From the tar that a container printed of its changes to the entries of a layer.

Nothing of it is believed: it must have exactly the paths that were asked for, in that order, and
every header is written anew.
"""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING

from ds01build.errors import RejectedFile
from ds01build.layers.entry import Entry, Piece, marked
from ds01build.layers.foreign import Reader
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Attributes, Body
    from ds01build.layers.foreign import Member
    from ds01build.layers.survey import Changes

__all__ = ["entries", "requested"]

NAME = "what tar in the container printed"
MAX_TOTAL = 1 << 38  # bytes
_IN_MEMORY = 1 << 20  # bytes of one file; a larger one goes through the spool
_CHUNK = 1 << 20

# Directories that an engine writes to when it makes a container, after which nothing can come out
# the same twice: their time is not the tier's.
_ENGINES = frozenset({"", "etc"})

_WHITEOUT = Stat("whiteout", 0, 0, 0, "")


def requested(changes: Changes) -> bytes:
    """Return the names to ask tar for, each with a NUL behind it, relative to the root."""
    return b"".join(b"./%b\0" % path.encode() for path in changes.present)


def entries(
    output: Iterator[bytes], changes: Changes, spool: IO[bytes], notes: list[str]
) -> Iterator[Entry]:
    """Yield the layer of ``changes``: what it removes first, then by path.

    A body is valid until the next entry is asked for: large ones lie in ``spool``, which is
    overwritten. ``security.capability`` and ``user.*`` are kept of extended attributes; what is
    dropped goes to ``notes``. Raises RejectedFile for any other tar than was asked for.
    """
    for path in changes.removed:
        yield Entry(path=path, stat=_WHITEOUT)
    reader = Reader(output, NAME)
    seen: dict[str, Stat] = {}
    total = 0
    for path in changes.present:
        member = _member(reader, path)
        if member is None or member.path != path:
            found = repr(member.path)[:100] if member else "the end"
            raise RejectedFile(name=NAME, problem=f"has {found} where {path!r:.100} should be")
        total += member.size
        if total > MAX_TOTAL:
            raise RejectedFile(name=NAME, problem=f"has more than {MAX_TOTAL} bytes")
        entry = _entry(member, reader, spool, notes)
        _check_link(member, seen)
        seen[path] = entry.stat
        yield entry
    if reader.member() is not None:
        raise RejectedFile(name=NAME, problem="goes on after what was asked for")


def _member(reader: Reader, path: str) -> Member | None:
    """Return the next member, which should be that of ``path``."""
    try:
        return reader.member()
    except RejectedFile as error:
        raise RejectedFile(name=NAME, problem=f"{error.problem}, at /{path:.200}") from error


def _check_link(member: Member, seen: dict[str, Stat]) -> None:
    """Raise RejectedFile unless a hard link names a file that came before it."""
    if member.kind != "hardlink":
        return
    target = seen.get(member.link.removeprefix("./"))
    if target is None or target.kind != "file":
        problem = f"{member.path!r:.100} is a hard link to {member.link!r:.100}"
        raise RejectedFile(name=NAME, problem=problem)


def _entry(member: Member, reader: Reader, spool: IO[bytes], notes: list[str]) -> Entry:
    content, body, xattrs = "", None, ()  # type: str, Body | None, Attributes
    if member.kind == "file":
        content, body = _content(member, reader, spool)
    if member.kind in ("file", "directory"):
        xattrs = _kept(member, notes)
        content = marked(content, xattrs)
    if member.kind in ("symlink", "hardlink"):
        content = member.link if member.kind == "symlink" else member.link.removeprefix("./")
    return Entry(
        path=member.path,
        stat=Stat(member.kind, member.mode, member.uid, member.gid, content),
        size=member.size,
        body=body,
        mtime=None if member.path in _ENGINES else member.mtime,
        xattrs=xattrs,
    )


def _kept(member: Member, notes: list[str]) -> Attributes:
    """Return the attributes that mean the same on every machine."""
    kept = []
    for name, value in member.xattrs:
        if name == "security.capability" or name.startswith("user."):
            kept.append((name, value))
        else:
            notes.append(f"/{member.path}: the attribute {name!r:.100} is left out")
    return tuple(kept)


def _content(member: Member, reader: Reader, spool: IO[bytes]) -> tuple[str, Body | None]:
    if not member.size:
        return hashlib.sha256().hexdigest(), None
    if member.size <= _IN_MEMORY:
        plain = b"".join(reader.body(member.size))
        return hashlib.sha256(plain).hexdigest(), lambda: iter([Piece(plain, b"")])
    summed = hashlib.sha256()
    spool.seek(0)
    for chunk in reader.body(member.size):
        summed.update(chunk)
        spool.write(chunk)
    size = member.size
    return summed.hexdigest(), lambda: _spooled(spool, size)


def _spooled(spool: IO[bytes], size: int) -> Iterator[Piece]:
    spool.seek(0)
    left = size
    while left:
        chunk = spool.read(min(left, _CHUNK))
        left -= len(chunk)
        yield Piece(chunk, b"")
