"""A tree from a container of the image: what its ``find`` lists and its ``tar`` packs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from ds01build.base.tree import Node, Tree
from ds01build.base.unpack import Plain
from ds01build.base.untar import MAX_PATH, members
from ds01build.base.wanted import MAX_KEPT, wanted
from ds01build.errors import RejectedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ds01build.base.tree import Kind

__all__ = ["FORMAT", "Prober", "read_probed"]

# What find prints of a path: type, mode, owner, group, size, link, path below the root.
FORMAT = r"%y\0%m\0%U\0%G\0%s\0%l\0%P\0"
_FIELDS = 7
MAX_LISTING = 1 << 30  # bytes
MAX_PATHS = 1_000_000
MAX_ARGUMENTS = 1 << 19  # bytes of one command; the kernel takes 2 MiB with the environment
_POINTER = 16  # bytes that an argument takes beside its text
_AROUND = 4 * MAX_PATH  # bytes of a tar's headers and padding around a file

_SOURCE = "the base's listing"
_MODE = re.compile(rb"[0-7]{1,4}")
_NUMBER = re.compile(rb"[0-9]{1,10}")
_SIZE = re.compile(rb"[0-9]{1,14}")
_KINDS: dict[bytes, Kind] = {
    **dict.fromkeys((b"c", b"b", b"p", b"s", b"D"), "other"),
    b"f": "file",
    b"d": "directory",
    b"l": "symlink",
}


class Prober(Protocol):
    """Looks into one image, without changing it."""

    def listing(self) -> Iterable[bytes]:
        """Return chunks of what ``find -printf FORMAT`` prints of the whole file system."""

    def contents(self, paths: Sequence[str]) -> Iterable[bytes]:
        """Return chunks of a tar that holds the regular files at ``paths``.

        These are never too many for the arguments of one command.
        """


def read_probed(prober: Prober) -> Tree:
    """Return the tree of the image that ``prober`` looks into.

    Equal to the tree of its layers. Raises RejectedFile for answers that no image gives.
    """
    nodes = dict(_nodes(_bounded(prober.listing(), MAX_LISTING)))
    chosen = [path for path, node in nodes.items() if node.kind == "file" and wanted(path)]
    contents: dict[str, bytes | None] = dict.fromkeys(sorted(chosen))
    small = [path for path in contents if _is_small(path, nodes[path])]
    for batch in _batches(small):
        contents.update(_contents(prober, batch, nodes))
    return Tree.of(nodes, contents)


def _is_small(path: str, node: Node) -> bool:
    want = wanted(path)
    return want is not None and node.size <= want.limit


def _bounded(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise RejectedFile(name=_SOURCE, problem="is larger than any image's")
        yield chunk


def _nodes(chunks: Iterable[bytes]) -> Iterator[tuple[str, Node]]:
    rest: list[bytes] = []
    count = 0
    for chunk in chunks:
        fields = chunk.split(b"\0")
        fields[0] = b"".join([*rest[-1:], fields[0]])
        fields = rest[:-1] + fields
        whole = (len(fields) - 1) // _FIELDS * _FIELDS
        count += whole // _FIELDS
        if count > MAX_PATHS:
            raise RejectedFile(name=_SOURCE, problem=f"has more than {MAX_PATHS} paths")
        yield from (_node(fields[at : at + _FIELDS]) for at in range(0, whole, _FIELDS))
        rest = fields[whole:]
        if sum(map(len, rest)) > 4 * MAX_PATH:
            raise RejectedFile(name=_SOURCE, problem="has a path that is too long")
    if rest not in ([], [b""]):
        raise RejectedFile(name=_SOURCE, problem="ends in the middle of an entry")


def _node(fields: Sequence[bytes]) -> tuple[str, Node]:
    what, mode, uid, gid, size, link, path = fields
    kind = _KINDS.get(what)
    is_plain = (
        kind is not None
        and _MODE.fullmatch(mode)
        and _NUMBER.fullmatch(uid)
        and _NUMBER.fullmatch(gid)
        and _SIZE.fullmatch(size)
        and not {b"", b".", b".."} & set(path.split(b"/") if path else ())
    )
    if kind is None or not is_plain:
        raise RejectedFile(name=_SOURCE, problem=f"holds {b' '.join(fields)!r:.200}")
    node = Node(
        kind,
        0o777 if kind == "symlink" else int(mode, 8),
        int(uid),
        int(gid),
        int(size) if kind == "file" else 0,
        link.decode(errors="surrogateescape") if kind == "symlink" else "",
    )
    return path.decode(errors="surrogateescape"), node


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for path in paths:
        size += len(path) + _POINTER
        if size > MAX_ARGUMENTS:
            yield batch
            batch, size = [], len(path) + _POINTER
        batch.append(path)
    if batch:
        yield batch


def _contents(
    prober: Prober, paths: Sequence[str], nodes: Mapping[str, Node]
) -> dict[str, bytes | None]:
    """Return what is kept of ``paths``; a later name of one file is a hard link in the tar."""
    limit = sum(nodes[path].size + _AROUND for path in paths) + (1 << 20)
    chunks = _bounded(prober.contents(paths), limit)
    asked, found, kept = set(paths), dict[str, bytes | None](), 0
    plain = Plain(chunks)
    for member in members(plain, "the base's files"):
        if member.node is None and member.link in found:
            is_same = wanted(member.path) == wanted(member.link)
            found[member.path] = found[member.link] if is_same else None
        elif member.path in asked and member.content is not None:
            found[member.path] = member.content
            kept += len(member.content)
        if kept > MAX_KEPT:
            raise RejectedFile(name=_SOURCE, problem=f"metadata takes more than {MAX_KEPT} bytes")
    plain.finish()
    missing = asked - found.keys()
    if missing:
        raise RejectedFile(name="the base's files", problem=f"lack /{min(missing)}")
    return found
