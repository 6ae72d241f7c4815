"""What a user's running containers use, between two moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.engine import usage
from ds01build.workflow.owned import names
from ds01build.workflow.standing import gpus_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.engine.containers import Row
    from ds01build.engine.usage import Sample
    from ds01build.workflow.containers import Host

__all__ = ["Measured", "measured", "samples"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a container uses. ``cpu`` counts processors: 1.5 is one and a half."""

    row: Row
    name: str
    cpu: float
    now: Sample
    gpus: str  # which it holds, as labels tell

    def answer(self) -> dict[str, object]:
        """Return the object that ``container-stats --json`` prints."""
        now = self.now
        return {
            "name": self.name,
            "full_name": self.row.name,
            "id": self.row.container_id,
            "cpu_percent": round(self.cpu * 100, 2),
            "memory": now.memory,
            "memory_limit": now.memory_limit,
            "network_received": now.received,
            "network_sent": now.sent,
            "block_read": now.read,
            "block_written": now.written,
            "processes": now.processes,
            "gpus": self.gpus or None,
        }


def samples(rows: Iterable[Row], host: Host) -> dict[str, Sample]:
    """Return what each container has used by now, by its id; those that have ended are left out."""
    engine = host.engine()
    found = {row.container_id: usage.sample(engine, row.container_id) for row in rows}
    return {key: each for key, each in found.items() if each is not None}


def measured(
    rows: Sequence[Row], before: Mapping[str, Sample], after: Mapping[str, Sample], host: Host
) -> tuple[Measured, ...]:
    """Return what containers that are in both samples used between them."""
    called = names(rows, host)
    return tuple(
        Measured(
            row=row,
            name=called[row.name],
            cpu=usage.processors(before[row.container_id], after[row.container_id]),
            now=after[row.container_id],
            gpus=gpus_of(row.labels),
        )
        for row in rows
        if row.container_id in before and row.container_id in after
    )
