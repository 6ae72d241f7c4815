"""Containers that people work in come whole, with their user in them, or not at all."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound

from ds01build.container import furnishing, payload
from ds01build.container.identity import ACCOUNTS, places
from ds01build.engine.api import asking
from ds01build.engine.changes import contents_of
from ds01build.engine.containers import replaced
from ds01build.engine.interim import interim_name
from ds01build.errors import Ds01Error, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.container import Specification
    from ds01build.engine.api import Engine

__all__ = ["CONFLICT", "create", "lost", "refuse_replaced", "taken"]

CONFLICT = 409  # HTTP: another container has the name
_NONE = 404
_LOOKS, _PAUSE = 10, 0.2  # seconds between looks for what an engine may still be making
_BASH = "/bin/bash"
_STAT = "X-Docker-Container-Path-Stat"


def create(
    engine: Engine, wanted: Specification, settle: Callable[[str], None] = lambda _: None
) -> str:
    """Create a container that is stopped, with its user in it, and return its id.

    It gets its name when it is whole: what fails or dies before leaves nothing of that name, and
    ``sweep`` removes it. ``settle`` gets its id right before, and raises where it may not be.
    Raises Ds01Error for a name that is taken, or that another command is about to give to a
    container in the place of the one that has it; Unavailable.
    """
    client, name = engine.client, interim_name(wanted.name, "creating")
    with asking(engine.place, f"to create the container {wanted.name}"):
        made = _begun(engine, wanted, name)
        try:
            _furnish(engine, made, wanted)
            settle(made)
            refuse_replaced(engine, wanted.name, wanted.replaces)
            _name(engine, made, wanted.name)
        except BaseException:
            with suppress(Exception):
                client.remove_container(made, v=True, force=True)
            raise
    return made


def _begun(engine: Engine, wanted: Specification, name: str) -> str:
    """Have an engine make a container, and return its id.

    It makes one also for who does not wait for its answer: that one is removed.
    """
    try:
        return str(engine.client.create_container_from_config(payload(wanted), name)["Id"])
    except APIError as error:
        if "catatonit" not in str(error.explanation):
            raise
        raise Unavailable(
            f"the engine at {engine.place} lacks catatonit, which its containers begin with",
            hint="sudo apt-get install catatonit",
        ) from error
    except BaseException:
        for _ in range(_LOOKS):
            with suppress(Exception):
                engine.client.remove_container(name, v=True, force=True)
                break
            time.sleep(_PAUSE)
        raise


def _furnish(engine: Engine, container_id: str, wanted: Specification) -> None:
    """Put the accounts and the home of its user into a container."""
    _require_own(engine, container_id, wanted)
    shell = _BASH if _target(engine, container_id, _BASH) is not None else "/bin/sh"
    found = {path: _text(engine, container_id, path) for path in ACCOUNTS}
    archive = furnishing(
        wanted.identity, found, wanted.files, shell=shell, is_admin=wanted.wish.is_admin
    )
    try:
        engine.client.put_archive(container_id, "/", archive)
    except APIError as error:
        if "read-only" not in str(error.explanation or ""):
            raise
        raise Ds01Error(
            f"the container {wanted.name} is read-only, so that nobody can be given an account",
            hint="docker info, for who makes the containers of this engine so",
        ) from error


def _require_own(engine: Engine, container_id: str, wanted: Specification) -> None:
    """Raise Ds01Error where a link of the image leads out of where its user's files go.

    An engine follows it, also into a directory of the host that is mounted, and writes as root.
    """
    missing: set[PurePosixPath] = set()
    found = places(wanted.identity, wanted.files, is_admin=wanted.wish.is_admin)
    for place in map(PurePosixPath, found):
        if place.parent in missing:
            missing.add(place)
            continue
        target = _target(engine, container_id, f"/{place}")
        if target is None:
            missing.add(place)
        elif target not in ("", f"/{place}"):  # Podman says the path itself of what is no link
            raise Ds01Error(
                f"/{place} is a link in {wanted.image}: nobody can be given a home there",
                hint="image-list shows other images",
            )


def _text(engine: Engine, container_id: str, path: str) -> str:
    """Return a small file of a container; empty without one, and for what is no file."""
    with suppress(NotFound):
        content = contents_of(engine, container_id, path).get(path) or b""
        return content.decode(errors="surrogateescape")
    return ""


def _target(engine: Engine, container_id: str, path: str) -> str | None:
    """Return what an engine says of where a path of a container leads; None for nothing there."""
    client = engine.client
    url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/archive"
    answer = client.head(url, params={"path": path})
    told = answer.headers.get(_STAT)  # also, by Podman, of a link that leads nowhere
    if told is not None:
        return str(json.loads(base64.b64decode(told)).get("linkTarget") or "")
    if answer.status_code == _NONE:
        return None
    answer.raise_for_status()
    return ""


def _name(engine: Engine, container_id: str, name: str) -> None:
    try:
        engine.client.rename(container_id, name)
    except APIError as error:
        if error.status_code != CONFLICT:
            raise
        raise taken(name) from error


def refuse_replaced(engine: Engine, name: str, besides: str = "") -> None:
    """Raise Ds01Error where another command replaces the container of that name just now.

    The one with the id ``besides`` is one's own to replace.
    """
    found = replaced(engine, name)
    if found is not None and found.container_id != besides:
        raise lost(name)


def lost(name: str) -> Ds01Error:
    """Return the error for a container that another command replaces just now."""
    return Ds01Error(
        f"another command replaces the container {name} just now", hint="container-list --all"
    )


def taken(name: str) -> Ds01Error:
    """Return the error for a name that a container has already."""
    return Ds01Error(
        f"there is a container {name} already",
        hint="with --existing it is taken as it is; with --recreate it is made anew",
    )
