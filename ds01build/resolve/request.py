"""What is asked of the resolver of Python packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.version import Version

from ds01build.base.holding import Held, Holding

if TYPE_CHECKING:
    from ds01build.pin import WheelPin
    from ds01build.platform import Platform
    from ds01build.resolve.uv import Workspace

__all__ = ["PythonRequest", "Supplied", "Wanted", "Wheels", "limits", "options"]


# The newest glibc 2.x that uv has a name for. Wheels for newer ones are not found with it; none
# of those that are found needs a newer one.
GLIBC = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRequest:
    """What one tier asks for: PEP 508 requirements without URLs."""

    tier: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """A wheel that is at hand although no index offers it, as from a source distribution.

    Its pin has no tier yet, and ``requires`` nothing. Where ``only``, the recipe says where the
    package is, and no other version will do. ``elsewhere`` are packages that it needs from direct
    URLs of its own.
    """

    pin: WheelPin
    described: Held
    only: bool = False
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the resolver is asked: the tiers in order, and everything else that decides.

    ``settled`` are pins that were chosen for this very platform: their files are not looked for
    again where their versions come out again.
    """

    requests: tuple[PythonRequest, ...]
    platform: Platform
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prerelease: str = ""  # as uv names it
    exclude_newer: str = ""
    holding: Holding = field(default_factory=Holding)
    supplied: tuple[Supplied, ...] = ()
    settled: tuple[WheelPin, ...] = field(default=(), repr=False)

    @property
    def present(self) -> tuple[Held, ...]:
        """What uv has to be shown, since it finds it in no index, or finds something else there."""
        supplied = (each.described for each in self.supplied)
        return (*self.holding.held, *self.holding.movable, *supplied)


@dataclass(frozen=True, slots=True)
class Wheels:
    """What a request comes to: pins sorted by name, and what a person should know about them."""

    pins: tuple[WheelPin, ...] = ()
    warnings: tuple[str, ...] = ()


def options(wanted: Wanted) -> list[str]:
    """Return uv's options for the platform, and for what of an index is looked at."""
    platform = wanted.platform
    arguments = ["--python-version", platform.python]
    minor = min(platform.glibc[1], GLIBC)
    arguments += ["--python-platform", f"{platform.machine}-manylinux_2_{minor}"]
    if wanted.prerelease:
        arguments += ["--prerelease", _prerelease(wanted)]
    if wanted.exclude_newer:
        arguments += ["--exclude-newer", wanted.exclude_newer]
    return arguments


def limits(wanted: Wanted, workspace: Workspace) -> list[str]:
    """Write what the recipe says of versions, and return uv's options for it."""
    arguments = []
    for option, lines in (
        ("constraints", wanted.constraints),
        ("overrides", wanted.overrides),
        ("excludes", wanted.exclude),
    ):
        arguments += [f"--{option}", workspace.write(f"{option}.txt", lines)] if lines else []
    return arguments


def _prerelease(wanted: Wanted) -> str:
    """Return what the recipe says of pre-releases, widened by those that the base has."""
    present = (*wanted.holding.held, *wanted.holding.movable)
    wider = {"disallow": "explicit", "if-necessary": "if-necessary-or-explicit"}
    if any(Version(each.version).is_prerelease for each in present):
        return wider.get(wanted.prerelease, wanted.prerelease)
    return wanted.prerelease
