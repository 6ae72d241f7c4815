"""What a site says of limits: resource-limits.yaml and the files beside it, each as a value.

Other programs of the site read these files, too. So what they have and ds01 does not know is
warned of, and what is wrong with anything that it knows is an error, with its place.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.fields import Issues, below, did_you_mean
from ds01build.limits.bounds import AGGREGATE, BOUNDS, IGNORED
from ds01build.limits.document import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ds01build.limits.bounds import Value

__all__ = [
    "FALLBACK",
    "Group",
    "Rules",
    "Section",
    "Setting",
    "members_in",
    "overrides_in",
    "rules_in",
    "wrong",
]

_KNOWN = {name: bound for bound in BOUNDS for name in bound.names}
_PREFIX = f"{AGGREGATE}."
# Also a part of the names of a file and of a slice, in which '-' stands between levels.
_GROUP = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_][A-Za-z0-9_.]*(?:-[A-Za-z0-9_.]+)*")
_DRIVERS = ("systemd", "cgroupfs")
_READ = ("defaults", "default_group", "groups", "user_overrides", "enforcement")
_NUMBERS = ("policies", "container_types")  # of other programs, but wrong numbers are told
_LEFT = (
    "access_control",
    "advanced",
    "bare_metal_access",
    "gpu_allocation",
    "monitoring",
    "wizard",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value of a file, and where it stands."""

    value: Value
    source: str  # the file
    path: str  # dotted, as groups.student.memory

    def __str__(self) -> str:
        return f"{self.source}: {self.path}"


