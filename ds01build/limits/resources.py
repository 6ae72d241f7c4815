"""What a container is given by its user's limits, on an engine that has so much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.container import Resources

if TYPE_CHECKING:
    from ds01build.limits.resolving import Limits

__all__ = ["Capacity", "resources"]

_SYSTEMD = "systemd"
_ALL_SWAP = -1  # an engine that is told nothing takes twice the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What an engine has in all; 0 and empty where it does not say."""

    cpus: int = 0
    memory: int = 0  # bytes
    cgroup_driver: str = ""


def resources(limits: Limits, capacity: Capacity) -> Resources:
    """Return what a container of the limits' user is given.

    An engine refuses more processors than it has, so that fewer are asked for. /dev/shm has no
    state without a size: where that is not limited, it may fill the memory.
    """
    cpus = limits.cpus
    if cpus is not None and capacity.cpus:
        cpus = min(cpus, float(capacity.cpus))
    swap = limits.memory_swap
    if swap is None and limits.memory is not None:
        swap = _ALL_SWAP
    shm = limits.shm_size or limits.memory or capacity.memory or None
    return Resources(
        cpus=cpus,
        memory=limits.memory,
        memory_swap=swap,
        shm_size=shm,
        pids=limits.pids,
        tmp=limits.storage_tmp,
        cgroup_parent=limits.slice if capacity.cgroup_driver == _SYSTEMD else "",
    )
