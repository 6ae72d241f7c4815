"""What every way to the image of the bench is given, and how it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.catalogue.packages import bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.peers import Tiers

__all__ = ["ADDED", "STATES", "TIERS", "Candidate", "State"]

ADDED = "tabulate"  # to the first tier
TIERS: Tiers = {name: bundle(name).packages for name in ("jupyter", "data-science", "ml")}
State = Literal["cold", "warm", "nothing", "added"]
STATES: dict[State, str] = {
    "cold": "nothing there but the base",
    "warm": "packages there, nothing built",
    "nothing": "nothing changed",
    "added": f"{ADDED} added to the first tier",
}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A way to the image. ``seconds`` brings about a state, builds, and returns what that took.

    In each round it is called once for each state, in the order of STATES.
    """

    name: str
    seconds: Callable[[State], float]
