"""What an engine has in all, and how it keeps containers apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ds01build.engine.api import asking
from ds01build.gpus import way_of
from ds01build.limits import Capacity

if TYPE_CHECKING:
    from collections.abc import Collection

    from ds01build.engine.api import Engine

__all__ = ["capacity", "way"]


def capacity(engine: Engine) -> Capacity:
    """Return what an engine says of its machine."""
    with asking(engine.place, "what its machine has"):
        found = engine.client.info()
    return Capacity(
        cpus=_count(found.get("NCPU")),
        memory=_count(found.get("MemTotal")),
        cgroup_driver=str(found.get("CgroupDriver") or ""),
    )


def way(engine: Engine, uuids: Collection[str]) -> Literal["request", "cdi"]:
    """Return how an engine is asked for NVIDIA's devices of these UUIDs."""
    with asking(engine.place, "how it hands out GPUs"):
        answer = engine.client.info()
    return way_of(answer, uuids, is_podman=engine.kind == "podman")


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 2**63 else 0
