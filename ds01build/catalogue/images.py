"""Frameworks: base images by name, version and processor.

The rows of frameworks.csv are AIME's own catalogue (aime-ml-containers), newest first, with the
architectures of one image separated by semicolons; those of bases.csv are what it does not have.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from packaging.version import Version

from ds01build.errors import Ds01Error
from ds01build.fields import did_you_mean, nearest
from ds01build.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "CUSTOM",
    "LATEST",
    "Framework",
    "NotInCatalogue",
    "find_framework",
    "framework_of",
    "frameworks",
    "latest",
    "rows",
]

LATEST = "latest"
CUSTOM = "custom"  # the choice of an image of one's own
_SHOWN = 8  # alternatives in a message
_OWN_IMAGE = 'name an image instead of a framework: image = "python:3.12-slim" in [base]'
_LIST = f"{_OWN_IMAGE}; ds01 catalogue list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One base image. ``version`` may end in a variant: ``2.8.0-aime``.

    An image without ``architectures`` runs on every one. ``note`` is a warning for who takes it.
    """

    name: str
    version: str
    architectures: tuple[str, ...]
    image: str
    note: str = ""

    @property
    def release(self) -> Version:
        """The version without its variant; releases can be compared."""
        return Version(self.version.partition("-")[0])

    def fits(self, architecture: str) -> bool:
        """Say whether the image is for ``architecture``; the empty one stands for any."""
        return not (architecture and self.architectures) or architecture in self.architectures


@dataclass(eq=False)
class NotInCatalogue(Ds01Error):
    """A framework has no image of that version, or for that architecture.

    The rest is what to ask for instead, which is there; empty where it may stay as it was.
    """

    version: str = ""
    architecture: str = ""


@cache
def frameworks() -> tuple[Framework, ...]:
    """Return the catalogue in its own order: where two rows fit, the first one is meant."""
    return tuple(
        Framework(
            name=row["framework"],
            version=row["version"],
            architectures=tuple(filter(None, row["arch"].split(";"))),
            image=row["image"],
            note=row.get("note", ""),
        )
        for row in (*rows("frameworks.csv"), *rows("bases.csv"))
    )


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a data file beside this one, by the names in its first line."""
    text = files("ds01build.catalogue").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def framework_of(reference: str) -> Framework | None:
    """Return the entry whose image a reference names, whatever its tag; None for another image."""
    try:
        wanted = parse_reference(reference)
    except ValueError:
        return None
    for each in frameworks():
        known = parse_reference(each.image)
        if (known.registry, known.repository) == (wanted.registry, wanted.repository):
            return each
    return None


def find_framework(name: str, version: str = LATEST, architecture: str = "") -> Framework:
    """Return the catalogue's entry for ``name``, in any letter case.

    Without ``architecture``, an entry for any will do. Raises Ds01Error that lists what there is
    instead, with what to write into a recipe in its hint; NotInCatalogue if that is another image
    of the same framework.
    """
    named = [each for each in frameworks() if each.name.casefold() == name.casefold()]
    if name.casefold() == CUSTOM:
        raise Ds01Error("a custom base is an image of your own", hint=_OWN_IMAGE)
    if not named:
        known = (each.name.lower() for each in frameworks())
        raise Ds01Error(_lacks("framework", name, known), hint=_LIST)
    fitting = [each for each in named if each.fits(architecture)]
    if not fitting:
        raise _other_architecture(named, version, architecture)
    if version == LATEST:
        return latest(fitting)
    for each in fitting:
        if each.version == version:
            return each
    raise _other_version(named, fitting, version, architecture)


def latest(entries: Iterable[Framework]) -> Framework:
    """Return the entry of the highest release, a final one if there is one; of equals the first."""
    return max(entries, key=lambda each: (not each.release.is_prerelease, each.release))


def _other_architecture(
    named: Sequence[Framework], version: str, architecture: str
) -> NotInCatalogue:
    every = (one for each in named for one in each.architectures)
    wanted = [each for each in named if version in (LATEST, each.version)]
    there = latest(wanted or named)
    return _instead(
        there.name,
        _lacks(f"{there.name} image for the architecture", architecture, every),
        version="" if wanted else there.version,
        architecture=there.architectures[0],
    )


def _other_version(
    named: Sequence[Framework], fitting: Sequence[Framework], version: str, architecture: str
) -> NotInCatalogue:
    wanted = f"{named[0].name} image {f'for {architecture} ' if architecture else ''}of version"
    problem = _lacks(wanted, version, (each.version for each in fitting))
    elsewhere = [one for each in named if each.version == version for one in each.architectures]
    if elsewhere:
        return _instead(named[0].name, problem, architecture=elsewhere[0])
    near = nearest(version, dict.fromkeys(each.version for each in fitting))
    there = next((each for each in fitting if each.version == near), latest(fitting))
    # A version alone would be looked for among the images for the reader's own machine.
    some = "" if architecture else next(iter(there.architectures), "")
    return _instead(named[0].name, problem, version=there.version, architecture=some)


def _instead(
    name: str, problem: str, *, version: str = "", architecture: str = ""
) -> NotInCatalogue:
    keys = {"version": version, "arch": architecture}
    lines = ", ".join(f'{key} = "{value}"' for key, value in keys.items() if value)
    return NotInCatalogue(
        problem,
        hint=f"in [base]: {lines}; ds01 catalogue list --framework {name.lower()} has them all",
        version=version,
        architecture=architecture,
    )


def _lacks(what: str, name: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(known))
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    listed = f"there are {', '.join(names[:_SHOWN])}{rest}"
    return f"the catalogue has no {what} {name!r:.100}; {listed}{did_you_mean(name, names)}"
