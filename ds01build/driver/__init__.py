"""What the drivers of this machine's GPUs say: NVIDIA's through its library, AMD's in sysfs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.driver import amd, nvidia

if TYPE_CHECKING:
    from ds01build.gpus import Inventory

__all__ = ["inventory"]


def inventory() -> Inventory:
    """Return the GPUs of this machine: NVIDIA's where there are any, else AMD's.

    A machine without a driver has none, which is no error. Raises Unavailable where a driver
    answers with something that cannot be used.
    """
    library = nvidia.library()
    found = nvidia.inventory(library) if library else None
    return found if found and (found.gpus or found.lost) else amd.inventory(Path("/"))
