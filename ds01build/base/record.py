"""What a distribution's RECORD says is its own (PEP 376, PEP 627), as paths of the base."""

from __future__ import annotations

import csv
import posixpath
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from ds01build.base.tree import Tree

__all__ = ["fewest", "recorded"]

MAX_ROWS = 200_000
_CACHE = "__pycache__"


def recorded(tree: Tree, path: str, directory: str, data: str) -> frozenset[str] | None:
    """Return the files that RECORD of the .dist-info at ``path`` names and that are there.

    They are relative to the root, links of directories followed. None without a RECORD, and for
    one that names a path outside ``directory`` and ``data`` or is malformed.
    """
    text = tree.text(f"{path}/RECORD")
    if not text:
        return None
    site, prefix = tree.real(directory), tree.real(data)
    folders: dict[str, str | None] = {}
    found: set[str] = set()
    for name in _rows(text):
        folder, _, last = posixpath.join(directory, name).rpartition("/")
        inside = posixpath.normpath(posixpath.join(directory.lstrip("/"), name))
        if last in ("", ".", "..") or inside.startswith(".."):
            return None
        if folder not in folders:
            folders[folder] = tree.real(folder)
        real = folders[folder]
        if real is None:
            continue
        if not (_is_below(real, site) or _is_below(real, prefix)):
            return None
        place = f"{real}/{last}"
        if place in tree.nodes and tree.nodes[place].kind != "directory":
            found.add(place)
    return frozenset(found)


def _rows(text: str) -> Iterator[str]:
    """Yield the paths; a malformed RECORD ends in one that leads nowhere."""
    try:
        for count, row in enumerate(csv.reader(text.split("\n"), strict=True)):
            if count >= MAX_ROWS:
                yield ""
            if row:
                yield row[0]
    except csv.Error:
        yield ""


def _is_below(path: str, folder: str | None) -> bool:
    return bool(folder) and (path == folder or path.startswith(f"{folder}/"))


def fewest(tree: Tree, own: AbstractSet[str], site: str) -> tuple[str, ...]:
    """Return the fewest paths that hold the files ``own`` and nothing else, sorted.

    Directories are given only below ``site``. The bytecode of an own module is own too.
    """
    files = own | set(_bytecode(tree, own))
    whole = _whole(tree, files, site)
    paths = {_highest(path, whole) for path in files}
    return tuple(sorted(path for path in paths if path.isprintable()))


def _bytecode(tree: Tree, own: AbstractSet[str]) -> Iterator[str]:
    for folder in {path.rpartition("/")[0] for path in own if path.endswith(".py")}:
        cache = f"{folder}/{_CACHE}"
        for name in tree.children.get(cache, ()):
            if name.endswith(".pyc") and f"{folder}/{name.partition('.')[0]}.py" in own:
                yield f"{cache}/{name}"


def _whole(tree: Tree, files: AbstractSet[str], site: str) -> AbstractSet[str]:
    """Return the directories below ``site`` in which every file is one of ``files``."""
    counts = Counter(folder for path in files for folder in _folders(path, site))
    tops = {folder for folder in counts if folder.count("/") == site.count("/") + 1}
    whole: set[str] = set()
    for top in tops:
        totals: Counter[str] = Counter()
        for path in _leaves(tree, top):
            totals.update(_folders(path, site))
        whole |= {folder for folder, total in totals.items() if counts[folder] == total}
    return whole


def _folders(path: str, site: str) -> Iterator[str]:
    if path.startswith(f"{site}/"):
        folder = path.rpartition("/")[0]
        while len(folder) > len(site):
            yield folder
            folder = folder.rpartition("/")[0]


def _leaves(tree: Tree, top: str) -> Iterator[str]:
    todo = [top]
    while todo:
        path = todo.pop()
        if tree.nodes[path].kind == "directory":
            todo.extend(f"{path}/{name}" for name in tree.children.get(path, ()))
        else:
            yield path


def _highest(path: str, whole: AbstractSet[str]) -> str:
    found = path
    folder = path.rpartition("/")[0]
    while folder in whole:
        found, folder = folder, folder.rpartition("/")[0]
    return found
