"""Hands the environment over to the library, which never reads it itself."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ds01build.configuration import store_path
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.engine.api import Engine
    from ds01build.events import Report
    from ds01build.store import DirStore
    from ds01build.workflow.built import Built
    from ds01build.workflow.containers import Host
    from ds01build.workflow.limiting import Standing
    from ds01build.workflow.steps import Choices, Edges

__all__ = [
    "docker_environment",
    "edges",
    "engine",
    "examined_store",
    "host",
    "open_store",
    "standing",
    "still_loaded",
    "where",
]


def where() -> Path:
    """Return where the store of this user lies."""
    return store_path(os.environ, Path.home())


def open_store() -> DirStore:
    """Open the store of this user."""
    from ds01build import store

    return store.open_store(where(), uid=os.geteuid())


def engine(report: Report) -> Engine | Literal["none", "silent"]:
    """Return the engine of this user: none where there is none, silent where one doesn't answer."""
    from ds01build.engine.connect import connect
    from ds01build.errors import NoEngine, Unavailable
    from ds01build.events import Note

    try:
        return connect(os.environ, Path.home())
    except NoEngine:
        return "none"
    except Unavailable as error:
        report(Note(f"what the engine has is not known: {error}"))
        return "silent"


def examined_store() -> DirStore:
    """Return the store of this user to be verified, however damaged."""
    from ds01build.store import audit

    return audit.examined(where(), uid=os.geteuid())


def still_loaded(built: Built, *, must: bool, tell: Callable[[str], None]) -> Built | None:
    """Return ``built`` as the engine has it; None where it has to be loaded.

    Where no engine is, there is nothing to load into, unless it ``must`` be; of one that is named,
    that is told.
    """
    from ds01build.engine.address import addresses
    from ds01build.engine.unix import has

    try:
        places = addresses(os.environ, Path.home())
    except Ds01Error:
        return None
    there = [each.socket for each in places if each.socket is None or each.socket.exists()]
    if not there and not must:
        if places[0].is_named:
            tell(f"the image is not loaded: {places[0].unanswered(os.strerror(errno.ENOENT))}")
        return replace(built, tag="")
    ids = [str(built.config_digest), *([str(built.engine_id)] if built.engine_id else [])]
    found = built.tag and there and there[0] is not None and has(there[0], built.tag, ids)
    return built if found else None


def docker_environment() -> dict[str, str]:
    """Return what the docker program may see of the environment."""
    names = ("PATH", "HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "SSL_CERT_FILE")
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    return {name: os.environ[name] for name in (*names, *proxies) if name in os.environ}


def host(report: Report) -> Host:
    """Return this machine and its user for commands of containers."""
    from ds01build.workflow import hosts

    return hosts.host(os.environ, Path.home(), report)


def standing(login: str, report: Report) -> Standing:
    """Return what a user may have and has; without a login, the user of this process."""
    from ds01build.workflow import hosts

    return hosts.standing(os.environ, Path.home(), report, login)


def edges(report: Report, choices: Choices) -> Edges:
    """Return the edges of this machine for this user."""
    from ds01build.workflow import machine

    return machine.edges(
        os.environ,
        Path.home(),
        report,
        offline=choices.offline,
        update_missing=choices.update_missing,
        loads=choices.load != "never",
    )
