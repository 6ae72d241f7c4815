"""What machine code a base can run: the wheel tags it accepts."""

from __future__ import annotations

from dataclasses import dataclass

from packaging import tags

__all__ = ["MACHINES", "Platform", "wheel_tags"]

# Debian's and OCI's names of architectures, and the kernel's.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

# The first manylinux policies had names instead of glibc versions (PEP 600).
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The interpreter's version, the C library's, and the processor of a base."""

    python: str  # such as 3.11.2
    glibc: tuple[int, int]
    machine: str  # as uname -m prints it, such as x86_64


def wheel_tags(platform: Platform) -> dict[str, int]:
    """Return the tags of wheels that run on ``platform``, each with its rank; 0 is the best."""
    major, minor = (int(part) for part in platform.python.split(".")[:2])
    systems = _systems(platform)
    ordered = [
        *tags.cpython_tags((major, minor), [f"cp{major}{minor}"], systems),
        *tags.compatible_tags((major, minor), f"cp{major}{minor}", systems),
    ]
    return {str(tag): rank for rank, tag in enumerate(ordered)}


def _systems(platform: Platform) -> list[str]:
    systems: list[str] = []
    for minor in range(platform.glibc[1], 4, -1):
        systems.append(f"manylinux_2_{minor}_{platform.machine}")
        legacy = _LEGACY.get((2, minor))
        systems += [f"{legacy}_{platform.machine}"] if legacy else []
    return [*systems, f"linux_{platform.machine}"]
