"""An image's layers as one tree, streamed: nothing is extracted (OCI image-spec, layer.md).

Each layer is first read on its own; then what it hides of those below goes, and the rest of it is
laid over them. So the order of entries in a layer does not matter to its whiteouts, as the
specification asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ds01build.base.tree import ROOT, Node, Tree
from ds01build.base.unpack import Plain, unpacked
from ds01build.base.untar import members
from ds01build.base.wanted import MAX_KEPT, wanted
from ds01build.errors import Ds01Error, RejectedFile
from ds01build.target import MAX_LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ds01build.base.untar import Member
    from ds01build.layer import Layer

__all__ = ["MAX_ENTRIES", "read_layers", "read_tar"]

MAX_ENTRIES = 1_000_000  # of all layers of an image
MAX_UNPACKED = 256 << 30  # bytes
MAX_SECONDS = 3600.0
_LONG = 256  # characters

_WHITEOUT = ".wh."
_META = ".wh..wh."  # AUFS' own files, which engines pass over
_OPAQUE = ".wh..wh..opq"


class _Node:
    """A path of a tree in the making; ``node`` is None where no entry is of the path itself."""

    __slots__ = ("children", "content", "node", "want")

    def __init__(self, node: Node | None, content: bytes | None = None, path: str = "") -> None:
        self.node = node
        self.content = content
        self.want = wanted(path) if content is not None else None
        is_folder = node is None or node.kind == "directory"
        self.children: dict[str, _Node] | None = {} if is_folder else None


class _Budget:
    """What an image may still take."""

    __slots__ = ("_clock", "_end", "entries", "kept", "unpacked")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + MAX_SECONDS
        self.entries = MAX_ENTRIES
        self.unpacked = MAX_UNPACKED
        self.kept = MAX_KEPT

    def limited(self, chunks: Iterable[bytes], source: str) -> Iterator[bytes]:
        for chunk in chunks:
            self.unpacked -= len(chunk)
            if self.unpacked < 0:
                raise RejectedFile(name=source, problem=f"unpacks to more than {MAX_UNPACKED} B")
            if self._clock() > self._end:
                raise Ds01Error(f"{source}: the image was not read in {MAX_SECONDS:.0f} seconds")
            yield chunk

    def keep(self, content: bytes | None, source: str) -> None:
        self.kept -= len(content or b"")
        if self.kept < 0:
            raise RejectedFile(name=source, problem=f"metadata takes more than {MAX_KEPT} bytes")

    def count(self, path: str, source: str) -> None:
        """Count a path, and a long one as many."""
        self.entries -= 1 + len(path) // _LONG
        if self.entries < 0:
            raise RejectedFile(name=source, problem=f"the image has more than {MAX_ENTRIES} files")


class _Upper:
    """One layer by itself."""

    __slots__ = ("budget", "hidden", "linked", "opaque", "root", "source")

    def __init__(self, source: str, budget: _Budget) -> None:
        self.budget = budget
        self.source = source
        self.root = _Node(None)
        self.hidden: list[str] = []
        self.opaque: list[str] = []
        self.linked: list[tuple[_Node, str, str]] = []  # what, its path, and its target's

    def refuse(self, problem: str) -> NoReturn:
        raise RejectedFile(name=self.source, problem=problem)


def read_layers(
    layers: Iterable[tuple[Layer, Iterable[bytes]]], *, clock: Callable[[], float]
) -> Tree:
    """Return the tree of ``layers``, lowest first, each with the chunks of its stored stream.

    Every stream is read once and to its end. Raises MismatchError for a wrong digest or diff_id,
    RejectedFile for a layer that is malformed or too large; both name the layer. A directory that
    a layer only passes through stays as it is below, and is new as 0755, owned by root (engines
    differ here, and write no such layers). An entry
    below a link of a lower layer replaces the link, as in engines.
    """
    budget, lower = _Budget(clock), _Node(ROOT)
    for layer, chunks in layers:
        source = f"layer {layer.digest}"
        _lay(lower, _upper(budget.limited(unpacked(layer, chunks), source), source, budget))
    return _finished(lower)


def read_tar(chunks: Iterable[bytes], source: str, *, clock: Callable[[], float]) -> Tree:
    """Return the tree of one plain tar, such as an engine's export; ``source`` names it."""
    budget, lower = _Budget(clock), _Node(ROOT)
    _lay(lower, _upper(budget.limited(chunks, source), source, budget))
    return _finished(lower)


def _upper(chunks: Iterable[bytes], source: str, budget: _Budget) -> _Upper:
    plain, upper = Plain(chunks), _Upper(source, budget)
    for member in members(plain, source):
        budget.count(member.path, source)
        budget.keep(member.content, source)
        folder, _, name = member.path.rpartition("/")
        if _META in member.path and name != _OPAQUE:
            _check_meta(upper, member.path)
        elif _WHITEOUT in folder and any(p.startswith(_WHITEOUT) for p in folder.split("/")):
            upper.refuse(f"/{member.path!r:.100} lies below a whiteout")
        elif name == _OPAQUE:
            upper.opaque.append(folder)
        elif name.startswith(_WHITEOUT):
            _hide(upper, folder, name)
        elif name:
            _insert(upper, folder, name, member)
    plain.finish()
    return upper


