"""Containers of images that are in an engine: what they are to be, and how they come."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.catalogue import framework_of
from ds01build.container import (
    Identity,
    Policy,
    Specification,
    Wish,
    check,
    container_name,
    jupyter,
    read,
    shells,
)
from ds01build.engine import containers, creating
from ds01build.engine.capacity import capacity
from ds01build.engine.holdings import named
from ds01build.engine.replacing import aside
from ds01build.errors import Ds01Error
from ds01build.events import Note
from ds01build.gpus import Caps, Inventory
from ds01build.labels import BASE
from ds01build.limits import Limits, resources
from ds01build.workflow import allotting, limiting, owned, workspaces
from ds01build.workflow.settling import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.container.specification import Network
    from ds01build.engine.api import Engine, EngineImage
    from ds01build.engine.containers import Row
    from ds01build.events import Report

__all__ = [
    "Host",
    "bring_up",
    "create",
    "loading",
    "recreate",
    "replaced",
    "specified",
    "wish_for",
]

_HIGHEST = 2**31 - 1  # uid
_TOKEN = 32  # bytes of Jupyter's


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """This machine and a user of it, as the workflows of containers see them."""

    engine: Callable[[], Engine]  # raises Unavailable; connects once
    identity: Identity
    home: Path  # of the user, on the host
    report: Report
    now: Callable[[], str]  # the time in UTC, RFC 3339
    network: Network = "bridge"  # of containers that ask for no other
    policy: Policy = field(default_factory=Policy)
    inventory: Callable[[], Inventory] = Inventory  # its GPUs; raises Unavailable
    limits: Callable[[], Limits] = Limits  # of the user; read once, raises Ds01Error

    @property
    def caps(self) -> Caps:
        """How many GPUs the user may have."""
        limits = self.limits()
        return Caps(
            slots=limits.max_gpu_slots_per_container,
            equivalents=limits.gpu_equivalents,
            allows_whole=limits.allow_full_gpu,
        )


def wish_for(name: str, image: str, host: Host) -> Wish:
    """Return the container that belongs to an image: its project's directory is its workspace."""
    short = container_name(name)
    return Wish(
        name=short,
        image=image,
        workspace=str(host.home / "workspace" / short),
        network=host.network,
    )


def specified(wish: Wish, host: Host, besides: str = "") -> Specification:
    """Return what a container of ``wish`` is going to be; nothing is made of it yet.

    GPUs of the container with the id ``besides`` are free for it. Raises Ds01Error for what cannot
    be: a name, a workspace, an image that is not there or needs a newer driver, GPUs that others
    hold, an engine that gives users other uids.
    """
    check(wish, host.policy)
    if max(host.identity.uid, host.identity.gid) > _HIGHEST:
        raise Ds01Error(
            f"you are uid {host.identity.uid}: engines take none above {_HIGHEST}", hint="id"
        )
    engine = host.engine()
    if containers.maps_users(engine):
        raise Ds01Error(
            f"the engine at {engine.place} is rootless, or has user namespaces: what is written"
            f" in a workspace would not belong to uid {host.identity.uid}",
            hint="docker context ls, for an engine that runs as root",
        )
    workspaces.require_mounts(wish, host)
    image = engine.inspect(wish.image)
    if image is None:
        raise Ds01Error(
            f"the engine at {engine.place} has no image {wish.image}", hint=loading(wish.image)
        )
    variables = dict(
        str(each).split("=", 1) for each in image.config.get("Env") or () if "=" in each
    )
    facts = {
        "created_at": host.now(),
        "image_id": str(image.engine_id),
        **_base_of(image, wish.image),
    }
    return Specification(
        wish=wish,
        identity=host.identity,
        resources=resources(host.limits(), capacity(engine)),
        policy=host.policy,
        gpus=allotting.allotted(wish, host, image, besides),
        path=variables.get("PATH", ""),
        facts=tuple(sorted(facts.items())),
        legacy=host.policy.mlc_labels or wish.has_mlc_labels,
        replaces=besides,
    )