Section = dict[str, Setting]  # by key as it is written; those of aggregate as aggregate.KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """People who have the same limits. Members are logins, or names made of them."""

    name: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that a site says of limits."""

    source: str  # the file; empty where there is none
    defaults: Mapping[str, Setting] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()  # in the order of the file: who is in two is in the first
    overrides: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)  # by user
    default_group: str = "student"
    has_slices: bool = False  # containers of a user are below a slice of systemd
    warnings: tuple[str, ...] = ()

    def joined(self, members: Mapping[str, frozenset[str]]) -> Rules:
        """Return these rules with more members of groups, by their names."""
        groups = tuple(
            replace(each, members=each.members | members.get(each.name, frozenset()))
            for each in self.groups
        )
        return replace(self, groups=groups)

    def overriding(self, other: Rules) -> Rules:
        """Return these rules with the users of ``other``, which come in the place of their own."""
        overrides = {**self.overrides, **other.overrides}
        return replace(self, overrides=overrides, warnings=self.warnings + other.warnings)


FALLBACK = Rules(
    source="",
    # Where nobody shares a machine out, nobody counts, and a whole GPU is no privilege.
    defaults={
        "allow_full_gpu": Setting(value=True, source="", path=""),
        "max_containers_per_user": Setting(value=None, source="", path=""),
    },
)


def rules_in(source: str, text: str) -> Rules:
    """Return what a resource-limits.yaml says. Raises Ds01Error with all that is wrong with it."""
    reading = _Reading(source)
    document = reading.document(text)
    for key in document:
        if key not in (*_READ, *_NUMBERS, *_LEFT):
            reading.warnings.add(below("", key), f"unknown section{did_you_mean(key, _READ)}")
    for key in _NUMBERS:
        reading.numbers(reading.table(document.get(key), key), key)
    groups = tuple(reading.groups(reading.table(document.get("groups"), "groups")))
    default = reading.default_group(document.get("default_group"))
    if groups and default not in {each.name for each in groups}:
        reading.warnings.add("default_group", f"there is no group {default!r:.100}")
    return reading.finished(
        Rules(
            source=source,
            defaults=reading.section(document.get("defaults"), "defaults"),
            groups=groups,
            overrides=reading.users(document.get("user_overrides"), "user_overrides"),
            default_group=default,
            has_slices=reading.has_slices(document.get("enforcement")),
        )
    )


def overrides_in(source: str, text: str) -> Rules:
    """Return rules with nothing but the users of a user-overrides.yaml. Raises Ds01Error."""
    reading = _Reading(source)
    return reading.finished(
        Rules(source=source, overrides=reading.users(reading.document(text), ""))
    )


def members_in(text: str) -> frozenset[str]:
    """Return the users of a file GROUP.members: one in each line, and '#' begins a comment."""
    names = (line.partition("#")[0].strip() for line in text.splitlines())
    return frozenset(filter(None, names))


def wrong(problems: Iterable[str], sources: Iterable[str]) -> Ds01Error:
    """Return the error for what is wrong in files of limits, with what helps."""
    files = shlex.join(sorted(set(sources)))
    return Ds01Error(
        "\n".join(problems),
        hint=f"who administers this machine puts {files} right;"
        " DS01_LIMITS=FILE ds01 limits show tries another one out",
    )


class _Reading:
    """Reads one file, and collects what is wrong with it and what is strange."""

    __slots__ = ("issues", "source", "warnings")

    def __init__(self, source: str) -> None:
        self.source = source
        self.issues = Issues()
        self.warnings = Issues()

    def document(self, text: str) -> Mapping[str, object]:
        try:
            return self.table(load(text), "")
        except ValueError as error:
            self.issues.add("", str(error))
            return {}

    def finished(self, rules: Rules) -> Rules:
        """Return ``rules`` with what is strange, or raise Ds01Error with what is wrong."""
        if found := self.issues.found():
            raise wrong((f"{self.source}: {issue}" for issue in found), [self.source])
        strange = tuple(f"{self.source}: {each}" for each in self.warnings.found())
        return replace(rules, warnings=strange)

    def table(self, value: object, path: str) -> Mapping[str, object]:
        """Return a table; one whose lines are all comments is null, and empty."""
        if value is not None and not isinstance(value, dict):
            self.issues.add(path, "expected a table")
        return value if isinstance(value, dict) else {}

    def section(self, value: object, path: str) -> Section:
        """Return what a section limits, by the keys that it has."""
        found = {}
        table = self.table(value, path)
        aggregate = self.table(table.get(AGGREGATE), f"{path}.{AGGREGATE}")
        entries = {key: each for key, each in table.items() if key != AGGREGATE}
        entries |= {f"{_PREFIX}{key}": each for key, each in aggregate.items()}
        for name, each in entries.items():
            if name in _KNOWN:
                place = f"{path}.{name}"
                with self.issues.noting(place):
                    read = _KNOWN[name].read(each)
                    found[name] = Setting(value=read, source=self.source, path=place)
            elif name not in IGNORED:
                said = f"unknown key: it limits nothing{did_you_mean(name, _KNOWN)}"
                self.warnings.add(below(path, name), said)
        policies = below(path, "policies")
        self.numbers(self.table(table.get("policies"), policies), policies)
        return found

    def groups(self, table: Mapping[str, object]) -> Iterator[Group]:
        for name, value in table.items():
            path = below("groups", name)
            if not _GROUP.fullmatch(name):
                self.issues.add(path, "not the name of a group: letters, digits, '_', '.' and '-'")
                continue
            listed = self.table(value, path).get("members")
            yield Group(
                name=name,
                settings=self.section(value, path),
                members=frozenset(self.members(listed, f"{path}.members")),
            )

    def members(self, value: object, path: str) -> Iterator[str]:
        if value is not None and not isinstance(value, list):
            self.issues.add(path, "expected an array")
            return
        for index, each in enumerate(value or ()):
            if isinstance(each, str):
                yield each
            else:
                self.issues.add(f"{path}[{index}]", "expected a user; digits alone have quotes")

    def users(self, value: object, path: str) -> dict[str, Section]:
        """Return the sections of users, by user."""
        table = self.table(value, path)
        return {user: self.section(each, below(path, user)) for user, each in table.items()}

    def default_group(self, value: object) -> str:
        if value is None:
            return Rules(source="").default_group
        if not isinstance(value, str) or not _GROUP.fullmatch(value):
            self.issues.add("default_group", "expected the name of a group")
        return str(value)

    def has_slices(self, value: object) -> bool:
        table = self.table(value, "enforcement")
        wanted, driver = table.get("aggregate_limits"), table.get("cgroup_driver")
        if wanted is not None and not isinstance(wanted, bool):
            self.issues.add("enforcement.aggregate_limits", "expected true or false")
        if driver is not None and driver not in _DRIVERS:
            self.issues.add("enforcement.cgroup_driver", f"expected {' or '.join(_DRIVERS)}")
        return wanted is True and driver in (None, _DRIVERS[0])

    def numbers(self, table: Mapping[str, object], path: str) -> None:
        """Note the negative numbers of a table and of those in it."""
        for key, value in table.items():
            place = below(path, key)
            if isinstance(value, dict):
                self.numbers(value, place)
            elif isinstance(value, (int, float)) and not 0 <= value < float("inf"):
                self.issues.add(place, "negative, or no number")
