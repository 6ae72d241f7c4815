"""Containers of images that are in an engine: what they are to be, and how they come."""

from __future__ import annotations

import os
import secrets
import shlex
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.container import (
    Identity,
    Policy,
    Specification,
    Wish,
    check,
    container_name,
    full_name,
    jupyter,
    read,
)
from ds01build.container.labels import uid_of
from ds01build.engine import containers
from ds01build.errors import Ds01Error
from ds01build.events import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.container.specification import Network
    from ds01build.engine.api import Engine
    from ds01build.engine.containers import Row
    from ds01build.events import Report

__all__ = [
    "Host",
    "bring_up",
    "create",
    "find",
    "of_image",
    "own",
    "recreate",
    "specified",
    "wish_for",
]

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


def wish_for(name: str, image: str, host: Host) -> Wish:
    """Return the container that belongs to an image: its project's directory is its workspace."""
    short = container_name(name)
    return Wish(
        name=short,
        image=image,
        workspace=str(host.home / "workspace" / short),
        network=host.network,
    )


def specified(wish: Wish, host: Host) -> Specification:
    """Return what a container of ``wish`` is going to be; nothing is made of it yet.

    Raises Ds01Error for what cannot be: a name, a workspace, an image that is not there, an engine
    that gives users other uids.
    """
    check(wish, host.policy)
    engine = host.engine()
    if containers.maps_users(engine):
        raise Ds01Error(
            f"the engine at {engine.place} is rootless, or has user namespaces: what is written"
            f" in a workspace would not belong to uid {host.identity.uid}",
            hint="docker context ls, for an engine that runs as root",
        )
    image = engine.inspect(wish.image)
    if image is None:
        raise Ds01Error(
            f"the engine at {engine.place} has no image {wish.image}",
            hint="image-list shows what there is; ds01 image load NAME loads one of the store",
        )
    variables = dict(
        str(each).split("=", 1) for each in image.config.get("Env") or () if "=" in each
    )
    facts = {"created_at": host.now(), "image_id": str(image.engine_id)}
    for key in ("framework", "arch"):
        facts[key] = str(image.labels.get(f"ds01.{key}", "")) or "-"
    return Specification(
        wish=wish,
        identity=host.identity,
        policy=host.policy,
        path=variables.get("PATH", ""),
        facts=tuple(sorted(facts.items())),
        legacy=host.policy.mlc_labels,
    )


def create(wish: Wish, host: Host) -> Specification:
    """Create a container that is stopped, and its workspace where there is none.

    What died half-way before is removed first. Raises Ds01Error, Unavailable.
    """
    wanted = specified(wish, host)
    engine = host.engine()
    for name in containers.sweep(engine, host.identity.uid):
        host.report(Note(f"removed what was left of creating {name}"))
    if containers.find(engine, wanted.name) is not None:
        raise containers.taken(wanted.name)
    files = jupyter.files(wish, secrets.token_hex(_TOKEN))
    wanted = replace(wanted, files=(*wanted.files, *files))
    for path in filter(None, (wish.workspace, wish.data, wish.models)):
        _require(Path(path), host, is_own=path == wish.workspace)
    containers.create(engine, wanted)
    return wanted


def bring_up(wish: Wish, host: Host) -> Specification:
    """Create a container and start it; one that does not start is removed again.

    Raises Ds01Error, Unavailable.
    """
    made = create(wish, host)
    try:
        containers.start(host.engine(), made.name)
    except BaseException:
        with suppress(Ds01Error):
            containers.stop_and_remove(host.engine(), made.name)
        raise
    return made


def _require(path: Path, host: Host, *, is_own: bool) -> None:
    """Make a workspace, or raise Ds01Error for a directory that cannot be mounted."""
    shown = shlex.quote(str(path))
    default = host.home / "workspace"
    if is_own and path.parent == default and not path.exists() and not path.is_symlink():
        default.mkdir(exist_ok=True)
        path.mkdir(exist_ok=True)
    if path.is_symlink():
        raise Ds01Error(
            f"{path} is a link: it is not said what is mounted", hint=f"readlink -f -- {shown}"
        )
    if not path.is_dir():
        raise Ds01Error(f"{path} is no directory", hint=f"mkdir -p -- {shown}")
    uid = path.stat().st_uid
    if is_own and uid != host.identity.uid:
        raise Ds01Error(
            f"{path} belongs to uid {uid}, and the container runs as {host.identity.uid}",
            hint="--workspace names a directory of yours",
        )
    if not os.access(path, os.R_OK | os.X_OK):
        raise Ds01Error(f"{path} cannot be read by you", hint=f"ls -ld -- {shown}")


def own(host: Host) -> tuple[Row, ...]:
    """Return the containers of the user that ds01 made, running or not, by name."""
    uid = host.identity.uid
    found = containers.rows(host.engine(), "ds01.managed=true")
    return tuple(row for row in found if (uid_of(row.labels) or (None,))[0] == uid)


def find(name: str, host: Host) -> Row:
    """Return the user's container of a short or full name. Raises Ds01Error without one."""
    wanted = {name, full_name(name, host.identity.uid)}
    found = next((row for row in own(host) if row.name in wanted), None)
    if found is None:
        raise Ds01Error(f"you have no container {name!r:.130}", hint="container-list --all")
    return found


def of_image(name: str, host: Host) -> Row | None:
    """Return the user's container that belongs to an image, None without one that ds01 made."""
    wanted = full_name(container_name(name), host.identity.uid)
    return next((row for row in own(host) if row.name == wanted), None)


def recreate(row: Row, host: Host, image: str = "") -> Specification:
    """Put a new container in the place of another, of ``image`` if given, as it was wished.

    It runs if the other one did. That is removed last: where anything fails it is as before.
    Raises Ds01Error, Unavailable.
    """
    wish = read(row.labels)
    if wish is None:
        raise Ds01Error(
            f"the labels of {row.name} do not say what it is to be", hint="container-create"
        )
    engine = host.engine()
    wish = replace(wish, image=image or wish.image)
    specified(wish, host)  # which fails before anything is stopped
    with containers.aside(engine, row.name):
        made = create(wish, host)
        if row.is_running:
            containers.start(engine, row.name)
    return made