def loading(tag: str) -> str:
    """Return what helps where an engine lacks an image, which the store may have."""
    parts = named(tag)
    if parts is None:
        return "image-list shows what there is"
    return f"ds01 image load {parts[1]}, if image-list shows it"


def _base_of(image: EngineImage, reference: str) -> dict[str, str]:
    """Return which framework an image stands on, and for which processors, as labels say it."""
    framework = framework_of(image.labels.get(BASE) or reference)
    if framework:
        architectures = ";".join(framework.architectures) or "-"
        return {"framework": f"{framework.name}-{framework.version}", "arch": architectures}
    return {key: image.labels.get(f"ds01.{key}", "") or "-" for key in ("framework", "arch")}


def create(wish: Wish, host: Host) -> Specification:
    """Create a container that is stopped, and its workspace where there is none.

    What died half-way before is put right first. Where anything fails, nothing of it is left.
    Raises Ds01Error, also for one container more than the user may have, Unavailable.
    """
    return _created(wish, host)[0]


def _created(wish: Wish, host: Host, besides: str = "") -> tuple[Specification, str]:
    """Create a container, and return what it is and its id.

    The one with the id ``besides`` is replaced by it, so that there are no more than before.
    """
    wanted = specified(wish, host, besides)
    engine = host.engine()
    number = () if besides else limiting.objections(wanted, host.limits())
    objections = [*number, *allotting.objections(wanted, host, besides)]
    owned.put_right(host)
    if containers.find(engine, wanted.name) is not None:
        raise creating.taken(wanted.name)
    if not besides:
        limiting.require_room(engine, host.identity.uid, host.limits())
    files = (*shells.files(wanted), *jupyter.files(wish, secrets.token_hex(_TOKEN)))
    wanted = replace(wanted, files=(*wanted.files, *files))
    with workspaces.workspace(Path(wish.workspace), host):
        workspaces.require_mounts(wish, host)
        made = creating.create(
            engine, wanted, lambda made: settle(engine, made, objections, besides)
        )
    return wanted, made


def bring_up(wish: Wish, host: Host) -> Specification:
    """Create a container and start it; one that does not start is removed again.

    Raises Ds01Error, Unavailable.
    """
    return _brought_up(wish, host)


def _brought_up(wish: Wish, host: Host, besides: str = "") -> Specification:
    made, container_id = _created(wish, host, besides)
    try:
        containers.start(host.engine(), made.name)
    except BaseException:
        with suppress(Ds01Error):
            containers.remove(host.engine(), container_id, volumes=True, is_killed=True)
        raise
    return made


def recreate(row: Row, host: Host, image: str = "") -> Specification:
    """Put a new container in the place of another, of ``image`` if given, as it was wished.

    It runs if the other one did. That is removed last: where anything fails it is as before.
    Raises Ds01Error, Unavailable.
    """
    wish = read(row.labels)
    if wish is None:
        raise Ds01Error(
            f"the labels of {row.name} do not say what it is to be",
            hint=f"container-remove {row.name}, and then container-create",
        )
    return replaced(row, replace(wish, image=image or wish.image), host, is_started=row.is_running)


def replaced(row: Row, wish: Wish, host: Host, *, is_started: bool) -> Specification:
    """Put a new container, of the same name, in the place of another, and start it if it is to be.

    The other one is removed last: where anything fails it is as before. Raises Ds01Error,
    Unavailable.
    """
    specified(wish, host, row.container_id)  # which fails before anything is stopped
    if row.is_running:
        then = "" if is_started else ", and the new one is stopped: container-start"
        host.report(Note(f"{row.name} runs: what runs in it ends{then}"))
    with aside(host.engine(), row):
        if is_started:
            return _brought_up(wish, host, row.container_id)
        return _created(wish, host, row.container_id)[0]
