"""Reads requirements.txt and pyproject.toml: what they ask for, and what a recipe cannot have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, UsageError
from ds01build.fields import Fields, Issues, did_you_mean, load
from ds01build.grammar import package_name, requirement, requirement_name
from ds01build.importing.draft import Draft, Included, Slice, noted
from ds01build.quantities import counted
from ds01build.recipe.requirements import gathered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ds01build.errors import Issue
    from ds01build.importing.draft import Note
    from ds01build.recipe.requirements import Requirements

__all__ = ["included", "read_project", "read_requirements", "refusals", "tier_of"]

MAX_DEPTH = 16  # of groups that include groups
MAX_REFUSED = 100  # lines of one source; with more of them it is something else

_OPTION = re.compile(r"--?[A-Za-z][a-z-]*")
_NAMING = ("-e", "--editable", "-r", "--requirement", "-c", "--constraint")
_LINE = re.compile(r"(.*?):([0-9]{1,7})")
_RESERVED = frozenset({"base", "system", "jupyter", "data-science", "use-case", "custom"})


def read_requirements(file: str, read: Callable[[str], str]) -> Draft:
    """Read a requirements.txt and what it includes; ``read`` returns files beneath its directory.

    Raises Ds01Error where most of it is none, and what ``read`` raises.
    """
    found = included(file, read, lambda path: path)
    stem = re.sub(r"\.[a-z]+\Z", "", file.rpartition("/")[2].lower())
    notes = found.notes if not found.whole else ()
    each = Slice(tier=tier_of(stem, "requirements"), kind="python", included=found)
    return Draft(slices=(each,), notes=notes)


def read_project(
    file: str, read: Callable[[str], str], extras: Sequence[str], groups: Sequence[str]
) -> Draft:
    """Read the dependencies of a pyproject.toml (PEP 621), those of its ``extras`` and ``groups``.

    Groups are dependency groups (PEP 735). Extras and groups that are not asked for are noted.
    Raises UsageError for one that is not there, and Ds01Error.
    """
    document = _loaded(file, read)
    project = document.get("project")
    table = project if isinstance(project, dict) else {}
    optional = table.get("optional-dependencies")
    known = {
        "extra": [*optional] if isinstance(optional, dict) else [],
        "group": [*grouped]
        if isinstance(grouped := document.get("dependency-groups"), dict)
        else [],
    }
    wanted = {"extra": [*map(_named, extras)], "group": [*map(_named, groups)]}
    for kind, names in wanted.items():
        _require(file, kind, names, known[kind])
    suffix = f"[{','.join(sorted({*wanted['extra']}))}]" if extras else ""
    slices = [_project_slice(file, read, suffix)] if isinstance(project, dict) else []
    in_groups, issues = _groups(document, wanted["group"])
    name = table.get("name")
    return Draft(
        name=name if isinstance(name, str) else "",
        slices=(*slices, *in_groups),
        notes=(
            *(
                note
                for each in slices
                if each.included
                for note in each.included.notes
                if not each.included.whole
            ),
            *refusals(file, issues),
            *_left(file, known, wanted),
            *_tools(file, document),
        ),
    )


def included(file: str, read: Callable[[str], str], place: Callable[[str], str]) -> Included:
    """Read a requirements file of another source; ``place`` says what messages call a file.

    Bounds of packages that it asks for are kept beside these. Raises Ds01Error.
    """
    texts: dict[str, str] = {}

    def remember(path: str) -> str:
        texts[path] = read(path)
        return texts[path]

    found, issues = gathered(file, remember)
    source = place(file.partition("[")[0])
    notes = (*refusals(source, issues, texts), *_lost(source, found))
    return Included(path=file, packages=tuple(_with_bounds(found)), notes=notes, whole=not issues)


def refusals(
    source: str, issues: Sequence[Issue], texts: Mapping[str, str] | None = None
) -> Iterator[Note]:
    """Yield what of ``source`` is not carried over, by line where issues have one.

    ``texts`` are those of the files whose lines are shown. Raises Ds01Error where there is more of
    it than is worth listing.
    """
    if len(issues) >= MAX_REFUSED:
        raise Ds01Error(
            f"{source}: {MAX_REFUSED} lines and more cannot be carried over; the first is "
            f"{issues[0].path}: {issues[0].problem}"
        )
    for issue in issues:
        match = _LINE.fullmatch(issue.path)
        where, line = (match[1], int(match[2])) if match else (source, 0)
        text = _refused((texts or {}).get(where, ""), line) if match else issue.path
        file, colon, path = issue.path.partition(":")
        if colon and not match:
            text = f"{text} {_value((texts or {}).get(file, ''), path)}".strip()
        yield noted("dropped", where, line, text, issue.problem)


def _value(text: str, path: str) -> str:
    """Return the string that a path such as ``project.dependencies[1]`` leads to, else nothing."""
    try:
        found: object = load(text)
    except ValueError:
        return ""
    for key in re.findall(r"[^.\[\]]+", path):
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return ""
    return found if isinstance(found, str) else ""


def _refused(text: str, number: int) -> str:
    """Return what of a line is not carried over; an option of pip alone: its value may be secret.

    That of one which names a file or a project is none.
    Where a requirement is carried over, it is its hashes that are not.
    """
    line = next(iter(re.split(r"\r?\n", text)[number - 1 : number]), "").strip()
    option = _OPTION.match(line)
    if option and option[0] not in _NAMING:
        return option[0]
    if option:
        return line
    bare, mark, hashes = line.partition("--hash")
    try:
        requirement(bare.strip())
    except ValueError:
        return line
    return f"{mark}{hashes}" if mark else line


def tier_of(stem: str, fallback: str) -> str:
    """Return the name of the tier for a file: its own where it can be one."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:48]
    if not name:
        return fallback
    return f"{name}-{fallback}" if name in _RESERVED else name


