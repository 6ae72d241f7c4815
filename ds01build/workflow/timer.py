"""Wall time of a build, by phase."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.workflow.built import Seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Timer"]


@dataclass(slots=True)
class Timer:
    """Seconds since the start, by phase."""

    clock: Callable[[], float]
    start: float = field(init=False)
    lock: float = 0.0
    fetch: float = 0.0
    layers: float = 0.0
    load: float = 0.0

    def __post_init__(self) -> None:
        self.start = self.clock()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return self.clock() - self.start

    def seconds(self) -> Seconds:
        """Return what was noted, and the total so far."""
        return Seconds(
            lock=self.lock,
            fetch=self.fetch,
            layers=self.layers,
            load=self.load,
            total=self.elapsed(),
        )
