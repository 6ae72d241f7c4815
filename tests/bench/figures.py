"""What a scenario measured, and whether the bounds hold."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

__all__ = ["Outcome", "Series", "Verdict", "answer", "text"]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One thing, measured once in every round."""

    name: str
    unit: str  # s or MB
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A figure and its bound."""

    name: str
    value: float
    bound: float
    unit: str
    kind: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.kind == "at most" else self.value >= self.bound


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All of a scenario. ``note`` says what it was measured with."""

    scenario: str
    series: tuple[Series, ...]
    verdicts: tuple[Verdict, ...]
    note: str = ""


def ratio(dividend: Series, divisor: Series) -> float:
    """Return the median of the rounds' ratios: both sides of a round had the same machine."""
    pairs = zip(dividend.values, divisor.values, strict=True)
    return median(one / other for one, other in pairs)


def text(outcome: Outcome) -> str:
    lines = [f"{outcome.scenario}  {outcome.note}".rstrip()]
    for one in outcome.series:
        spread = f"{min(one.values):.3f} to {max(one.values):.3f}"
        lines.append(f"  {one.name:<52} {one.median:9.3f} {one.unit:<3} ({spread})")
    for verdict in outcome.verdicts:
        bound = f"{verdict.kind} {verdict.bound:g}"
        met = "met" if verdict.met else "MISSED"
        lines.append(f"  {verdict.name:<52} {verdict.value:9.3f} {verdict.unit:<3} {bound}: {met}")
    return "\n".join(lines)


def answer(outcome: Outcome) -> dict[str, object]:
    return {
        "scenario": outcome.scenario,
        "note": outcome.note,
        "series": [
            {"name": one.name, "unit": one.unit, "median": one.median, "values": list(one.values)}
            for one in outcome.series
        ],
        "verdicts": [
            {
                "name": verdict.name,
                "value": verdict.value,
                "unit": verdict.unit,
                "kind": verdict.kind,
                "bound": verdict.bound,
                "met": verdict.met,
            }
            for verdict in outcome.verdicts
        ],
    }
