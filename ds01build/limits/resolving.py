"""Which limits a user has, and where each comes from.

The rules are those of the site's other programs, odd ones included (docs/limits.md).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ds01build.container.names import plain_name
from ds01build.limits.bounds import AGGREGATE, BOUNDS, GIB
from ds01build.limits.rules import wrong
from ds01build.quantities import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.limits.bounds import Bound
    from ds01build.limits.rules import Rules, Setting

__all__ = ["OVERRIDE", "Limits", "resolve"]

OVERRIDE = "override"  # the group of a user with a section of his own
_SHM = 16 * GIB
_ABSENT = "ds01, since no file says it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a user's containers may use, and how many there may be; None for no limit.

    Sizes are bytes, times hours. ``memory``, ``cpus`` and the like are of one container, those of
    ``aggregate`` of all together. ``origins`` says by field where a value comes from.
    """

    source: str = ""  # the file; empty where there is none
    login: str = ""
    group: str = ""
    cpus: float | None = None
    memory: int | None = None
    memory_swap: int | None = None  # memory and swap together
    shm_size: int | None = None
    pids: int | None = None
    storage_tmp: int | None = None  # of a file system in memory at /tmp; None: it is on the disk
    max_containers: int | None = None  # running or not
    max_gpu_equivalents: float | None = None  # GPUs of all containers; a slice is a part of one
    max_gpu_slots_per_container: int | None = None
    allow_full_gpu: bool = True
    max_runtime_h: float | None = None
    idle_timeout_h: float | None = None
    gpu_hold_after_stop_h: float | None = None
    container_hold_after_stop_h: float | None = None
    max_tasks: int | None = None
    aggregate_cpus: float | None = None
    aggregate_memory: int | None = None
    aggregate_memory_high: int | None = None
    aggregate_tasks: int | None = None
    aggregate_gpus: float | None = None
    slice: str = ""  # of systemd, where the site wants one
    origins: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()  # what one would not expect of them

    @property
    def gpu_equivalents(self) -> float | None:
        """What all GPUs of a user may come to, by both limits that there are for it."""
        both = (self.max_gpu_equivalents, self.aggregate_gpus)
        return min((each for each in both if each is not None), default=None)

    def origin(self, field: str) -> str:
        """Return where the value of a field comes from: a dotted path, or words."""
        return dict(self.origins).get(field, "nobody limits it")


def resolve(rules: Rules, login: str) -> Limits:
    """Return the limits of a user. Raises Ds01Error for those that contradict each other."""
    names = (login, plain_name(login))
    group = next((each for each in rules.groups if each.members.intersection(names)), None)
    default = next((each for each in rules.groups if each.name == rules.default_group), None)
    own = next((each for each in names if each in rules.overrides), None)
    notes = []
    if own is not None:
        name, upper = OVERRIDE, rules.overrides[own]
        left = group or default
        if left:
            notes.append(f"{own} has a section, so that the values of {left.name} do not count")
    elif group is not None:
        name, upper = group.name, group.settings
    else:
        name, upper = rules.default_group, default.settings if default else {}
    merged = _merged(rules.defaults, upper)
    chosen = {bound.field: _chosen(bound, merged) for bound in BOUNDS}
    limits = Limits(
        source=rules.source,
        login=login,
        group=name,
        slice=f"ds01-{name}-{names[1]}.slice" if rules.has_slices and names[1] else "",
        notes=(*notes, *_shadowed(merged)),
    )
    return _checked(_filled(limits, rules, chosen), chosen["memory_swap"])


def _merged(lower: Mapping[str, Setting], upper: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return one section over another: a table of aggregate limits is replaced as a whole."""
    prefix = f"{AGGREGATE}."
    if any(name.startswith(prefix) for name in upper):
        lower = {name: each for name, each in lower.items() if not name.startswith(prefix)}
    return {**lower, **upper}


def _chosen(bound: Bound, merged: Mapping[str, Setting]) -> Setting | None:
    """Return what counts of a key's names: the newest one, whichever section has it."""
    return next((merged[name] for name in bound.names if name in merged), None)


def _shadowed(merged: Mapping[str, Setting]) -> Iterator[str]:
    for bound in BOUNDS:
        found = [merged[name] for name in bound.names if name in merged]
        for other in found[1:]:
            yield f"{other.path} does not count, since {found[0].path} is there"


def _filled(limits: Limits, rules: Rules, chosen: Mapping[str, Setting | None]) -> Limits:
    """Return limits with all values; what no section says is what the site's programs take."""
    values: dict[str, Any] = {}
    origins = {}
    for bound in BOUNDS:
        setting = chosen[bound.field]
        values[bound.field] = bound.absent if setting is None else setting.value
        if setting is not None and setting.source:
            inside = setting.source == rules.source
            origins[bound.field] = setting.path if inside else str(setting)
        elif values[bound.field] is not None:
            origins[bound.field] = _ABSENT
    memory = values["memory"]
    if chosen["memory_swap"] is None:
        values["memory_swap"] = memory
        origins["memory_swap"] = "memory, since no file says it"
    shm = values["shm_size"]
    if chosen["shm_size"] is None:
        values["shm_size"] = min(_SHM, memory or _SHM)
        origins["shm_size"] = _ABSENT
    elif shm is not None and memory is not None and shm > memory:
        # What lies in it counts as memory, so that there never was more.
        values["shm_size"] = memory
        origins["shm_size"] = f"memory, since {origins['shm_size']} ({readable(shm)}) is more"
    return replace(limits, **values, origins=tuple(sorted(origins.items())))


def _checked(limits: Limits, swap: Setting | None) -> Limits:
    """Return limits that an engine can obey, or raise Ds01Error with what it cannot."""
    memory, both = limits.memory, limits.memory_swap
    if swap is None or both is None or (memory is not None and both >= memory):
        return limits
    shown = "has no limit" if memory is None else f"is {readable(memory)}"
    told = f"memory, which {shown} ({limits.origin('memory')})"
    raise wrong([f"{swap}: {readable(both)} are less than {told}"], [swap.source])


assert {bound.field for bound in BOUNDS} <= {each.name for each in fields(Limits)}
