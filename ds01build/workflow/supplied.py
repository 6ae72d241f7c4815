"""Resolves with wheels that no index offers: those of direct URLs, and of packages without wheels.

A package's metadata may take a build to know, and uv never builds one on this machine. So what has
to be built is built first, one package after the other, and uv is asked with the wheels at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.direct import direct_of
from ds01build.errors import ResolveError
from ds01build.resolve.explanation import OnlySources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.direct import Direct
    from ds01build.lock import Lock
    from ds01build.pin import WheelPin
    from ds01build.resolve.request import PythonRequest, Supplied, Wanted, Wheels
    from ds01build.workflow.footing import Resolver, Sources

__all__ = ["Known", "hashes", "wheels"]


@dataclass(frozen=True, slots=True)
class Known:
    """What stays of the last lock if it can: ``keep`` by name."""

    keep: Mapping[str, WheelPin]
    previous: Lock | None

    def of_line(self, line: str, name: str) -> WheelPin | None:
        """Return the pin of a package that the recipe has asked for with the same URL."""
        tiers = self.previous.tiers if self.previous else ()
        is_same = any(line in tier.requests for tier in tiers)
        return self.keep.get(name) if is_same else None

    def sdists(self) -> dict[str, WheelPin]:
        """Return the pins that were built from what an index has."""
        pins = self.keep.items()
        return {n: pin for n, pin in pins if pin.source and pin.source.kind == "sdist"}


def wheels(resolver: Resolver, sources: Sources, wanted: Wanted, known: Known) -> Wheels:
    """Return the wheels of ``wanted``, whose requirements may have direct URLs.

    Raises what the resolver and the sources raise.
    """
    lines = {line: None for request in wanted.requests for line in request.requirements}
    direct = _unique(direct_of(lines))
    at_hand = {
        each.name: sources.direct(each, known.of_line(line, each.name))
        for line, each in direct.items()
    }
    asked = replace(wanted, requests=tuple(_plain(r, at_hand) for r in wanted.requests))
    for name, pin in known.sdists().items():
        found = sources.kept(pin) if name not in at_hand else None
        at_hand |= {name: found} if found else {}
    while isinstance(outcome := _outcome(resolver, asked, at_hand, known), OnlySources):
        name = outcome.name
        found = None if name in at_hand else sources.sdist(name, asked, known.sdists().get(name))
        if found is None:
            raise outcome
        at_hand[name] = found
    return outcome


def _outcome(
    resolver: Resolver, wanted: Wanted, at_hand: Mapping[str, Supplied], known: Known
) -> Wheels | OnlySources:
    for each in at_hand.values():
        for name in sorted(set(each.elsewhere) - at_hand.keys()):
            raise ResolveError(
                f"{each.pin} needs {name} from a URL of its own, which nobody here has pinned",
                hint=f"ask for it in the tier: {name} @ URL",
            )
    try:
        asked = replace(wanted, supplied=tuple(at_hand.values()))
        return resolver.wheels(asked, known.keep)
    except OnlySources as error:
        return error


def hashes(pin: WheelPin) -> frozenset[Digest]:
    """Return the digests that a recipe may list for a package: of its wheel, or what that is of."""
    source = pin.source
    if source is None or source.kind not in ("archive", "sdist"):
        return frozenset({pin.digest})
    return frozenset({pin.digest, Digest(f"sha256:{source.address}")})


def _unique(direct: dict[str, Direct]) -> dict[str, Direct]:
    """Raise ResolveError where two URLs are of one package."""
    seen: dict[str, str] = {}
    for line, each in direct.items():
        place = line.partition(" @ ")[2].partition(" ;")[0]
        if seen.setdefault(each.name, place) != place:
            raise ResolveError(f"{each.name} is asked for from {seen[each.name]} and from {place}")
    return direct


def _plain(request: PythonRequest, at_hand: Mapping[str, Supplied]) -> PythonRequest:
    """Replace URLs by the versions that they come to."""
    direct = direct_of(request.requirements)
    lines = [
        direct[line].line(line, at_hand[direct[line].name].described.version)
        if line in direct
        else line
        for line in request.requirements
    ]
    return replace(request, requirements=tuple(lines))
