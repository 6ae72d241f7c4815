"""Alternatives: what the literal ``update-alternatives --install`` lines of postinsts come to.

The state files have the format of update-alternatives(1); every link is automatic, so the best
choice is the one with the highest priority.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ds01build.layers.deb.place import place
from ds01build.layers.root import made, shell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree

__all__ = ["entries", "unread"]

MAX_CHAIN = 5  # an alternative that is a choice of another one, and so on

_STATE = "var/lib/dpkg/alternatives"
_LINKS = "etc/alternatives"
_NAME = re.compile(r"[A-Za-z0-9_+:.@-]+")
_PATH = re.compile(r"(/[A-Za-z0-9_+:.@,=~%-]+)+")
_PRIORITY = re.compile(r"-?\d{1,9}")


class _Slave(NamedTuple):
    """A link that follows the choice of another one."""

    link: str
    name: str
    path: str


class _Install(NamedTuple):
    """One ``--install``, literally."""

    package: str
    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[_Slave, ...]


class _Choice(NamedTuple):
    """A file that a link may lead to, and the files of its slaves by name."""

    path: str
    priority: int
    slaves: dict[str, str]


@dataclass(slots=True)
class _Group:
    """All choices for one name; ``slaves`` are links by name."""

    link: str
    slaves: dict[str, str]
    choices: dict[str, _Choice]
    owner: str


def entries(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the links and state files of all alternatives, with the package that is first in each.

    A choice whose file does not exist is left out, as update-alternatives does; it may itself be an
    alternative.
    """
    installs = list(_literal(tree))
    whole, groups = tree, _groups(tree, installs)
    for _ in range(MAX_CHAIN):
        whole = tree.plus(entry for _, entry in _made(tree, whole, groups))
        known, groups = groups, _groups(whole, installs)
        if groups == known:
            break
    yield from _made(tree, whole, groups)


def _made(tree: Tree, whole: Tree, groups: dict[str, _Group]) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of ``groups``: ``whole`` has what exists, ``tree`` what packages ship."""
    for name, group in sorted(groups.items()):
        best = _best(group)
        for each, link, path in _links(name, group, best):
            where = place(link[1:])
            if whole.real(path) and where not in tree.stats:
                yield group.owner, made.link(where, f"/{_LINKS}/{each}")
                yield group.owner, made.link(f"{_LINKS}/{each}", path)
        yield group.owner, made.file(f"{_STATE}/{name}", _state(group))


def unread(script: str) -> bool:
    """Return whether ``script`` installs an alternative that only running it could tell."""
    return any(shell.UNKNOWN in words for words in _installs(script))


def _literal(tree: Tree) -> Iterator[_Install]:
    """Yield what the postinsts install, in the order of packages."""
    for deb in tree.debs:
        for words in _installs(deb.scripts.get("postinst", "")):
            install = _arguments(deb.name, words)
            if install:
                yield install


def _groups(tree: Tree, installs: list[_Install]) -> dict[str, _Group]:
    """Collect the choices that exist in ``tree``."""
    groups: dict[str, _Group] = {}
    for each in installs:
        if tree.real(each.path):
            group = groups.setdefault(each.name, _Group(each.link, {}, {}, each.package))
            group.slaves.update({row.name: row.link for row in each.slaves})
            files = {row.name: row.path for row in each.slaves}
            group.choices.setdefault(each.path, _Choice(each.path, each.priority, files))
    return groups


def _installs(script: str) -> Iterator[tuple[str, ...]]:
    if "--install" in script:
        for words in shell.commands(script):
            if words[0].endswith("update-alternatives") and "--install" in words:
                yield words[words.index("--install") + 1 :]


def _arguments(package: str, words: tuple[str, ...]) -> _Install | None:
    """Read LINK NAME PATH PRIORITY and the slaves; None where one of the four is not literal."""
    if len(words) < 4 or not _valid(*words[:3]) or not _PRIORITY.fullmatch(words[3]):  # noqa: PLR2004
        return None
    rest = words[4:]
    slaves = tuple(
        _Slave(*rest[at + 1 : at + 4])
        for at in range(0, len(rest) - 3, 4)
        if rest[at] == "--slave" and _valid(*rest[at + 1 : at + 4])
    )
    link, name, path = words[:3]
    return _Install(package, link, name, path, int(words[3]), slaves)


def _valid(link: str, name: str, path: str) -> bool:
    if not (_NAME.fullmatch(name) and _PATH.fullmatch(link) and _PATH.fullmatch(path)):
        return False
    return name not in (".", "..") and not {".", ".."} & {*link.split("/"), *path.split("/")}


def _best(group: _Group) -> _Choice:
    ordered = sorted(group.choices.values(), key=lambda choice: choice.path)
    return max(ordered, key=lambda choice: choice.priority)  # the first of equals


def _links(name: str, group: _Group, best: _Choice) -> Iterable[tuple[str, str, str]]:
    yield name, group.link, best.path
    for each, path in sorted(best.slaves.items()):
        yield each, group.slaves[each], path


def _state(group: _Group) -> str:
    slaves = sorted(group.slaves)
    lines = ["auto", group.link]
    for each in slaves:
        lines += [each, group.slaves[each]]
    lines.append("")
    for _, choice in sorted(group.choices.items()):
        lines += [choice.path, str(choice.priority), *(choice.slaves.get(s, "") for s in slaves)]
    return "\n".join([*lines, "", ""])
