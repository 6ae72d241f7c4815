"""Frameworks: base images by name, version and processor, read from frameworks.csv.

The rows are AIME's own catalogue (aime-ml-containers), newest first, with the architectures of one
image separated by semicolons.
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
    from collections.abc import Iterable

__all__ = ["LATEST", "Framework", "find_framework", "frameworks", "latest"]

LATEST = "latest"
_SHOWN = 8  # alternatives in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One base image. ``version`` may end in a variant: ``2.8.0-aime``."""

    name: str
    version: str
    architectures: tuple[str, ...]
    image: str

    @property
    def release(self) -> Version:
        """The version without its variant; releases can be compared."""
        return Version(self.version.partition("-")[0])


@cache
def frameworks() -> tuple[Framework, ...]:
    """Return the catalogue in its own order: where two rows fit, the first one is meant."""
    text = files("ds01build.catalogue").joinpath("frameworks.csv").read_text(encoding="utf-8")
    return tuple(
        Framework(
            name=row["framework"],
            version=row["version"],
            architectures=tuple(row["arch"].split(";")),
            image=row["image"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def find_framework(name: str, version: str = LATEST, architecture: str = "") -> Framework:
    """Return the catalogue's entry for ``name``, in any letter case.

    Without ``architecture``, an entry for any will do. Raises Ds01Error that lists what there is
    instead.
    """
    named = [each for each in frameworks() if each.name.casefold() == name.casefold()]
    if not named:
        raise _absent("framework", name, (each.name.lower() for each in frameworks()))
    fitting = [each for each in named if not architecture or architecture in each.architectures]
    if not fitting:
        every = (one for each in named for one in each.architectures)
        raise _absent(f"{named[0].name} image for the architecture", architecture, every)
    if version == LATEST:
        return latest(fitting)
    for each in fitting:
        if each.version == version:
            return each
    wanted = f"{named[0].name} image {f'for {architecture} ' if architecture else ''}of version"
    raise _absent(wanted, version, (each.version for each in fitting))


def latest(entries: Iterable[Framework]) -> Framework:
    """Return the entry of the highest release, a final one if there is one; of equals the first."""
    return max(entries, key=lambda each: (not each.release.is_prerelease, each.release))


def _absent(what: str, name: str, known: Iterable[str]) -> Ds01Error:
    names = list(dict.fromkeys(known))
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    listed = f"there are {', '.join(names[:_SHOWN])}{rest}"
    near = did_you_mean(name, names)
    return Ds01Error(f"the catalogue has no {what} {name!r:.100}; {listed}{near}")
