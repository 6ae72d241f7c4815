"""What a distribution's own METADATA says that it needs, on the platform of its base."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ds01build.platform import MACHINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.markers import Marker

    from ds01build.base.facts import BaseFacts, Distribution

__all__ = ["NAME", "Need", "environment", "extras_of", "needs", "variables", "with_urls"]

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])?")  # normalised (PEP 503)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Need:
    """One requirement without marker and URL; ``extra`` is the one that asks for it, if any."""

    name: str  # normalised (PEP 503)
    versions: str  # a specifier set (PEP 440)
    extras: tuple[str, ...] = ()  # of the distribution that is needed
    extra: str = ""

    def __str__(self) -> str:
        wanted = f"[{','.join(self.extras)}]" if self.extras else ""
        marker = f" ; extra == '{self.extra}'" if self.extra else ""
        return f"{self.name}{wanted}{self.versions}{marker}"

    def is_met_by(self, version: str) -> bool:
        """Say whether a version will do; pre-releases will where they lie in the range."""
        return SpecifierSet(self.versions).contains(version, prereleases=True)


def environment(facts: BaseFacts) -> dict[str, str]:
    """Return what markers (PEP 508) are evaluated with in a base."""
    version = facts.interpreter.version if facts.interpreter else ""
    return variables(version, MACHINES.get(facts.architecture, facts.architecture))


def variables(version: str, machine: str) -> dict[str, str]:
    """Return what markers are evaluated with for a CPython of ``version`` on Linux."""
    return {
        "implementation_name": "cpython",
        "implementation_version": version,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
        "sys_platform": "linux",
    }


def extras_of(distribution: Distribution) -> tuple[str, ...]:
    """Return the extras that a distribution has, normalised and sorted."""
    names = {str(canonicalize_name(extra)) for extra in distribution.extras}
    return tuple(sorted(name for name in names if NAME.fullmatch(name)))


def needs(distribution: Distribution, environment: Mapping[str, str]) -> tuple[Need, ...]:
    """Return what a distribution needs in ``environment``, alone and with each of its extras.

    Requirements that PEP 508 has no meaning for are left out, as pip does with what is installed.
    """
    return _needs(distribution, tuple(environment.items()))


@lru_cache(maxsize=2048)  # a base that has moved has mostly what it had, and is compared with it
def _needs(distribution: Distribution, variables: tuple[tuple[str, str], ...]) -> tuple[Need, ...]:
    environment, extras = dict(variables), extras_of(distribution)
    found: set[Need] = set()
    for text in distribution.requires:
        found.update(_read(text, extras, environment))
    return tuple(sorted(found))


def with_urls(distribution: Distribution, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of what a distribution needs, without extras, from URLs that it names."""
    found = set()
    for text in distribution.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        marker = requirement.marker
        if requirement.url and (marker is None or marker.evaluate({**environment, "extra": ""})):
            found.add(str(canonicalize_name(requirement.name)))
    return tuple(sorted(found))


def _read(text: str, extras: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[Need]:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return
    marker = requirement.marker
    wanted = tuple(sorted(map(str, map(canonicalize_name, requirement.extras))))
    name = str(canonicalize_name(requirement.name))
    versions = str(requirement.specifier)
    if marker is None or marker.evaluate({**environment, "extra": ""}):
        yield Need(name=name, versions=versions, extras=wanted)
        return
    for extra in _named(marker, extras):
        if marker.evaluate({**environment, "extra": extra}):
            yield Need(name=name, versions=versions, extras=wanted, extra=extra)


def _named(marker: Marker, extras: tuple[str, ...]) -> list[str]:
    """Return those of ``extras`` that a marker compares something with: few of many."""
    words = {
        str(canonicalize_name(word)) for word in re.findall("[\"']([^\"']+)[\"']", str(marker))
    }
    return [extra for extra in extras if extra in words]