def _check_meta(upper: _Upper, path: str) -> None:
    if not any(part.startswith(_META) for part in path.split("/")):
        upper.refuse(f"/{path!r:.100} holds a whiteout's name")


def _hide(upper: _Upper, folder: str, name: str) -> None:
    hidden = name.removeprefix(_WHITEOUT)
    if hidden in ("", ".", ".."):
        upper.refuse(f"/{folder}/{name} hides no file")
    upper.hidden.append(f"{folder}/{hidden}" if folder else hidden)


def _insert(upper: _Upper, folder: str, name: str, member: Member) -> None:
    children = _folder(upper, folder).children
    assert children is not None, "a folder"
    old = children.get(name)
    if member.node is None:
        children[name] = _hard_link(upper, member)
    elif member.node.kind == "directory" and old is not None and old.children is not None:
        old.node = member.node
    else:
        children[name] = _Node(member.node, member.content, member.path)


def _hard_link(upper: _Upper, member: Member) -> _Node:
    found = _at(upper.root, member.link)
    if found is not None and found.children is None:
        linked = _Node(found.node)
        _copy(found, linked, member.path)
        if found.node is not None and found.node.size < 0:
            upper.linked.append((linked, member.path, member.link))
        return linked
    linked = _Node(_UNKNOWN)
    upper.linked.append((linked, member.path, member.link))
    return linked


# Stands for the node of a hard link whose target is in a lower layer.
_UNKNOWN = Node("file", 0, 0, 0, -1)


def _copy(target: _Node, linked: _Node, path: str) -> None:
    linked.node = target.node
    is_same = wanted(path) == target.want
    linked.content, linked.want = (target.content, target.want) if is_same else (None, None)


def _folder(upper: _Upper, path: str) -> _Node:
    """Return the directory of the layer at ``path``, made where absent; its own links are followed.

    So does an engine that extracts the layer into a directory of its own.
    """
    trail = [upper.root]
    todo = path.split("/")[::-1] if path else []
    followed = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            trail = trail[:-1] or trail
            continue
        children = trail[-1].children
        assert children is not None, "a folder"
        if part not in children:
            upper.budget.count(path, upper.source)
            children[part] = _Node(None)
        found = children[part]
        if found.children is not None:
            trail.append(found)
            continue
        followed += 1
        node = found.node
        if node is None or node.kind != "symlink" or followed > MAX_LINKS:
            upper.refuse(f"/{path!r:.100} lies below what is not a directory")
        trail = [upper.root] if node.link.startswith("/") else trail
        todo.extend(reversed(node.link.split("/")))
    return trail[-1]


def _at(root: _Node, path: str) -> _Node | None:
    found: _Node | None = root
    for part in path.split("/") if path else ():
        found = found.children.get(part) if found is not None and found.children else None
    return found


def _lay(lower: _Node, upper: _Upper) -> None:
    for path in upper.opaque:
        folder = _at(lower, path)
        if folder is not None and folder.children:
            folder.children.clear()
    for path in upper.hidden:
        parent, _, name = path.rpartition("/")
        folder = _at(lower, parent)
        if folder is not None and folder.children:
            folder.children.pop(name, None)
    for linked, path, to in upper.linked:
        target = _target(upper, lower, to, linked)
        if target is None:
            upper.refuse(f"/{path!r:.100} is a hard link to /{to!r:.100}, which is no file")
        _copy(target, linked, path)
    _merge(lower, upper.root)


def _target(upper: _Upper, lower: _Node, path: str, linked: _Node) -> _Node | None:
    for root in (upper.root, lower):
        found = _at(root, path)
        if found is None or found is linked or found.children is not None:
            continue
        if found.node is not None and found.node is not _UNKNOWN:
            return found
    return None


def _merge(lower: _Node, upper: _Node) -> None:
    todo = [(lower, upper)]
    while todo:
        below, above = todo.pop()
        assert below.children is not None, "a folder"
        for name, new in (above.children or {}).items():
            old = below.children.get(name)
            if new.children is None or old is None or old.children is None:
                below.children[name] = new
            else:
                old.node = new.node or old.node
                todo.append((old, new))


def _finished(root: _Node) -> Tree:
    nodes: dict[str, Node] = {}
    contents: dict[str, bytes | None] = {}
    todo = [("", root)]
    while todo:
        path, found = todo.pop()
        node = nodes[path] = found.node or ROOT
        if node.kind == "file" and wanted(path) is not None:
            contents[path] = found.content
        prefix = f"{path}/" if path else ""
        todo.extend((prefix + name, child) for name, child in (found.children or {}).items())
    return Tree.of(nodes, contents)
