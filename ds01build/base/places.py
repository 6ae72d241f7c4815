"""The directories and links of a base that layers pass through."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ds01build.base.tree import ROOT
from ds01build.target import MAX_LINKS, STANDARD, Directory, Link, ancestors, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.base.facts import BaseFacts
    from ds01build.base.tree import Tree
    from ds01build.target import Schemes

__all__ = [
    "MAX_PLACES",
    "Places",
    "known_directories",
    "places_below",
    "places_of",
]

# Beyond this the deepest are left out: a layer that writes into one of those makes it 0755, root's.
MAX_PLACES = 2000
MAX_ALL = 5000

_SITE_DEPTH = 2
_DATA = {"": 1, "bin": 3, "etc": 3, "include": 3, "lib": 1, "man": 2, "sbin": 1, "share": 3}
_ALL_DEPTH = 5
_GENERATED = (".dist-info", ".egg-info", "__pycache__")


class Places(NamedTuple):
    """Directories that are not 0755 and root's, and links to directories; both sorted."""

    directories: tuple[Directory, ...]
    links: tuple[Link, ...]


def places_of(tree: Tree, schemes: Schemes) -> Places:
    """Return what lies on the way of ``schemes`` and, so far as wheels go there, below them.

    Below the directory of packages these are two levels, the second only where the first is no
    package of its own (has no __init__.py): nothing writes into another distribution's package.
    Below the data prefix: three levels of bin, etc, include and share, two of man, one of all else.
    """
    ways = {schemes.purelib, schemes.platlib, schemes.scripts, schemes.data, schemes.headers}
    near = {path for way in ways for path in _way(tree, way)}
    below = {path for way in {schemes.purelib, schemes.platlib} for path in _site(tree, way)}
    below |= set(_below(tree, tree.real(schemes.headers), 1))
    for name, depth in _DATA.items():
        below |= set(_below(tree, tree.real(f"{schemes.data}/{name}"), depth))
    return _places(tree, near, below, MAX_PLACES)


def places_below(tree: Tree) -> Places:
    """Return those of the whole base, five levels deep."""
    return _places(tree, {""}, set(_below(tree, "", _ALL_DEPTH)), MAX_ALL)


def known_directories(facts: BaseFacts) -> frozenset[str]:
    """Return what of a base is known to be a directory or a link to one, as far as facts tell.

    That is what has metadata of its own, what lies on the way to something, and what all have.
    """
    links = {link.path: link.to for link in facts.links}
    found = {each for directory in facts.directories for each in ancestors(directory.path)}
    ways = [path.rpartition("/")[0] for path in links]
    if facts.target is not None:
        schemes = facts.target.schemes
        ways += [schemes.purelib, schemes.platlib, schemes.scripts, schemes.data]
        links |= {link.path: link.to for link in facts.target.links}
        found |= {each.path for each in facts.target.directories}
    if facts.interpreter is not None:
        ways.append(facts.interpreter.path.rpartition("/")[0])
    for way in ways:
        found |= {*ancestors(way.strip("/"))}
        with suppress(ValueError):  # a link that leads nowhere
            found |= {*ancestors(resolve(way, links))}
    return STANDARD | found | links.keys()


def _places(tree: Tree, near: set[str], below: set[str], limit: int) -> Places:
    """Return the places among ``near`` and ``below``, and what the links among them lead to."""
    links = {path for path in near | below if path in tree.links}
    for path in links:
        near = near | set(_way(tree, path))
    named = sorted(near) + sorted(below - near, key=lambda path: (path.count("/"), path))
    kept = [path for path in named if path.isprintable() and _is_place(tree, path)][:limit]
    return Places(
        tuple(sorted(_directory(tree, path) for path in kept if path not in tree.links)),
        tuple(sorted(Link(path, tree.links[path]) for path in kept if path in tree.links)),
    )


def _is_place(tree: Tree, path: str) -> bool:
    node = tree.nodes.get(path)
    if node is None:
        return False
    if node.kind == "symlink":
        return node.link.isprintable() and tree.has_directory(path)
    return node.kind == "directory" and node[:4] != ROOT[:4]


def _directory(tree: Tree, path: str) -> Directory:
    node = tree.nodes[path]
    return Directory(path, node.mode, node.uid, node.gid)


def _way(tree: Tree, path: str) -> Iterator[str]:
    """Yield every directory and link that ``path`` passes through, itself included."""
    try:
        yield from _steps(path, tree.links)
    except ValueError:
        return


def _steps(path: str, links: dict[str, str]) -> Iterator[str]:
    resolve(path, links)  # raises for what the loop below could not walk
    done: list[str] = []
    todo = [part for part in reversed(path.split("/")) if part]
    budget = MAX_LINKS
    while todo and budget:
        part = todo.pop()
        if part == "..":
            done.pop()
            continue
        here = "/".join([*done, part])
        yield here
        to = links.get(here)
        if to is None:
            done.append(part)
            continue
        budget -= 1
        done = [] if to.startswith("/") else done
        todo.extend(step for step in reversed(to.split("/")) if step not in ("", "."))


def _site(tree: Tree, path: str) -> Iterator[str]:
    site = tree.real(path)
    for child in _below(tree, site, _SITE_DEPTH - 1):
        if not child.endswith(_GENERATED):
            yield child
            is_package = "__init__.py" in tree.children.get(child, ())
            yield from () if is_package else _below(tree, child, 1)


def _below(tree: Tree, path: str | None, depth: int) -> Iterator[str]:
    """Yield the directories and links at most ``depth`` levels below ``path``."""
    if path is None or not depth:
        return
    for name in tree.children.get(path, ()):
        child = f"{path}/{name}" if path else name
        if tree.nodes[child].kind in ("directory", "symlink"):
            yield child
            yield from _below(tree, child, depth - 1)
