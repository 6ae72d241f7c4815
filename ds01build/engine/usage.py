"""What a container uses of processors, memory, network and disks, as its engine counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from ds01build.engine.api import asking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.engine.api import Engine

__all__ = ["Sample", "processors", "sample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What an engine has counted of a container until a moment. Sizes are bytes."""

    cpu: int  # nanoseconds that its processes have run
    system: int  # nanoseconds that all processors have run, or waited
    cores: int
    memory: int  # without what the kernel would give back at once
    memory_limit: int
    received: int
    sent: int
    read: int  # from block devices
    written: int
    processes: int


def processors(before: Sample, after: Sample) -> float:
    """Return how many processors a container used between two moments; 1.0 is one in full."""
    passed = after.system - before.system
    used = after.cpu - before.cpu
    return max(0.0, used / passed * after.cores) if passed > 0 else 0.0


def sample(engine: Engine, container: str) -> Sample | None:
    """Return what a container has used by now; None for one that does not run any more."""
    with asking(engine.place, f"what the container {container} uses"):
        try:
            answer = engine.client.stats(container, stream=False, one_shot=True)
        except NotFound:
            return None
    found = _sample(answer)
    return found if found.system else None


def _sample(answer: Mapping[str, Any]) -> Sample:
    cpu, memory = _part(answer, "cpu_stats"), _part(answer, "memory_stats")
    usage, counted = _part(cpu, "cpu_usage"), _part(memory, "stats")
    # Of cgroups in version 1 the first, of version 2 the second.
    idle = _number(counted, "total_inactive_file") or _number(counted, "inactive_file")
    networks = [each for each in _part(answer, "networks").values() if isinstance(each, dict)]
    blocks = _part(answer, "blkio_stats").get("io_service_bytes_recursive") or ()
    return Sample(
        cpu=_number(usage, "total_usage"),
        system=_number(cpu, "system_cpu_usage"),
        cores=_number(cpu, "online_cpus") or len(usage.get("percpu_usage") or ()) or 1,
        memory=max(0, _number(memory, "usage") - idle),
        memory_limit=_number(memory, "limit"),
        received=sum(_number(each, "rx_bytes") for each in networks),
        sent=sum(_number(each, "tx_bytes") for each in networks),
        read=_bytes(blocks, "read"),
        written=_bytes(blocks, "write"),
        processes=_number(_part(answer, "pids_stats"), "current"),
    )


def _part(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}


def _number(answer: Mapping[str, Any], name: str) -> int:
    found = answer.get(name)
    return found if isinstance(found, int) else 0


def _bytes(blocks: object, operation: str) -> int:
    rows = [each for each in blocks if isinstance(each, dict)] if isinstance(blocks, list) else []
    return sum(_number(each, "value") for each in rows if str(each.get("op")).lower() == operation)