def _loaded(file: str, read: Callable[[str], str]) -> dict[str, object]:
    try:
        return load(read(file))
    except ValueError as error:
        raise Ds01Error(f"{file}: {error}") from error


def _project_slice(file: str, read: Callable[[str], str], suffix: str) -> Slice:
    return Slice(
        tier="project",
        kind="python",
        included=included(f"{file}{suffix}", read, lambda path: path),
    )


def _with_bounds(found: Requirements) -> Iterator[str]:
    asked = {requirement_name(each) for each in found.packages}
    yield from found.packages
    yield from (each for each in found.constraints if requirement_name(each) in asked)


def _lost(source: str, found: Requirements) -> Iterator[Note]:
    """Yield what is lost of a file whose requirements are copied."""
    asked = {requirement_name(each) for each in found.packages}
    for bound in found.constraints:
        if requirement_name(bound) not in asked:
            reason = "a bound of what others may need: only a file below the recipe can have it"
            yield noted("dropped", source, 0, bound, reason)
    if found.digests:
        what = f"hashes of {counted(len(found.digests), 'package')}"
        yield noted("changed", source, 0, what, "a lock has the hashes of what it chooses")


def _require(file: str, kind: str, wanted: Sequence[str], known: Iterable[str]) -> None:
    names = [*map(_named, known)]
    for name in wanted:
        if name not in names:
            there = f"; it has {', '.join(names)}" if names else ""
            near = did_you_mean(name, names) or there
            raise UsageError(f"{file} has no {kind} {name!r:.100}{near}")


def _named(text: str) -> str:
    try:
        return package_name(text)
    except ValueError:
        return text


def _groups(
    document: dict[str, object], wanted: Sequence[str]
) -> tuple[list[Slice], tuple[Issue, ...]]:
    issues = Issues()
    table = Fields(document, "", issues).table("dependency-groups")
    spelled = {_named(name): name for name in table.names()}
    slices = []
    for name in wanted:
        packages = dict.fromkeys(_group(table, spelled, name, issues, ()))
        slices.append(Slice(tier=tier_of(name, "group"), kind="python", packages=tuple(packages)))
    return slices, issues.found()


def _group(
    table: Fields, spelled: dict[str, str], name: str, issues: Issues, trail: tuple[str, ...]
) -> Iterator[str]:
    """Yield the requirements of a group, those of groups that it includes in their place."""
    at = f"dependency-groups.{name}"
    if name in trail or len(trail) >= MAX_DEPTH:
        issues.add(at, "the group includes itself")
        return
    for entry in table.items(spelled[name], _entry):
        if isinstance(entry, str):
            with issues.noting(at):
                yield requirement(entry)
        elif entry.name in spelled:
            yield from _group(table, spelled, entry.name, issues, (*trail, name))
        else:
            issues.add(at, f"there is no group {entry.name!r:.100}")


@dataclass(frozen=True, slots=True)
class _Include:
    """A group in the place of a requirement."""

    name: str


def _entry(value: object) -> str | _Include:
    if isinstance(value, dict) and [*value] == ["include-group"]:
        return _Include(_named(str(value["include-group"])))
    if not isinstance(value, str):
        raise ValueError("neither a requirement nor an include-group")  # noqa: TRY004
    return value


def _left(file: str, known: dict[str, list[str]], wanted: dict[str, list[str]]) -> Iterator[Note]:
    for kind, names in known.items():
        for name in names:
            if _named(name) not in wanted[kind]:
                yield noted("dropped", file, 0, f"{kind} {name}", f"not asked for: --{kind} {name}")


def _tools(file: str, document: dict[str, object]) -> Iterator[Note]:
    """Yield what only other tools read of a project."""
    if "build-system" in document:
        reason = "what the project needs is in the image, and its own code where it is mounted"
        yield noted("dropped", file, 0, "the project itself", reason)
    project = document.get("project")
    if isinstance(project, dict) and isinstance(bound := project.get("requires-python"), str):
        yield noted(
            "dropped", file, 0, f"requires-python {bound}", "the base decides on its Python"
        )
    tools = document.get("tool")
    named = tools if isinstance(tools, dict) else {}
    yield from _ours(file, named.get("ds01"))
    for tool, key in (("poetry", "dependencies"), ("uv", "sources"), ("pdm", "dev-dependencies")):
        table = named.get(tool)
        if isinstance(table, dict) and key in table:
            reason = "only that tool reads it: write it as dependencies of [project] (PEP 621)"
            yield noted("dropped", file, 0, f"tool.{tool}.{key}", reason)


def _ours(file: str, table: object) -> Iterator[Note]:
    """Yield what DS01 says of a project: a recipe names its base and its tiers instead."""
    told = {
        "type": "a bundle of that name, in a Python tier, has the packages of a use case",
        "image": "--base REF names what the recipe stands on",
    }
    for key, reason in told.items():
        if isinstance(table, dict) and isinstance(value := table.get(key), str) and value:
            yield noted("dropped", file, 0, f"tool.ds01.{key} {value}", reason)
