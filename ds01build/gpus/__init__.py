"""GPUs as values: what a machine has, who holds what, which of them a container gets."""

from __future__ import annotations

from ds01build.gpus.allotment import Caps, Wanted, allot, attainable, busy, usage
from ds01build.gpus.holding import Holding, held
from ds01build.gpus.inventory import Device, Gpu, Inventory, Slice
from ds01build.gpus.requirements import concerns, unmet
from ds01build.gpus.way import way_of

__all__ = [
    "Caps",
    "Device",
    "Gpu",
    "Holding",
    "Inventory",
    "Slice",
    "Wanted",
    "allot",
    "attainable",
    "busy",
    "concerns",
    "held",
    "unmet",
    "usage",
    "way_of",
]
