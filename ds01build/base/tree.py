"""A base's file system as a value: every path, and the contents that facts are made of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from ds01build.errors import Ds01Error
from ds01build.target import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROOT", "Kind", "Node", "Tree"]

Kind = Literal["directory", "file", "symlink", "other"]

# What an engine puts into a container, whatever the image has there.
_VOLATILE = frozenset(
    {
        *("dev", "proc", "sys", ".dockerenv", "run/.containerenv"),
        *("etc/hosts", "etc/hostname", "etc/mtab", "etc/resolv.conf"),
    }
)


class Node(NamedTuple):
    """What is at a path; ``size`` is that of a file, ``link`` the target of a symlink as it is."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int = 0
    link: str = ""


# Engines make the root of every container anew, whatever a layer says of it.
ROOT = Node("directory", 0o755, 0, 0)


@dataclass(frozen=True, slots=True)
class Tree:
    """The paths of an image, relative to its root, which is the empty path.

    Names that are not UTF-8 hold surrogates (PEP 383). ``contents`` are those of the files that
    ``wanted`` picks, None where one was too large to be kept. What engines put over an image in a
    container (/dev, /proc, /sys, /etc/hosts and the like) is in no tree.
    """

    nodes: Mapping[str, Node]
    contents: Mapping[str, bytes | None]
    links: dict[str, str]
    children: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, nodes: Mapping[str, Node], contents: Mapping[str, bytes | None]) -> Tree:
        """Return the tree of ``nodes``, in which every parent is expected to be."""
        kept = {path: nodes[path] for path in sorted(nodes) if not _is_volatile(path)}
        kept[""] = ROOT
        children: defaultdict[str, list[str]] = defaultdict(list)
        for path in kept:
            folder, _, name = path.rpartition("/")
            if path:
                children[folder].append(name)
        return cls(
            kept,
            {path: content for path, content in contents.items() if path in kept},
            {path: node.link for path, node in kept.items() if node.kind == "symlink"},
            {folder: tuple(names) for folder, names in children.items()},
        )

    def real(self, path: str) -> str | None:
        """Return where ``path`` lies, every link on its way followed; None where nothing is."""
        try:
            found = resolve(path, self.links)
        except ValueError:
            return None
        return found if found in self.nodes else None

    def node(self, path: str) -> Node | None:
        """Return what ``path`` leads to, if anything."""
        real = self.real(path)
        return None if real is None else self.nodes[real]

    def has_file(self, path: str) -> bool:
        """Return whether ``path`` leads to a regular file."""
        node = self.node(path)
        return node is not None and node.kind == "file"

    def has_directory(self, path: str) -> bool:
        """Return whether ``path`` leads to a directory."""
        node = self.node(path)
        return node is not None and node.kind == "directory"

    def names(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in the directory that ``path`` leads to, if it does."""
        real = self.real(path)
        return () if real is None else self.children.get(real, ())

    def read(self, path: str) -> bytes | None:
        """Return the kept content of the file that ``path`` leads to, None where there is none.

        Raises Ds01Error for a file whose content should be there but was too large to be kept.
        """
        real = self.real(path)
        if real is None or real not in self.contents:
            return None
        content = self.contents[real]
        if content is None:
            raise Ds01Error(
                f"the base's /{real} cannot be read: it has {self.nodes[real].size} bytes, or is "
                "another name of a file that was not kept"
            )
        return content

    def text(self, path: str) -> str:
        """Return the content as text, without what is not UTF-8; empty where there is no file."""
        return (self.read(path) or b"").decode(errors="replace")


def _is_volatile(path: str) -> bool:
    return path in _VOLATILE or path.startswith(("dev/", "proc/", "sys/"))
