"""Distributions: how to tell their own archives from those of vendors that publish for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol, TypeVar

from ds01build.grammar import RELEASES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEBIAN", "Family", "family_of"]


class Place(Protocol):
    """A place and suite, as an entry or a checked source says it."""

    @property
    def uri(self) -> str:
        """Return the root of the archive."""

    @property
    def suite(self) -> str:
        """Return the suite below it."""

    @property
    def signed_by(self) -> str:
        """Return the path of a keyring, or something else, or nothing."""


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution: its ID of os-release(5), and the names of its suites.

    ``suites`` has a group ``part``, such as -updates.
    """

    name: str
    suites: re.Pattern[str]

    def part(self, place: Place) -> str | None:
        """Return which part of a release a suite is: None for the release itself, "?" for none."""
        match = self.suites.fullmatch(place.suite)
        if match is None:
            return "?"
        return "-security" if match["part"] == "/updates" else match["part"]

    def own(self, places: Iterable[P], among: Iterable[Place]) -> tuple[P, ...]:
        """Return those of ``places`` that are most surely archives of the distribution's own.

        Vendors publish for suites with these names too, under keys of their own, and without
        -updates and -security.
        """
        every = tuple(among)
        rated = [(self._standing(place, every), place) for place in places]
        best = max((standing for standing, _ in rated), default=0)
        return tuple(place for standing, place in rated if standing == best > 0)

    def _standing(self, place: Place, every: tuple[Place, ...]) -> int:
        if PurePosixPath(place.signed_by[:200]).name.startswith(f"{self.name}-archive"):
            return 3
        updates = (place.uri.rstrip("/"), f"{place.suite}-updates")
        is_updated = any((other.uri.rstrip("/"), other.suite) == updates for other in every)
        if is_updated or place.suite.endswith(("-security", "/updates")):
            return 2
        named = {self.name, f"{self.name}-archive"}.intersection(place.uri.split("/"))
        return 1 if named and not place.signed_by else 0


DEBIAN = Family(
    "debian",
    re.compile(
        rf"(?P<codename>{'|'.join(RELEASES)})"
        r"(?P<part>-updates|-security|/updates|-backports|-proposed-updates)?"
    ),
)


def family_of(distribution: str, codename: str) -> Family:
    """Return the family of a base whose os-release has this ID and VERSION_CODENAME."""
    if distribution == DEBIAN.name:
        return DEBIAN
    parts = "-updates|-security|-backports|-proposed"
    return Family(
        distribution, re.compile(rf"(?P<codename>{re.escape(codename)})(?P<part>{parts})?")
    )
