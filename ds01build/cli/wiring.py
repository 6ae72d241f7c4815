"""Hands the environment over to the library, which never reads it itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.configuration import store_path

if TYPE_CHECKING:
    from ds01build.events import Report
    from ds01build.store import DirStore
    from ds01build.workflow.steps import Choices, Edges

__all__ = ["edges", "open_store", "where"]


def where() -> Path:
    """Return where the store of this user lies."""
    return store_path(os.environ, Path.home())


def open_store() -> DirStore:
    """Open the store of this user."""
    from ds01build import store

    return store.open_store(where(), uid=os.geteuid())


def edges(report: Report, choices: Choices) -> Edges:
    """Return the edges of this machine for this user."""
    from ds01build.workflow import machine

    return machine.edges(
        os.environ,
        Path.home(),
        report,
        offline=choices.offline,
        update_missing=choices.update_missing,
    )
