"""Builds the image of a recipe: first the lock, then what is realised of it.

What comes after the lock is imported when it is needed, so that a command can have it imported
while the lock is made: that waits for indexes and registries most of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.events import Warned
from ds01build.fetch import NotThere
from ds01build.workflow.missing import missing_debs, not_there
from ds01build.workflow.steps import make_lock, write_lock
from ds01build.workflow.timer import Timer
from ds01build.workflow.upgrade import Upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.workflow.built import Built
    from ds01build.workflow.steps import Choices, Edges, Locked

__all__ = ["build", "build_locked"]


def build(recipe: Path, edges: Edges, choices: Choices) -> Built:
    """Build the image of ``recipe`` into the store, load it into an engine, and return it.

    Executes the plan that ``make_plan`` returns. Raises every error of locking, fetching, layers,
    the store and the engine; until the last step of each the image's name stands there for what it
    stood for before.
    """
    with edges.store.lease(()):  # what is found for the lock is there when the layers are made
        return _locked_and_built(recipe, edges, choices)


def _locked_and_built(recipe: Path, edges: Edges, choices: Choices) -> Built:
    timer = Timer(edges.clock)
    locked = make_lock(recipe, edges, choices)
    timer.lock = timer.elapsed()
    try:
        return _realised(locked, edges, choices, timer)
    except NotThere as error:
        missing = missing_debs(error, locked.lock)
        if not missing or not choices.update_missing:
            raise not_there(error, missing, recipe) from error
    edges.report(Warned(f"the mirror no longer has {', '.join(missing)}: replacing them"))
    names = frozenset(name.partition("=")[0] for name in missing)
    locked = write_lock(locked.request, locked.lock, edges, Upgrade(packages=names))
    return _realised(locked, edges, choices, timer)


def build_locked(locked: Locked, edges: Edges, choices: Choices) -> Built:
    """Build the image of a lock that need not have been written yet, as ``build`` does."""
    try:
        return _realised(locked, edges, choices, Timer(edges.clock))
    except NotThere as error:
        missing = missing_debs(error, locked.lock)
        raise not_there(error, missing, locked.request.path) from error


def _realised(locked: Locked, edges: Edges, choices: Choices, timer: Timer) -> Built:
    from ds01build.workflow.realising import realise

    return realise(locked, edges, choices, timer)
