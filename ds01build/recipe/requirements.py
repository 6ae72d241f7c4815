"""Requirement files that a Python tier includes: pip's requirements.txt and pyproject.toml."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ds01build.digest import Digest
from ds01build.errors import RecipeError
from ds01build.fields import TEXT_LIMIT, Fields, Issues, did_you_mean, load, single_line
from ds01build.grammar import (
    NEEDS_ENGINE,
    bound,
    package_name,
    relative_path,
    requirement,
    requirement_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ds01build.errors import Issue
    from ds01build.recipe.tiers import PythonTier

__all__ = ["Requirements", "expand", "gathered"]

FILE_LIMIT = 100  # files that one tier includes

_COMMENT = re.compile(r"(?:^|\s+)#.*")
_DIGEST = re.compile(r"\s--hash[=\s]\s*(\S*)")
_OPTION = re.compile(r"(-[A-Za-z]|--[a-z][a-z-]*)[=\s]*(.*)")
_INCLUDES = {"-r": "packages", "--requirement": "packages"}
_INCLUDES |= {"-c": "constraints", "--constraint": "constraints"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What requirement files come to, in normal form (PEP 508), each once, in their order.

    ``constraints`` limit versions without asking for a package. A package in ``digests`` may only
    be locked to a file that has one of its digests.
    """

    packages: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    digests: Mapping[str, tuple[Digest, ...]] = field(default_factory=dict)


def expand(tier: PythonTier, read: Callable[[str], str]) -> Requirements:
    """Read the requirements file of ``tier`` and what it includes.

    ``read`` returns the text of a file beneath the recipe's directory; it is never given an
    absolute path or one with ``..``, and what it raises passes through. Raises RecipeError with
    everything that is wrong, by file and line.
    """
    if not tier.requirements:
        return Requirements()
    found, issues = gathered(tier.requirements, read)
    if issues:
        raise RecipeError(source=f"tiers.{tier.name}.requirements", issues=issues)
    return found


def gathered(
    requirements: str, read: Callable[[str], str]
) -> tuple[Requirements, tuple[Issue, ...]]:
    """Do as ``expand`` does with a tier's ``requirements``, but return what is wrong with the rest.

    The path of an issue is ``FILE:LINE``, or that of a value in a pyproject.toml. There are no more
    than 100.
    """
    reading = _Reading(read)
    path, _, extras = requirements.partition("[")
    if posixpath.basename(path) == "pyproject.toml":
        _read_project(reading, path, [each for each in extras.rstrip("]").split(",") if each])
    else:
        _read_lines(reading, path, "packages", ())
    found = Requirements(
        packages=tuple(reading.lines["packages"]),
        constraints=tuple(reading.lines["constraints"]),
        digests={name: tuple(sorted(each)) for name, each in sorted(reading.digests.items())},
    )
    return found, reading.issues.found()


@dataclass(slots=True)
class _Reading:
    """What has been read so far: requirements by use, as ordered sets."""

    read: Callable[[str], str]
    issues: Issues = field(default_factory=Issues)
    lines: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    digests: dict[str, set[Digest]] = field(default_factory=lambda: defaultdict(set))
    done: set[tuple[str, str]] = field(default_factory=set)  # path and use

    def text(self, path: str) -> str:
        text = self.read(path).removeprefix("\ufeff")
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"longer than {TEXT_LIMIT} characters")
        return text


