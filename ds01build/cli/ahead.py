"""What a build needs later, got in the background while a command waits for somebody else."""

from __future__ import annotations

import time
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, final

from ds01build.events import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.events import Event, Report

__all__ = ["Ahead"]

_LATER = "ds01build.workflow.realising"  # what a build needs when it has a lock
_MOMENT = 0.02  # seconds in which whoever notes that it will wait has begun to


@final
class Ahead:
    """Imports the rest of a build when a report is first told of a note, and then does more.

    What is noted is that an index, a registry or an engine will be waited for; before that, all
    this would only be in the way. Who needs it meanwhile waits until it is there, and is told what
    is wrong where it fails.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._more: list[Callable[[], object]] = []
        self._has_begun = False

    def then(self, do: Callable[[], object]) -> None:
        """Do this, too, after what was asked for before."""
        self._more.append(do)

    def tell(self, event: Event) -> None:
        """Pass an event on; it may be the first note."""
        self._report(event)
        if not self._has_begun and isinstance(event, Note):
            self._has_begun = True
            Thread(target=self._work, name="ahead").start()

    def _work(self) -> None:
        time.sleep(_MOMENT)
        _attempt(lambda: import_module(_LATER))
        for do in self._more:  # which may take long, where an engine is silent
            Thread(target=_attempt, args=(do,), name="ahead", daemon=True).start()


def _attempt(do: Callable[[], object]) -> None:
    with suppress(Exception):
        do()
