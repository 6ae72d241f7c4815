"""What uv says when nothing satisfies a request, in terms of the recipe and its base."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ds01build.errors import ResolveError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ds01build.base.holding import Held, Holding
    from ds01build.resolve.request import PythonRequest, Wanted
    from ds01build.resolve.uv import NoSolution

__all__ = ["OTHERWISE", "OnlySources", "askers", "explained", "holders_named"]

OTHERWISE = "ask for a version with wheels, or drop what needs it with [resolve] exclude"
_NO_WHEELS = re.compile(
    r"Because (?:all versions of )?(?P<name>\S+) ha(?:s|ve) no "
    r"(?P<kind>usable wheels|wheels with a matching)"
)
_ONLY_SOURCES = re.compile(r"\b(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\S* ha(?:s|ve) no usable wheels")
_OFFERED = re.compile(r"hint: .*?wheels .*?: (`[^`]+`(?:, `[^`]+`)*)", re.IGNORECASE)
_ABSENT = re.compile(r"Because (\S+?) was not found in the package registry")


@dataclass(eq=False)
class OnlySources(ResolveError):
    """A package has no wheel in an index: ``name`` can be built from its source, in an engine."""

    name: str = ""


def explained(error: NoSolution, wanted: Wanted) -> ResolveError:
    """Say uv's explanation in the recipe's words: which tiers ask for what it names.

    What the base holds of it stands beside them, and how to let go of it in the hint.
    """
    text = error.message
    named = _names(text)
    asking = askers(named, wanted.requests)
    holders, statements = _statements(named, wanted.holding)
    by = f" ({'; '.join(asking)})" if asking else ""
    match = _NO_WHEELS.search(text)
    if match and not holders:
        problem = f"{match['name']} {_lacking(match['kind'], text)}{by}: {OTHERWISE}"
        only = _ONLY_SOURCES.search(text)
        return (
            OnlySources(problem, name=canonicalize_name(only[1])) if only else ResolveError(problem)
        )
    if match := _ABSENT.search(text):
        return ResolveError(f"the package index has no {match[1]}{by}")
    text = text.removeprefix("No solution found when resolving dependencies").strip()
    if not holders:
        return ResolveError(" ".join([text, *(f"[{asker}]" for asker in asking)]))
    parties = "; ".join([*statements, *asking])
    return ResolveError(f"{parties}: {_attributed(text, holders)}", hint=_way_out(holders))


def holders_named(error: NoSolution, holding: Holding) -> list[Held]:
    """Return what of the base uv's explanation comes to."""
    return _statements(_names(error.message), holding)[0]


def askers(names: Collection[str], requests: Sequence[PythonRequest]) -> list[str]:
    """Say which tiers ask for packages of these names, and how."""
    return [
        f"tier {request.tier} asks for {line}"
        for request in requests
        for line in request.requirements
        if canonicalize_name(Requirement(line).name) in names
    ]


def _names(text: str) -> set[str]:
    words = set(re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text))
    return {canonicalize_name(word.rstrip(".")) for word in words}


def _statements(named: Collection[str], holding: Holding) -> tuple[list[Held], list[str]]:
    """Return what of the base has to do with packages of these names, and say how."""
    held = [each for each in holding.held if each.name in named]
    demands = [d for d in holding.demands if d.need.name in named and d.need.versions]
    statements = [
        *(f"the base holds {each}" for each in held),
        *(f"{demand.needer} of the base needs {demand.need}" for demand in demands),
    ]
    return sorted({*held, *(demand.needer for demand in demands)}), statements


def _attributed(text: str, holders: Sequence[Held]) -> str:
    """Say whose they are of the versions that uv knows as constraints only."""
    for each in holders:
        version = re.escape(f"{each.name}=={each.version}")
        found = re.compile(rf"(?<![\w.-]){version}(?![\w+-]|\.\w)")
        text = found.sub(lambda match: f"the base's {match[0]}", text)
    return text


def _way_out(holders: Sequence[Held]) -> str:
    fastened = [
        f"{each.name} can't be changed: {each.fastened}" for each in holders if each.fastened
    ]
    loose = ", ".join(f'"{each.name}"' for each in holders if not each.fastened)
    allow = (
        [f"to let tiers change it: allow-base-change = [{loose}] under [resolve]"] if loose else []
    )
    return "; ".join([*allow, *fastened])


def _lacking(kind: str, text: str) -> str:
    """Say why a package has no wheel that can be used; ``text`` is uv's, hints included."""
    if kind == "usable wheels":
        return "has only source distributions, and ds01 never runs a build on this host"
    offered = _OFFERED.search(text)
    return f"has no wheel for this platform{f', only for {offered[1]}' if offered else ''}"
