"""Who holds which GPU: what labels of containers say, by whatever tool they were written.

Whoever may use the engine can write any label, so they are read as hostile: one that is not
wholly as it should be says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.container.devices import device_names
from ds01build.container.labels import login_of, uid_of
from ds01build.container.names import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Holding", "held"]

_COUNT = re.compile(r"[0-9]{1,2}")
_UUIDS = ("ds01.gpu.uuids", "ds01.gpu.uuid")
_SLOTS = ("ds01.gpu.slots", "ds01.gpu.allocated")
_COUNTS = ("ds01.gpu.slot_count", "ds01.gpu.count", "ds01.gpus", "aime.mlc.GPUS")
_ANY = ("ds01.gpus", "aime.mlc.GPUS")  # devices, a number or 'all', as docker run --gpus takes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one container holds: ``devices`` by UUID or slot, and how many in all.

    ``count`` is higher where labels do not say which; all of them are counted, and only those that
    are named are kept from others. ``is_all`` is the word of older tools for whatever there is.
    """

    container: str
    container_id: str
    uid: int | None  # of its user, None where nothing says
    login: str
    is_running: bool
    devices: tuple[str, ...] = ()
    count: int = 0
    is_all: bool = False


def held(
    container: str, container_id: str, labels: Mapping[str, str], *, is_running: bool
) -> Holding | None:
    """Return what a container of that full name holds by its labels, None for nothing."""
    devices = _named(labels)
    count = max(len(devices), next(filter(None, (_count(labels, key) for key in _COUNTS)), 0))
    is_all = not devices and any(labels.get(key) == "all" for key in _ANY)
    if not (count or is_all):
        return None
    known = uid_of(labels)
    of_name = short_name(container)
    return Holding(
        container=container,
        container_id=container_id,
        uid=known if known is not None else of_name[1] if of_name else None,
        login=login_of(labels),
        is_running=is_running,
        devices=devices,
        count=count,
        is_all=is_all,
    )


def _named(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices that labels name: by UUID, else by slot."""
    for key in (*_UUIDS, *_SLOTS):
        if found := device_names(labels.get(key, "")):
            return found
    for key in _ANY:
        text = labels.get(key, "").strip("\"'").removeprefix("device=")
        if not _COUNT.fullmatch(text) and (found := device_names(text)):
            return found
    return ()


def _count(labels: Mapping[str, str], key: str) -> int:
    text = labels.get(key, "")
    return int(text) if _COUNT.fullmatch(text) else 0
