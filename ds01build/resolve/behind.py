"""Notices what a base holds back: a resolver under constraints steps back as far as it must."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import tomli
from packaging.utils import canonicalize_name
from packaging.version import Version

from ds01build.errors import Unavailable
from ds01build.grammar import requirement_name
from ds01build.resolve.explanation import holders_named
from ds01build.resolve.holds import constraints, described, stubs
from ds01build.resolve.request import PythonRequest, limits, options
from ds01build.resolve.uv import NoSolution, compile_fetched, compile_requirements

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ds01build.base.holding import Held
    from ds01build.resolve.request import Wanted
    from ds01build.resolve.uv import Uv, Workspace

__all__ = ["Release", "far_behind", "newest_of", "packages_of", "releases"]

FAR = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a package, and when an index got the first file of it, if it says so."""

    name: str
    version: str
    uploaded: datetime | None = None

    def is_far_behind(self, newest: Release) -> bool:
        """Say whether ``newest`` is of a later major release, or two years younger."""
        own, other = Version(self.version), Version(newest.version)
        if (own.epoch, own.major) < (other.epoch, other.major):
            return True
        if self.uploaded is None or newest.uploaded is None:
            return False
        return newest.uploaded - self.uploaded >= FAR


def packages_of(output: str) -> list[dict[str, Any]]:
    """Return the packages of a pylock.toml (PEP 751)."""
    packages = tomli.loads(output).get("packages", [])
    return [package for package in packages if isinstance(package, dict)]


def releases(packages: Iterable[Mapping[str, Any]]) -> dict[str, Release]:
    """Return the releases of packages of a pylock.toml by name."""
    found = (
        Release(
            canonicalize_name(package["name"]),
            str(package["version"]),
            min(_times(package), default=None),
        )
        for package in packages
    )
    return {release.name: release for release in found}


def far_behind(
    wanted: Wanted,
    chosen: Mapping[str, Release],
    newest: Mapping[str, Release],
    tool: Uv,
    workspace: Workspace,
) -> list[str]:
    """Say which of ``chosen`` are far behind ``newest`` because of what the base holds."""
    warnings = []
    for name in sorted(chosen.keys() & newest):
        own, last = chosen[name], newest[name]
        holders = _holders(wanted, last, tool, workspace) if own.is_far_behind(last) else []
        if holders:
            held = " and ".join(map(str, holders))
            warnings.append(
                f"{name} {own.version} is far behind {last.version}, because the base holds {held}"
            )
    return warnings


def newest_of(
    wanted: Wanted, chosen: Collection[str], tool: Uv, workspace: Workspace
) -> list[dict[str, Any]]:
    """Return the newest release of each of ``chosen`` that a tier asks for by name.

    These are packages of a pylock.toml. Each fits the platform and what the recipe says of it, and
    nothing else is looked at. What the base has is left out; where it holds nothing, all is.
    """
    ours = {each.name for each in wanted.present}
    lines = {line for request in wanted.requests for line in request.requirements}
    names = {*chosen}.difference(ours, wanted.exclude)
    asked = sorted(line for line in lines if requirement_name(line) in names)
    if not asked or not wanted.holding:
        return []
    arguments = [*options(wanted), *limits(wanted, workspace), "--no-deps"]
    arguments += ["--format", "pylock.toml"]
    inputs = [workspace.write("newest.in", asked)]
    try:
        return packages_of(compile_fetched(tool, workspace, inputs, arguments))
    except (NoSolution, Unavailable):
        return []  # what is wrong comes out when everything is resolved together


def _holders(wanted: Wanted, release: Release, tool: Uv, workspace: Workspace) -> list[Held]:
    """Return what of the base keeps a release away, if it would do without the rest."""
    alone = PythonRequest(tier="newest", requirements=(f"{release.name}=={release.version}",))
    inputs = [workspace.write("newest.in", alone.requirements)]
    arguments = [*options(wanted), *limits(wanted, workspace), *stubs(wanted.present, workspace)]
    arguments += ["--constraints", workspace.write("base.txt", constraints(wanted.holding))]
    try:
        compile_requirements(tool, workspace, inputs, arguments, described(wanted.present))
    except NoSolution as error:
        return holders_named(error, wanted.holding)
    except Unavailable:  # without a network, that release may never have been seen
        return []
    return []


def _times(package: Mapping[str, Any]) -> list[datetime]:
    times = [wheel.get("upload-time") for wheel in package.get("wheels", ())]
    return [time for time in times if isinstance(time, datetime) and time.tzinfo]
