"""Imports in the background, while a command waits for somebody else."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from ds01build.events import Note

if TYPE_CHECKING:
    from ds01build.events import Event, Report

__all__ = ["importing_ahead"]


_LATER = "ds01build.workflow.realising"  # what a build needs when it has a lock


def importing_ahead(report: Report) -> Report:
    """Return a report that begins to import the rest of a build when it is first told of a note.

    What is noted is that an index, a registry or an engine will be waited for; before that, the
    import would only be in the way. Who imports it meanwhile waits until that is done, and is told
    what is wrong where it fails.
    """
    begun: list[Thread] = []

    def tell(event: Event) -> None:
        report(event)
        if not begun and isinstance(event, Note):
            begun.append(Thread(target=_import, name=f"import {_LATER}"))
            begun[0].start()

    return tell


def _import() -> None:
    with suppress(Exception):
        import_module(_LATER)
