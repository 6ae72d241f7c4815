"""Which GPUs a container gets, who has the others, and whether a container's are still there.

The engine is the only one who knows who holds what: a container holds what its labels name, whether
it runs or not, from the moment it is made until it is removed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.container import labels_of
from ds01build.engine.capacity import way
from ds01build.engine.containers import claims
from ds01build.errors import Ds01Error, Unavailable
from ds01build.events import Note, Warned
from ds01build.gpus import Holding, Wanted, allot, attainable, busy, concerns, held, unmet, usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.container import Gpus, Specification, Wish
    from ds01build.engine.api import Engine, EngineImage
    from ds01build.engine.containers import Row
    from ds01build.gpus import Inventory
    from ds01build.workflow.containers import Host
    from ds01build.workflow.settling import Objection

__all__ = ["allotted", "holdings", "missing", "most", "objections", "overview"]


def overview(host: Host) -> tuple[Inventory, tuple[Holding, ...] | None]:
    """Return what GPUs there are, and who holds them: None where no engine says so.

    Raises Unavailable for a driver that fails.
    """
    inventory = host.inventory()
    try:
        found = holdings(host.engine())
    except Unavailable as error:
        host.report(Note(f"who holds them is not known: {error}"))
        return inventory, None
    return inventory, found


def holdings(engine: Engine, besides: str = "") -> tuple[Holding, ...]:
    """Return what the containers of an engine hold, but for the one with the id ``besides``."""
    found = (_held(each) for each in claims(engine) if each.container_id != besides)
    return tuple(each for each in found if each is not None)


def _held(row: Row) -> Holding | None:
    return held(row.name, row.container_id, row.labels, is_running=row.is_running)


def allotted(wish: Wish, host: Host, image: EngineImage, besides: str = "") -> Gpus | None:
    """Return the devices that a container of ``image`` gets, None for one that wants none.

    What the container with the id ``besides`` holds is free for it: that is the one it replaces.
    Raises Ds01Error where there is not enough, or the driver is too old for the image.
    """
    if not (wish.gpus or wish.devices):
        return None
    inventory, engine = host.inventory(), host.engine()
    for told in inventory.lost:
        host.report(Warned(told))
    wanted = Wanted(uid=host.identity.uid, count=wish.gpus, devices=wish.devices)
    gpus = allot(inventory, holdings(engine, besides), wanted, host.caps)
    _preflight(image, inventory, gpus, host)
    if gpus.vendor != "nvidia":
        return gpus
    return replace(gpus, way=way(engine, gpus.devices))


def most(host: Host) -> int:
    """Return how many devices one more container of the user could have now.

    Raises Unavailable for a driver that fails.
    """
    inventory = host.inventory()
    if not inventory.devices:
        return 0
    return attainable(inventory, holdings(host.engine()), host.identity.uid, host.caps)


def _preflight(image: EngineImage, inventory: Inventory, gpus: Gpus, host: Host) -> None:
    """Raise Ds01Error where the driver cannot do what the image needs; warn where it may not."""
    variables = dict(
        str(each).split("=", 1) for each in image.config.get("Env") or () if "=" in str(each)
    )
    devices = [device for device in map(inventory.find, gpus.names) if device]
    if problem := unmet(variables, inventory, devices):
        raise Ds01Error(
            problem, hint="ds01 catalogue list shows bases for older drivers; ds01 rebase takes one"
        )
    for concern in concerns(variables, image.labels, inventory):
        host.report(Warned(concern))


def objections(wanted: Specification, host: Host, besides: str = "") -> tuple[Objection, ...]:
    """Return what may be said against a container beside others, nothing for one without GPUs.

    The container with the id ``besides`` holds none any more.
    """
    if wanted.gpus is None:
        return ()

    def object_to(others: Sequence[Row]) -> Ds01Error | None:
        there = [each for each in others if each.container_id != besides]
        problem = _conflict(there, wanted, host)
        return (
            Ds01Error(
                f"{problem} at the same moment: {wanted.name} was not made",
                hint="ds01 gpus shows what is free by now",
            )
            if problem
            else None
        )

    return (object_to,)


def _conflict(others: Iterable[Row], wanted: Specification, host: Host) -> str:
    """Say which device of a container is another one's, or that it is too many; else nothing."""
    inventory, uid = host.inventory(), wanted.identity.uid
    holdings = [each for each in map(_held, others) if each is not None]
    taken = busy(inventory, holdings)
    for slot, name in zip(wanted.gpus.slots, wanted.gpus.names, strict=True) if wanted.gpus else ():
        if name in taken:
            return f"GPU {slot} went to the container {taken[name].container}"
    own = held(wanted.name, "", labels_of(wanted), is_running=False)
    used = usage(inventory, [*holdings, *([own] if own else [])], uid)
    most = host.caps.equivalents
    return "" if most is None or used <= most else "another container of yours got a GPU"


def missing(labels: Mapping[str, str], host: Host) -> tuple[str, ...]:
    """Return the devices that a container's labels name and this machine no longer has.

    So is a GPU that was whole and is sliced by now, and a slice that was made anew, which has
    another UUID. For a container without devices no driver is asked.
    """
    found = held("", "", labels, is_running=False)
    if found is None or not found.devices:
        return ()
    inventory = host.inventory()
    return tuple(name for name in found.devices if inventory.find(name) is None)
