"""The keys of resource-limits.yaml: what each limits, what it was called before, what it may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AGGREGATE", "BOUNDS", "GIB", "IGNORED", "Bound", "Value"]

Value = float | int | bool | None  # None is no limit

GIB = 1024**3
AGGREGATE = "aggregate"
_UNLIMITED = "unlimited"  # as some files of today have it
_LEAST = 6 * 1024**2  # bytes; no engine makes a container with less memory
_MOST = 2**53
_CORE = 0.01  # the least that an engine gives
_PERCENT = 100
# As Docker writes sizes: the units are powers of 1024, whatever they are called.
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_UNITS = "kmgtp"
_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([dhms]?)")
_HOURS = {"d": 24.0, "": 1.0, "h": 1.0, "m": 1 / 60, "s": 1 / 3600}
_QUOTA = re.compile(r"([0-9]{1,9})%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One limit: a field of Limits, and the keys that it is read from, the newest first."""

    field: str
    names: tuple[str, ...]
    check: Callable[[object], Value]  # of what is not null; raises ValueError with the problem
    absent: Value = None  # what holds where the file does not say

    def read(self, value: object) -> Value:
        """Return the limit that a value is: none for null. Raises ValueError with the problem."""
        if self.field != "allow_full_gpu" and value in (None, _UNLIMITED):
            return None
        return self.check(value)


def _size(value: object) -> int:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match:
        unit = match[2].lower()
        power = _UNITS.index(unit) + 1 if unit else 0
        return _whole(int(Decimal(match[1]) * 1024**power))
    return _whole(value, "a size, as 32g")


def _memory(value: object) -> int:
    size = _size(value)
    if size < _LEAST:
        raise ValueError(f"{size} bytes are less than the 6m that a container needs")
    return size


def _positive_size(value: object) -> int:
    size = _size(value)
    if not size:
        raise ValueError("0 bytes are no size; null is for no limit")
    return size


def _whole(value: object, what: str = "a whole number") -> int:
    number = _number(value, what)
    if number != int(number):
        raise ValueError(f"expected {what}, found {number:g}")
    return int(number)


def _number(value: object, what: str = "a number") -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        kinds = {bool: "a boolean", str: "a string", list: "an array", dict: "a table"}
        shown = f"{value!r:.40}" if isinstance(value, str) else kinds.get(type(value), "a date")
        problem = f"expected {what}, or null for no limit, found {shown}"
        raise ValueError(problem)  # noqa: TRY004 (what a check raises)
    if not isfinite(value) or abs(value) > _MOST:
        raise ValueError(f"expected {what}, at most 2**53")
    if value < 0:
        raise ValueError(f"{value:g} is negative; null is for no limit")
    return value


def _cores(value: object) -> float:
    number = float(_number(value))
    if number < _CORE:
        raise ValueError(f"{number:g} processors are less than {_CORE}; null is for no limit")
    return number


def _count(value: object) -> int:
    return _whole(value)


def _positive(value: object) -> int:
    if not (number := _whole(value)):
        raise ValueError("0 is not more than 0; null is for no limit")
    return number


def _share(value: object) -> float:
    return float(_number(value))


def _hours(value: object) -> float:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match:
        return float(match[1]) * _HOURS[match[2]]
    return float(_number(value, "hours"))


def _quota(value: object) -> float:
    """Return processors, for a quota of systemd: 100% are one."""
    match = _QUOTA.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise ValueError(f"{value!r:.40} is not a quota, as 9600% for 96 processors")
    return int(match[1]) / _PERCENT


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 (what a check raises)
    return value


BOUNDS = (
    Bound(field="cpus", names=("max_cpus", "cpus"), check=_cores, absent=16.0),
    Bound(field="memory", names=("memory",), check=_memory, absent=32 * GIB),
    Bound(field="memory_swap", names=("memory_swap",), check=_memory),
    Bound(field="shm_size", names=("shm_size",), check=_positive_size),
    Bound(field="pids", names=("pids_limit",), check=_positive, absent=4096),
    Bound(field="storage_tmp", names=("storage_tmp",), check=_positive_size),
    Bound(field="max_containers", names=("max_containers_per_user",), check=_count, absent=3),
    Bound(
        field="max_gpu_equivalents",
        names=("max_gpu_equivalents", "max_gpu_slots", "max_gpus_per_user", "max_mig_instances"),
        check=_share,
        absent=1.0,
    ),
    Bound(
        field="max_gpu_slots_per_container",
        names=("max_gpu_slots_per_container", "max_gpus_per_container", "max_mig_per_container"),
        check=_count,
        absent=1,
    ),
    Bound(field="allow_full_gpu", names=("allow_full_gpu",), check=_flag, absent=False),
    Bound(field="max_runtime_h", names=("max_runtime_h", "max_runtime"), check=_hours),
    Bound(field="idle_timeout_h", names=("idle_timeout_h", "idle_timeout"), check=_hours),
    Bound(
        field="gpu_hold_after_stop_h",
        names=("gpu_hold_after_stop_h", "gpu_hold_after_stop"),
        check=_hours,
    ),
    Bound(
        field="container_hold_after_stop_h",
        names=("container_hold_after_stop_h", "container_hold_after_stop"),
        check=_hours,
    ),
    Bound(field="max_tasks", names=("max_tasks",), check=_positive),
    # Of all containers of a user together, which the slice of systemd limits.
    Bound(field="aggregate_cpus", names=("aggregate.cpu_quota",), check=_quota),
    Bound(field="aggregate_memory", names=("aggregate.memory_max",), check=_memory),
    Bound(field="aggregate_memory_high", names=("aggregate.memory_high",), check=_memory),
    Bound(field="aggregate_tasks", names=("aggregate.tasks_max",), check=_positive),
    Bound(field="aggregate_gpus", names=("aggregate.gpu_limit",), check=_share),
)
# Of other programs of the site, or of nobody: nothing here obeys them.
IGNORED = frozenset(
    {
        "gpu_memory",
        "io_read_bps",
        "io_write_bps",
        "members",
        "policies",
        "priority",
        "reason",
        "reservation_end",
        "reservation_start",
        "reserved_gpus",
        "storage_data",
        "storage_workspace",
        "ulimit_nofile",
    }
)
