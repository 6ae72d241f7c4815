"""Decides among containers that are made at once, without a lock: the engine's list is enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ds01build.engine.containers import Row, claims

if TYPE_CHECKING:
    from ds01build.engine.api import Engine
    from ds01build.errors import Ds01Error

__all__ = ["Objection", "settle"]

# Why a container may not be beside those others, None where it may.
Objection = Callable[[Sequence[Row]], "Ds01Error | None"]

_PATIENCE, _PAUSE = 30.0, 0.1  # seconds: for another container to be made, and between looks


def settle(
    engine: Engine, container_id: str, objections: Sequence[Objection], besides: str = ""
) -> None:
    """Make sure that a container that is about to get its name may be there.

    Each says by its labels what it takes before it looks, so that of two one sees the other: who
    came later gives way, and who came first waits until the later one has its name, or is gone.
    The container with the id ``besides`` does not count. Raises the objection where this one has
    to go.
    """
    deadline = time.monotonic() + _PATIENCE
    while objections:
        every = claims(engine)
        rank = next((each.rank for each in every if each.container_id == container_id), ("",))
        others = [each for each in every if each.container_id not in (container_id, besides)]
        certain = [each for each in others if each.is_whole or each.rank < rank]
        if problem := _first(objections, certain):
            raise problem
        perhaps = _first(objections, others)
        if perhaps is None:
            return
        if time.monotonic() > deadline:
            raise perhaps
        time.sleep(_PAUSE)


def _first(objections: Sequence[Objection], others: Sequence[Row]) -> Ds01Error | None:
    return next(filter(None, (objects(others) for objects in objections)), None)
