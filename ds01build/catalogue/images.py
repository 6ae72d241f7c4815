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
from ds01build.fields import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CUSTOM", "LATEST", "Framework", "find_framework", "frameworks", "latest", "rows"]

LATEST = "latest"
CUSTOM = "custom"  # the choice of an image of one's own
_SHOWN = 8  # alternatives in a message
_OWN_IMAGE = 'name an image instead of a framework: image = "python:3.12-slim" in [base]'


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


def find_framework(name: str, version: str = LATEST, architecture: str = "") -> Framework:
    """Return the catalogue's entry for ``name``, in any letter case.

    Without ``architecture``, an entry for any will do. Raises Ds01Error that lists what there is
    instead, with what to write in its hint.
    """
    named = [each for each in frameworks() if each.name.casefold() == name.casefold()]
    if name.casefold() == CUSTOM:
        raise Ds01Error("a custom base is an image of your own", hint=_OWN_IMAGE)
    if not named:
        raise _absent("framework", name, (each.name.lower() for each in frameworks()), _OWN_IMAGE)
    fitting = [each for each in named if each.fits(architecture)]
    if not fitting:
        raise _other_architecture(named, architecture)
    if version == LATEST:
        return latest(fitting)
    for each in fitting:
        if each.version == version:
            return each
    raise _other_version(named, fitting, version, architecture)


def latest(entries: Iterable[Framework]) -> Framework:
    """Return the entry of the highest release, a final one if there is one; of equals the first."""
    return max(entries, key=lambda each: (not each.release.is_prerelease, each.release))


def _other_architecture(named: Sequence[Framework], architecture: str) -> Ds01Error:
    every = list(dict.fromkeys(one for each in named for one in each.architectures))
    hint = f'name one of them: arch = "{every[0]}" in [base]'
    return _absent(f"{named[0].name} image for the architecture", architecture, every, hint)


def _other_version(
    named: Sequence[Framework], fitting: Sequence[Framework], version: str, architecture: str
) -> Ds01Error:
    elsewhere = [one for each in named if each.version == version for one in each.architectures]
    hint = f'name one of them: version = "{latest(fitting).version}" in [base]'
    if elsewhere:
        hint = f'{version} is there for {", ".join(elsewhere)}: arch = "{elsewhere[0]}" in [base]'
    wanted = f"{named[0].name} image {f'for {architecture} ' if architecture else ''}of version"
    return _absent(wanted, version, (each.version for each in fitting), hint)


def _absent(what: str, name: str, known: Iterable[str], hint: str) -> Ds01Error:
    names = list(dict.fromkeys(known))
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    listed = f"there are {', '.join(names[:_SHOWN])}{rest}"
    near = did_you_mean(name, names)
    return Ds01Error(f"the catalogue has no {what} {name!r:.100}; {listed}{near}", hint=hint)
