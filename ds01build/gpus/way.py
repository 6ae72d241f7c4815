"""How an engine is asked for NVIDIA's devices: by their CDI names, or for NVIDIA's own runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["way_of"]

_KIND = "nvidia.com/gpu="


def way_of(
    info: Mapping[str, object], uuids: Collection[str], *, is_podman: bool = False
) -> Literal["request", "cdi"]:
    """Return the way for devices of these UUIDs, by what an engine says of itself (GET /info).

    An engine that lists its CDI devices (Docker Engine API 1.50) is asked for them if those of the
    UUIDs are among them: files that nvidia-ctk makes may have others, by index alone. One that
    has directories for CDI (1.44) and does not list what is in them is asked so only where it has
    no runtime of NVIDIA's. Podman knows no other way.
    """
    if is_podman:
        return "cdi"
    listed = info.get("DiscoveredDevices")
    names = {_cdi_name(each) for each in listed} if isinstance(listed, list) else set()
    if names >= {f"{_KIND}{uuid}" for uuid in uuids}:
        return "cdi"
    runtimes, folders = info.get("Runtimes"), info.get("CDISpecDirs")
    has_runtime = isinstance(runtimes, dict) and "nvidia" in runtimes
    return "cdi" if folders and not listed and not has_runtime else "request"


def _cdi_name(row: object) -> str:
    if not isinstance(row, dict) or row.get("Source") != "cdi":
        return ""
    return str(row.get("ID"))
