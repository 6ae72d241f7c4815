"""GPUs as they are shown: one device a row, and what is to be said of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.gpus.allotment import busy
from ds01build.quantities import counted, readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.gpus.holding import Holding
    from ds01build.gpus.inventory import Device, Inventory

__all__ = ["HEADING", "answer", "rows", "summary"]

HEADING = ("GPU", "NAME", "MEMORY", "SHARE", "HELD BY", "UUID")
_VENDORS = {"nvidia": "NVIDIA", "rocm": "AMD"}


def answer(inventory: Inventory, holdings: Iterable[Holding] | None) -> dict[str, object]:
    """Return the GPUs of a machine for JSON; ``holdings`` are None where nobody knows them."""
    taken = busy(inventory, holdings or ())
    return {
        "schema": "ds01.gpus/1",
        "vendor": inventory.vendor,
        "driver": inventory.driver,
        "cuda": inventory.cuda,
        "lost": list(inventory.lost),
        "devices": [_device(each, taken.get(each.uuid)) for each in inventory.devices],
        "holders_known": holdings is not None,
        "others": [
            {
                **_holder(each),
                "devices": list(each.devices),
                "count": each.count,
                "is_all": each.is_all,
            }
            for each in _others(inventory, holdings or ())
        ],
    }


def rows(inventory: Inventory, holdings: Iterable[Holding] | None) -> Iterator[tuple[str, ...]]:
    """Yield a row of cells under HEADING for each device that can be handed out."""
    taken = busy(inventory, holdings or ())
    for each in inventory.devices:
        holding = taken.get(each.uuid)
        nobody = "?" if holdings is None else "nobody"
        yield (
            each.slot,
            f"{each.slice.profile or 'a slice'} of {each.gpu.name}"
            if each.slice
            else each.gpu.name,
            readable(each.memory) if each.memory else "?",
            f"{float(each.share):g}",
            _state(holding) if holding else nobody,
            each.uuid,
        )


def summary(inventory: Inventory, holdings: Iterable[Holding] | None) -> Iterator[str]:
    """Yield what is to be said besides: of the driver, of what is free, of labels that lie."""
    held = None if holdings is None else tuple(holdings)
    taken, devices = busy(inventory, held or ()), inventory.devices
    yield from inventory.lost
    if not inventory.gpus:
        yield "this machine has no GPU, or no driver for it"
    else:
        free = sum(each.uuid not in taken for each in devices)
        cuda = f", CUDA {inventory.cuda}" if inventory.cuda else ""
        told = "" if held is None else f"; {free} of {counted(len(devices), 'device')} are free"
        yield f"driver of {_VENDORS[inventory.vendor]} {inventory.driver or '?'}{cuda}{told}"
    for gpu in inventory.gpus:
        if gpu.is_sliced and not gpu.slices:
            yield f"GPU {gpu.index} is sliced, and no slices were made of it"
    for each in _others(inventory, held or ()):
        named = ", ".join(each.devices) or "without their names"
        count = "all GPUs" if each.is_all else counted(each.count, "GPU")
        yield f"{each.container} says it holds {count}: {named}"


def _device(each: Device, holding: Holding | None) -> dict[str, object]:
    return {
        "slot": each.slot,
        "uuid": each.uuid,
        "name": each.gpu.name,
        "profile": each.slice.profile if each.slice else "",
        "memory": each.memory,
        "share": float(each.share),
        "held_by": _holder(holding) if holding else None,
    }


def _holder(holding: Holding) -> dict[str, object]:
    return {
        "container": holding.container,
        "user": holding.login,
        "uid": holding.uid,
        "is_running": holding.is_running,
    }


def _state(holding: Holding) -> str:
    return f"{holding.container}{'' if holding.is_running else ' (stopped)'}"


def _others(inventory: Inventory, holdings: Iterable[Holding]) -> list[Holding]:
    """Return who holds something that is no device of the machine, or that no label names."""
    return [
        each
        for each in holdings
        if each.is_all or each.count > sum(bool(inventory.find(name)) for name in each.devices)
    ]
