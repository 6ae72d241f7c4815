"""The catalogue as people look into it: its entries, and what one of them is on a machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.catalogue.images import LATEST, frameworks
from ds01build.catalogue.selection import least_driver, select
from ds01build.errors import Ds01Error
from ds01build.fields import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.catalogue.images import Framework
    from ds01build.catalogue.selection import Selected

__all__ = ["Entry", "describe", "entries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a framework is on a machine, the latest that it has there, and its other images.

    ``driver`` is the oldest that is documented, or empty; ``others`` are the images of the same
    version for other architectures.
    """

    selected: Selected
    latest: Selected
    driver: str
    others: tuple[Framework, ...]

    @property
    def is_latest(self) -> bool:
        """Whether a recipe without a version gets this image."""
        return self.selected.framework == self.latest.framework


def entries(framework: str = "", architecture: str = "") -> tuple[Framework, ...]:
    """Return the entries of a framework, and those for an architecture; in any letter case.

    Images for every architecture are among the latter. Raises Ds01Error for an unknown name.
    """
    every = frameworks()
    named = _known("framework", framework, (each.name.lower() for each in every))
    kinds = (one for each in every for one in each.architectures)
    wanted = _known("architecture", architecture, kinds)
    return tuple(each for each in every if named in ("", each.name.lower()) and each.fits(wanted))


def describe(
    framework: str, version: str = LATEST, *, architecture: str = "", mlc_arch: str, driver: str
) -> Entry:
    """Return one entry of the catalogue as a machine would choose it: see ``select``.

    Raises Ds01Error, NotInCatalogue.
    """
    if architecture:
        kinds = (one for each in frameworks() for one in each.architectures)
        architecture = _known("architecture", architecture, kinds)
    machine = {"architecture": architecture, "mlc_arch": mlc_arch, "driver": driver}
    selected = _asked(select(framework, version, **machine), architecture)
    found = selected.framework
    return Entry(
        selected=selected,
        latest=_asked(select(framework, LATEST, **machine), architecture),
        driver=least_driver(found, selected.architecture),
        others=tuple(
            each
            for each in frameworks()
            if (each.name, each.version) == (found.name, found.version)
            and each.image != found.image
        ),
    )


def _asked(selected: Selected, architecture: str) -> Selected:
    """Return what was selected without the word of a recipe, since there is none."""
    if not (architecture and selected.architecture):
        return selected
    return replace(selected, reason=f"{architecture}: the architecture that was asked for")


def _known(what: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` as the catalogue spells it. Raises Ds01Error if it has none of that name."""
    names = list(dict.fromkeys(known))
    found = next((each for each in names if each.casefold() == name.casefold()), "")
    if name and not found:
        near = did_you_mean(name, names)
        raise Ds01Error(
            f"the catalogue has no {what} {name!r:.100}; there are {', '.join(names)}{near}",
            hint="ds01 catalogue list",
        )
    return found
