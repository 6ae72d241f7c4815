"""What was installed by hand in a container, from the paths that differ from those of its image.

Only what an index or an archive has can be asked for by name: the rest is noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from packaging.utils import canonicalize_name

from ds01build.base.distributions import distributions
from ds01build.base.system import debs
from ds01build.base.tree import Node, Tree
from ds01build.grammar import deb, requirement
from ds01build.importing.draft import Draft, Slice, noted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ds01build.base.facts import Deb, Distribution
    from ds01build.importing.draft import Note

__all__ = ["STATES", "STATUS", "Change", "Found", "by_hand", "concerns", "metadata_of"]

STATUS = "var/lib/dpkg/status"
STATES = "var/lib/apt/extended_states"

# Where a Python looks for distributions, whatever its prefix is: an image's, a user's, a venv's.
_METADATA = re.compile(
    r"(?P<folder>(?:(?P<prefix>.+)/)?lib/python3(?:\.[0-9]{1,2})?/(?:site|dist)-packages)/"
    r"(?P<stem>[A-Za-z0-9][A-Za-z0-9._+!-]{0,250})\.(?:dist|egg)-info(?:/(?P<file>[A-Za-z_.-]+))?"
)
_STATE = re.compile(r"Package: ([a-z0-9][a-z0-9+.-]+)")
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class Change(NamedTuple):
    """A path that differs from the image's, relative to the root; of a directory, all below it."""

    kind: Literal["modified", "added", "deleted"]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read of a container. ``contents`` are its files, by paths relative to the root.

    ``image_status`` is dpkg's status of the image, empty where the container's is the same.
    """

    source: str  # what messages call the container
    changes: tuple[Change, ...] = field(repr=False)
    contents: Mapping[str, bytes | None] = field(repr=False)
    image_status: bytes = field(default=b"", repr=False)


def concerns(path: str) -> bool:
    """Say whether a path that differs says anything of what was installed."""
    return "-info" in path or path.endswith("/pyvenv.cfg") or path in (STATUS, STATES)


def metadata_of(changes: Iterable[Change]) -> tuple[str, ...]:
    """Return the directories of metadata that were added, sorted: all that has to be read."""
    matches = (_METADATA.fullmatch(each.path) for each in changes if each.kind == "added")
    found = (match for match in matches if match and match["file"] in ("METADATA", "PKG-INFO"))
    return tuple(sorted({match[0].rpartition("/")[0] for match in found}))


def by_hand(found: Found, *, everything: bool) -> Draft:
    """Return what somebody asked for in the container, each in the version that it has there.

    What came along with that is for a lock to choose, and is noted; with ``everything`` it is asked
    for as well. Raises Ds01Error for files that are too large.
    """
    notes: list[Note] = []
    python = tuple(_python(found, notes, everything=everything))
    system = tuple(_system(found, notes, everything=everything))
    slices = (
        Slice(tier="system", kind="apt", packages=system),
        Slice(tier="custom", kind="python", packages=python),
    )
    return Draft(slices=tuple(each for each in slices if each.packages), notes=tuple(notes))


def _python(found: Found, notes: list[Note], *, everything: bool) -> Iterator[str]:
    marks = _marks(found.changes)
    environments = _environments(found.changes)
    there = _distributions(found, environments, notes)
    own = [each for each in there if not _is_in(each.directory, environments)]
    for prefix in environments:
        reason = "a virtual environment: the image's own Python does not look there"
        notes.append(noted("dropped", found.source, 0, f"/{prefix}", reason))
    asked = {each.name for each in own if "REQUESTED" in marks.get((each.directory, each.name), ())}
    along = frozenset() if everything else _needed(own, asked)
    for each in own:
        shown = f"{each.name} {each.version}"
        if "direct_url.json" in marks.get((each.directory, each.name), ()):
            reason = "not from an index: ask for NAME @ URL, with what it was installed from"
            notes.append(noted("dropped", found.source, 0, shown, reason))
        elif each.name in along:
            notes.append(noted("done", found.source, 0, shown, "others need it: a lock chooses it"))
        else:
            yield from _pinned(found.source, each, notes)
    notes.extend(_removed(found, {each.name for each in own}))


def _pinned(source: str, each: Distribution, notes: list[Note]) -> Iterator[str]:
    try:
        yield requirement(f"{each.name}=={each.version}")
    except ValueError as error:
        notes.append(noted("dropped", source, 0, f"{each.name} {each.version}", str(error)))


def _distributions(
    found: Found, environments: Sequence[str], notes: list[Note]
) -> tuple[Distribution, ...]:
    """Return the distributions that were added; those that nothing can be made of are noted."""
    files: dict[str, dict[str, bytes | None]] = {}
    for path, content in found.contents.items():
        files.setdefault(path.rpartition("/")[0], {})[path] = content
    there: list[Distribution] = []
    for folder in _recorded(found.changes):
        own = files.get(folder, {})
        read = distributions(_tree(own), [f"/{folder.rpartition('/')[0]}"], held=(), data="/")
        there += read
        if not read and not _is_in(f"/{folder}", environments):
            reason = "its METADATA is of no package" if own else "it has no METADATA that is a file"
            notes.append(noted("dropped", found.source, 0, f"/{folder}", reason))
    return tuple(sorted(there))


def _recorded(changes: Iterable[Change]) -> tuple[str, ...]:
    """Return what was added as the metadata of a distribution, of whatever type it is, sorted."""
    matches = (_METADATA.fullmatch(each.path) for each in changes if each.kind == "added")
    found = (match for match in matches if match)
    return tuple(sorted({m[0].rpartition("/")[0] if m["file"] else m[0] for m in found}))


def _tree(contents: Mapping[str, bytes | None]) -> Tree:
    """Return a tree of nothing but these files and what they lie in."""
    nodes = {path: Node("file", 0o644, 0, 0, len(text or b"")) for path, text in contents.items()}
    for path in contents:
        parts = path.split("/")[:-1]
        for count in range(len(parts)):
            nodes.setdefault("/".join(parts[: count + 1]), Node("directory", 0o755, 0, 0))
    return Tree.of(nodes, contents)


def _marks(changes: Iterable[Change]) -> dict[tuple[str, str], set[str]]:
    """Return the names of the files of metadata, by directory and distribution."""
    marks: dict[tuple[str, str], set[str]] = {}
    for change in changes:
        match = _METADATA.fullmatch(change.path)
        if match and match["file"] and change.kind != "deleted":
            key = f"/{match['folder']}", _name(match["stem"])
            marks.setdefault(key, set()).add(match["file"])
    return marks


def _environments(changes: Iterable[Change]) -> tuple[str, ...]:
    """Return the prefixes of virtual environments that were made in the container."""
    suffix = "/pyvenv.cfg"
    paths = (each.path for each in changes if each.kind == "added")
    return tuple(sorted(path.removesuffix(suffix) for path in paths if path.endswith(suffix)))


def _is_in(directory: str, prefixes: Sequence[str]) -> bool:
    return any(directory.startswith(f"/{prefix}/") for prefix in prefixes)


def _needed(every: Sequence[Distribution], asked: set[str]) -> frozenset[str]:
    """Return what the packages that were asked for need, and others of these in turn."""
    needs = {each.name: {*map(_required, each.requires)} for each in every}
    found: set[str] = set()
    todo = list(asked)
    while todo:
        new = (needs.get(todo.pop(), set()) & needs.keys()) - found - asked
        found |= new
        todo += sorted(new)
    return frozenset(found)


def _required(requirement: str) -> str:
    match = _NAME.match(requirement)
    return str(canonicalize_name(match[1])) if match else ""


def _removed(found: Found, there: set[str]) -> Iterator[Note]:
    for each in found.changes:
        match = _METADATA.fullmatch(each.path) if each.kind == "deleted" else None
        if match and not match["file"] and _name(match["stem"]) not in there:
            name = _name(match["stem"])
            reason = f'removed by hand: exclude = ["{name}"] in [resolve] keeps it out of tiers'
            yield noted("dropped", found.source, 0, match["stem"], reason)


def _name(stem: str) -> str:
    """Return the name in NAME-VERSION, where a name has no hyphen of its own (PEP 427, 491)."""
    name, hyphen, _ = stem.rpartition("-")
    return str(canonicalize_name(name if hyphen else stem))


def _system(found: Found, notes: list[Note], *, everything: bool) -> Iterator[str]:
    now = found.contents.get(STATUS)
    if now is None or not found.image_status:
        return
    before = {(each.name, each.architecture): each.version for each in _debs(found.image_status)}
    states = (found.contents.get(STATES) or b"").decode(errors="replace")
    automatic = frozenset() if everything else frozenset(_automatic(states))
    after = _debs(now)
    for each in after:
        if before.pop((each.name, each.architecture), "") == each.version:
            continue
        shown = f"{each.name} {each.version}"
        if each.name in automatic:
            notes.append(noted("done", found.source, 0, shown, "others need it: a lock chooses it"))
            continue
        try:
            yield deb(f"{each.name}={each.version}")
        except ValueError as error:
            notes.append(noted("dropped", found.source, 0, shown, str(error)))
    for name, _ in before:
        if name not in {each.name for each in after}:
            reason = "removed by hand, and a tier only adds: the base has it"
            notes.append(noted("dropped", found.source, 0, name, reason))


def _automatic(states: str) -> Iterator[str]:
    """Yield the packages that apt installed because others need them (apt-mark(8))."""
    for stanza in states.split("\n\n"):
        lines = stanza.splitlines()
        match = _STATE.fullmatch(next(iter(lines), ""))
        if match and "Auto-Installed: 1" in lines:
            yield match[1]


def _debs(status: bytes) -> Sequence[Deb]:
    return debs(_tree({STATUS: status}))[0]