def _read_lines(reading: _Reading, path: str, use: str, trail: tuple[str, ...]) -> None:
    """Read a requirements.txt whose lines are for ``use``; ``trail`` are the files around it."""
    if (path, use) in reading.done:
        return
    reading.done.add((path, use))
    with reading.issues.noting(path):
        for number, line in _logical_lines(reading.text(path)):
            with reading.issues.noting(f"{path}:{number}"):
                _read_line(reading, line, use, (*trail, path))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield what pip takes for a line: joined where a backslash ends it, without comments.

    Each has the number of its first line; empty ones are left out.
    """
    joined, start = "", 1
    for number, raw in enumerate(re.split(r"\r?\n", text), 1):
        comment = _COMMENT.match(raw)
        start = start if joined else number
        joined += f" {raw}" if comment else raw.removesuffix("\\")
        if comment or not raw.endswith("\\"):
            if line := _COMMENT.sub("", joined).strip():
                yield start, line
            joined = ""
    if joined:
        raise ValueError("the last line is continued by a backslash, but nothing follows")


def _read_line(reading: _Reading, line: str, use: str, trail: tuple[str, ...]) -> None:
    option = _OPTION.fullmatch(line)
    if option and option[1] in _INCLUDES:
        _include(reading, option[2], _INCLUDES[option[1]], trail)
        return
    if option and option[1] not in {"-e", "--editable"}:
        raise ValueError(f"the option {option[1]!r:.50} {_advice(option[1])}")
    form = bound if use == "constraints" else requirement
    wanted = form(single_line(_DIGEST.sub("", line).replace("\t", " ")).strip())
    reading.lines[use][wanted] = None
    for digest in map(_digest, _DIGEST.findall(line)):
        reading.digests[requirement_name(wanted)].add(digest)


def _include(reading: _Reading, target: str, use: str, trail: tuple[str, ...]) -> None:
    if "://" in target:
        raise ValueError("only files beneath the recipe's directory are included")
    beside = posixpath.dirname(trail[-1])
    path = relative_path(posixpath.normpath(posixpath.join(beside, single_line(target))))
    if path in trail:
        around = " -> ".join((*trail[trail.index(path) :], path))
        raise ValueError(f"the file includes itself: {around}")
    if len(reading.done) >= FILE_LIMIT:
        raise ValueError(f"more than {FILE_LIMIT} files are included")
    _read_lines(reading, path, use, trail)


def _advice(option: str) -> str:
    """Say what to do about an option of pip; its value may hold credentials and is not shown."""
    if option in {"-i", "--index-url", "--extra-index-url"}:
        return "does not belong here: set index-url or extra-index-urls in [resolve]"
    if option == "--pre":
        return 'does not belong here: set prerelease = "allow" in [resolve]'
    return "is not supported; requirements, -r and -c are"


def _digest(text: str) -> Digest:
    algorithm, _, value = text.partition(":")
    if algorithm != "sha256":
        raise ValueError(f"only sha256 is checked, not {algorithm!r:.50}")
    return Digest(f"sha256:{value.lower()}")


def _read_project(reading: _Reading, path: str, extras: list[str]) -> None:
    """Read the dependencies of a pyproject.toml, and those of ``extras`` (PEP 621)."""
    with reading.issues.noting(path):
        project = load(reading.text(path)).get("project")
        if not isinstance(project, dict):
            raise ValueError("has no [project] table")  # noqa: TRY004  (what noting takes)
        wanted = _dependencies(Fields(project, f"{path}:project", reading.issues), extras)
        reading.lines["packages"] = dict.fromkeys(wanted)


def _dependencies(project: Fields, extras: list[str]) -> Iterator[str]:
    for key in project.texts("dynamic", str):
        if key in {"dependencies", "optional-dependencies"}:
            project.report(f"what {key} holds {NEEDS_ENGINE}", "dynamic")
    own = project.required("name", package_name)
    wanted = project.texts("dependencies", requirement)
    return _flattened(own, wanted, extras, project.table("optional-dependencies"))


def _flattened(
    own: str, requirements: Sequence[str], extras: Sequence[str], optional: Fields
) -> Iterator[str]:
    """Yield requirements, then those of ``extras``, which may name each other through ``own``."""
    spelled: dict[str, str] = {canonicalize_name(name): name for name in optional.names()}
    todo: list[str | frozenset[str]] = [frozenset(extras), *reversed(requirements)]
    done = set[str]()
    while todo:
        wanted = todo.pop()
        if isinstance(wanted, str) and requirement_name(wanted) != own:
            yield wanted
            continue
        asked = _extras(wanted, optional) if isinstance(wanted, str) else wanted
        for extra in sorted(asked - done, reverse=True):
            done.add(extra)
            if extra not in spelled:
                near = did_you_mean(extra, spelled)
                optional.report(f"the project has no extra {extra!r}{near}")
            else:
                todo += optional.texts(spelled[extra], requirement)[::-1]


def _extras(wanted: str, optional: Fields) -> frozenset[str]:
    """Return the extras of the project itself that one of its requirements asks for."""
    parsed = Requirement(wanted)
    if parsed.marker:
        optional.report(f"{wanted!r:.100}: the project's own extras cannot have a marker")
    return frozenset(parsed.extras)
