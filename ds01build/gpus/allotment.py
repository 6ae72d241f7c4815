"""Which GPUs a container gets: a pure choice among those that nobody holds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ds01build.container import Gpus
from ds01build.errors import Ds01Error
from ds01build.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ds01build.gpus.holding import Holding
    from ds01build.gpus.inventory import Device, Gpu, Inventory

__all__ = ["Caps", "Wanted", "allot", "attainable", "busy", "usage"]

_KFD = "/dev/kfd"  # what every program opens that computes on an AMD GPU
_HINT = "ds01 gpus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What a user may have, None for as much as there is."""

    slots: int | None = None  # devices of one container
    equivalents: float | None = None  # of all his containers together: a whole GPU is 1
    allows_whole: bool = True  # whole GPUs, not their slices alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a container is to get: so many devices, or those that are named, by UUID or slot."""

    uid: int  # of the container's user
    count: int = 0
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All that decides what a user may get now."""

    inventory: Inventory
    taken: Mapping[str, Holding]
    held: Fraction  # by him, in whole GPUs
    caps: Caps

    @property
    def free(self) -> list[Device]:
        """What he could get, by itself."""
        return [
            each
            for each in self.inventory.devices
            if each.uuid not in self.taken and (each.slice or self.caps.allows_whole)
        ]

    @property
    def left(self) -> Fraction | None:
        """How much more he may have, in whole GPUs; None for any."""
        if self.caps.equivalents is None:
            return None
        return Fraction(self.caps.equivalents) - self.held


def attainable(inventory: Inventory, taken: Iterable[Holding], uid: int, caps: Caps) -> int:
    """Return how many devices one more container of a user could have now."""
    case = _case(inventory, taken, uid, caps)
    return len(_picked(case, len(case.free) if caps.slots is None else caps.slots))


def allot(inventory: Inventory, taken: Iterable[Holding], wanted: Wanted, caps: Caps) -> Gpus:
    """Return the devices for a container: those that are named, or the first that are free.

    Slices come before whole GPUs, those of the GPU that has the fewest in use first, then by
    index. Raises Ds01Error that says what there is and who has it, where it is not enough.
    """
    case = _case(inventory, taken, wanted.uid, caps)
    if not inventory.devices:
        raise Ds01Error(_none(inventory), hint="--cpu-only makes a container without a GPU")
    if wanted.devices:
        return _gpus(inventory, _named(case, wanted))
    most = wanted.count if caps.slots is None else min(wanted.count, caps.slots)
    chosen = _picked(case, most)
    if len(chosen) < wanted.count:
        raise Ds01Error(_refusal(case, wanted), hint=_HINT)
    return _gpus(inventory, chosen)


def _case(inventory: Inventory, taken: Iterable[Holding], uid: int, caps: Caps) -> _Case:
    holdings = tuple(taken)
    return _Case(
        inventory=inventory,
        taken=busy(inventory, holdings),
        held=usage(inventory, holdings, uid),
        caps=caps,
    )


def busy(inventory: Inventory, taken: Iterable[Holding]) -> Mapping[str, Holding]:
    """Return who keeps each device from others, by UUID.

    A whole GPU goes with its slices, and a slice with the whole: neither is free while the other
    one is held.
    """
    found: dict[str, Holding] = {}
    for holding in taken:
        for name in holding.devices:
            for uuid in _blocked(inventory, name):
                found.setdefault(uuid, holding)
    return found


def _blocked(inventory: Inventory, name: str) -> Iterable[str]:
    device = inventory.find(name)
    if device is not None:
        return (device.uuid, device.gpu.uuid)
    gpu = _whole(inventory, name)
    return () if gpu is None else (gpu.uuid, *(each.uuid for each in gpu.slices))


def _whole(inventory: Inventory, name: str) -> Gpu | None:
    """Return the GPU of a UUID or slot that was whole when it was given, and is sliced by now."""
    return next((each for each in inventory.gpus if name in (each.uuid, str(each.index))), None)


def usage(inventory: Inventory, taken: Iterable[Holding], uid: int) -> Fraction:
    """Return how much a user holds, in whole GPUs; what no label names counts as whole."""
    return sum((_held(inventory, each) for each in taken if each.uid == uid), Fraction(0))


def _held(inventory: Inventory, holding: Holding) -> Fraction:
    devices = map(inventory.find, holding.devices)
    named = sum((each.share if each else Fraction(1) for each in devices), Fraction(0))
    return named + max(holding.count - len(holding.devices), 0)


def _picked(case: _Case, most: int) -> list[Device]:
    """Return up to ``most`` free devices that the user may have together."""
    free, left = case.free, case.left
    chosen: list[Device] = []
    while free and len(chosen) < most:
        names = {*case.taken, *(each.uuid for each in chosen)}
        device = min(free, key=lambda each: _order(each, names))
        free.remove(device)
        if left is not None and device.share > left:
            continue
        left = None if left is None else left - device.share
        chosen.append(device)
    return chosen


def _order(device: Device, taken: Collection[str]) -> tuple[bool, int, int, int]:
    used = sum(each.uuid in taken for each in device.gpu.slices)
    part = device.slice
    return (part is None, used, device.gpu.index, part.index if part else 0)


def _named(case: _Case, wanted: Wanted) -> list[Device]:
    """Return the devices that were asked for by name. Raises Ds01Error for what he cannot have."""
    chosen: list[Device] = []
    for name in wanted.devices:
        device = case.inventory.find(name)
        if device is None:
            raise Ds01Error(_unknown(case.inventory, name), hint=_HINT)
        if device.uuid in case.taken:
            raise Ds01Error(_in_use(device, case.taken[device.uuid], wanted.uid), hint=_HINT)
        if device.slice is None and not case.caps.allows_whole:
            raise Ds01Error(f"GPU {device.slot} is whole, and you may have slices only", hint=_HINT)
        if device not in chosen:
            chosen.append(device)
    share = sum((each.share for each in chosen), Fraction(0))
    slots, left = case.caps.slots, case.left
    if (slots is not None and len(chosen) > slots) or (left is not None and share > left):
        raise Ds01Error(_refusal(case, wanted), hint=_HINT)
    return chosen


def _none(inventory: Inventory) -> str:
    if inventory.lost:
        return f"no GPU of this machine answers: {'; '.join(inventory.lost)}"
    if inventory.gpus:
        return "the GPUs of this machine are sliced, and no slices were made of them"
    return "this machine has no GPU, or no driver for it"


def _unknown(inventory: Inventory, name: str) -> str:
    gpu = _whole(inventory, name)
    if gpu is not None:
        slots = ", ".join(f"{gpu.index}.{each.index}" for each in gpu.slices) or "none yet"
        return f"GPU {gpu.index} is there as its slices only: {slots}"
    slots = ", ".join(each.slot for each in inventory.devices)
    return f"there is no GPU {name!r:.100}; there are {slots}"


def _in_use(device: Device, holding: Holding, uid: int) -> str:
    state = "runs" if holding.is_running else "is stopped, and keeps it"
    whose = "your container" if holding.uid == uid else "the container"
    return f"GPU {device.slot} is held by {whose} {holding.container}, which {state}"


def _refusal(case: _Case, wanted: Wanted) -> str:
    """Say what was asked for, what can be had, and why it is no more."""
    asked = len(wanted.devices) or wanted.count
    caps, free, devices = case.caps, case.free, case.inventory.devices
    most = len(free) if caps.slots is None else min(len(free), caps.slots)
    can = len(_picked(case, most))
    reasons = [f"{len(free)} of {counted(len(devices), 'device')} are free"]
    if not caps.allows_whole:
        reasons[0] += " that are slices"
    if caps.equivalents is not None:
        reasons.append(f"you hold {_number(case.held)} of {_number(caps.equivalents)} GPUs")
    if caps.slots is not None:
        reasons.append(f"a container may have {caps.slots}")
    return (
        f"{counted(asked, 'GPU')} asked for, and {can or 'none'} can be had: {'; '.join(reasons)}"
    )


def _number(value: Fraction | float) -> str:
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def _gpus(inventory: Inventory, chosen: Sequence[Device]) -> Gpus:
    ordered = sorted(
        chosen, key=lambda each: (each.gpu.index, each.slice.index if each.slice else 0)
    )
    uuids = tuple(each.uuid for each in ordered)
    slots = tuple(each.slot for each in ordered)
    if inventory.vendor != "rocm":
        return Gpus(vendor="nvidia", devices=uuids, slots=slots)
    nodes = dict.fromkeys(node for each in ordered for node in each.gpu.nodes)
    groups = dict.fromkeys(group for each in ordered for group in each.gpu.groups)
    return Gpus(
        vendor="rocm",
        devices=(_KFD, *nodes),
        slots=slots,
        groups=tuple(groups),
        uuids=uuids,
    )
