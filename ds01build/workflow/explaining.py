"""Why a build would reuse or make each tier: against the last build, the store and the engine."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ds01build import explanation
from ds01build.engine.archive import Loadable
from ds01build.engine.known import find_known, nearby
from ds01build.errors import Ds01Error
from ds01build.labels import labels_of
from ds01build.lock import LockedImage
from ds01build.workflow.lastbuild import last_build
from ds01build.workflow.planning import make_plan
from ds01build.workflow.steps import check_lock

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.explanation import Explanation
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.steps import Edges

__all__ = ["explain"]


def explain(recipe: Path, edges: Edges) -> Explanation:
    """Return why a build of ``recipe``, which has a fresh lock, would reuse or make each tier.

    Raises as ``check_lock`` and ``make_plan`` do.
    """
    planned = make_plan(check_lock(recipe), edges)
    lock = planned.locked.lock
    last = last_build(lock.name, edges.store)
    return explanation.explain(planned.plan, lock, last, _in_engine(planned, edges))


def _in_engine(planned: Planned, edges: Edges) -> int | None:
    """Return how many layers of the image, from the lowest, the engine has; None without one."""
    lock = planned.locked.lock
    base = lock.base if isinstance(lock.base, LockedImage) else None
    layers = list(base.layers) if base else []
    for step in planned.plan.stack:
        if step.layer is None:
            break
        layers.append(step.layer)
    with suppress(Ds01Error):
        engine = edges.engine()
        image = Loadable(
            config=b"",
            layers=tuple(layers),
            base=len(base.layers) if base else 0,
            base_digests=frozenset({base.manifest} if base else ()),
        )
        there = nearby(engine, labels_of(lock, planned.graph), image.base_digests)
        return find_known(engine.kind, image, there).layers
    return None
