"""Hands the environment over to the library, which never reads it itself."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.configuration import store_path
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from ds01build.events import Report
    from ds01build.store import DirStore
    from ds01build.workflow.built import Built
    from ds01build.workflow.steps import Choices, Edges

__all__ = ["docker_environment", "edges", "open_store", "still_loaded", "where"]


def where() -> Path:
    """Return where the store of this user lies."""
    return store_path(os.environ, Path.home())


def open_store() -> DirStore:
    """Open the store of this user."""
    from ds01build import store

    return store.open_store(where(), uid=os.geteuid())


def still_loaded(built: Built, *, must: bool) -> Built | None:
    """Return ``built`` as the engine has it; None where it has to be loaded.

    Where no engine is, there is nothing to load into, unless it ``must`` be.
    """
    from ds01build.engine.address import addresses
    from ds01build.engine.unix import has

    try:
        sockets = [each.socket for each in addresses(os.environ, Path.home())]
    except Ds01Error:
        sockets = [None]
    there = [path for path in sockets if path is None or path.exists()]
    if not there:
        return None if must else replace(built, tag="")
    ids = [str(built.config_digest), *([str(built.engine_id)] if built.engine_id else [])]
    found = built.tag and there[0] is not None and has(there[0], built.tag, ids)
    return built if found else None


def docker_environment() -> dict[str, str]:
    """Return what the docker program may see of the environment."""
    names = ("PATH", "HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "SSL_CERT_FILE")
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    return {name: os.environ[name] for name in (*names, *proxies) if name in os.environ}


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
