"""What an image is going to be, and what it takes: computed from its lock and plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.grammar import requirement_name
from ds01build.lock import LockedDebian, LockedImage
from ds01build.quantities import counted, readable
from ds01build.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.lock import Lock, LockedTier
    from ds01build.plan import Plan

__all__ = ["Summary", "base_line", "duration", "sizes", "structure", "summarise"]

# What a plan takes, for an estimate: a shared line, a busy disk, and a container for apt.
_DOWNLOAD = 20_000_000  # bytes a second
_MAKE = 60_000_000  # bytes of layers a second, made and loaded
_EXECUTE = 10  # seconds for a tier that an engine executes
_START = 2  # seconds
_MINUTE = 60

_TITLES = {
    "system": "System packages",
    "essential": "Essential",
    "jupyter": "Core Python & Jupyter",
    "data-science": "Core Data Science",
    "requirements": "Requirements",
    "custom": "Additional",
}
_LISTED = ("system", "custom")  # tiers whose packages are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The sums of a plan. ``packages`` are those that tiers ask for, ``locked`` all of them.

    ``there`` are those that tiers ask for and the base has.
    """

    packages: int
    there: int
    locked: int
    download: int  # bytes, without the base
    base: int  # bytes of the base's layers in its registry
    added: int  # bytes of the layers above the base, estimated
    seconds: float

    def answer(self) -> dict[str, object]:
        """Return the object that ``--json`` prints."""
        return {
            "packages": self.packages,
            "there": self.there,
            "locked": self.locked,
            "download": self.download,
            "base": self.base,
            "added": self.added,
            "seconds": round(self.seconds),
        }


def summarise(lock: Lock, plan: Plan) -> Summary:
    """Return what a plan comes to."""
    download = sum(pin.size for pin in plan.downloads)
    executed = [step for step in plan.stack if step.action == "run"]
    layers = lock.base.layers if isinstance(lock.base, LockedImage) else ()
    there = sum(step.layer.size for step in plan.stack if step.layer)
    written = plan.space - download  # layers, and what is copied out of another store
    seconds = download / _DOWNLOAD + written / _MAKE + _EXECUTE * len(executed)
    asked = [name for tier in lock.tiers for name in _names(tier)]
    made = {pin.name for pin in lock.wheels} | {pin.name for pin in lock.debs}
    return Summary(
        packages=sum(name in made for name in asked),
        there=sum(name not in made for name in asked),
        locked=len(lock.wheels) + len(lock.debs),
        download=download,
        base=sum(layer.size for layer in layers),
        added=there + written - sum(loan.size for loan in plan.loans),
        seconds=_START + seconds if plan.space or executed else 0,
    )


def _names(tier: LockedTier) -> list[str]:
    if tier.kind == "apt":
        return [each.partition("=")[0] for each in tier.requests]
    return [requirement_name(each) for each in tier.requests]


def structure(lock: Lock, use_cases: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for the base and one for each tier; ``use_cases`` are titles by tier."""
    yield f"FROM {base_line(lock)}"
    for tier in lock.tiers:
        yield f"• {_tier(tier, use_cases)}"


def base_line(lock: Lock) -> str:
    """Return what the tiers stand on."""
    if isinstance(lock.base, LockedDebian):
        return f"scratch (Debian {lock.base.suite})"
    return parse_reference(lock.base.reference).familiar


def _tier(tier: LockedTier, use_cases: Mapping[str, str]) -> str:
    case = use_cases.get(tier.name)
    title = f"Use case: {case}" if case else _TITLES.get(tier.name, tier.name)
    if tier.name == "custom":
        return f"{title}: {' '.join(tier.requests)}"
    if tier.name in _LISTED:
        return f"{title} ({', '.join(tier.requests)})"
    return f"{title} ({counted(len(tier.requests), 'package')})"


def duration(seconds: float) -> str:
    """Return how long something takes, as roughly as it is known."""
    if seconds < 1:
        return "nothing: it is there"
    if seconds < _MINUTE:
        return f"about {max(5, round(seconds / 5) * 5)} seconds"
    return f"about {counted(max(1, round(seconds / _MINUTE)), 'minute')}"


def sizes(summary: Summary) -> str:
    """Return how large an image is going to be in the store, estimated; engines unpack it."""
    base = f"{readable(summary.base)} base + " if summary.base else ""
    return f"{base}about {readable(summary.added)}, compressed"
