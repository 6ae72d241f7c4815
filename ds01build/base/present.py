"""What a base has already of the packages that a tier would ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.base.show import installed
from ds01build.grammar import requirement_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.base.facts import BaseFacts

__all__ = ["Present", "present"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A package of a base; one that is not held may be shadowed or upgraded by a tier."""

    version: str
    is_held: bool = False


def present(facts: BaseFacts, kind: str, requests: Iterable[str]) -> dict[str, Present]:
    """Return what the base has of ``requests``, by them: of kind apt, or else requirements.

    Whether its version satisfies a request is not judged.
    """
    if kind == "apt":
        debs = {deb.name: Present(version=deb.version) for deb in facts.debs}
        return {each: debs[name] for each in requests if (name := each.partition("=")[0]) in debs}
    found = installed(facts)
    held = {(each.name, each.version) for each in facts.distributions if each.is_held}
    return {
        each: Present(version=found[name], is_held=(name, found[name]) in held)
        for each in requests
        if (name := requirement_name(each)) in found
    }
