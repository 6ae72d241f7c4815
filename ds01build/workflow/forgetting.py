"""Lets the layers of a lock be made again, whatever the store has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build import graph, spec
from ds01build.digest import Key
from ds01build.spec import InstallSpec, RunSpec
from ds01build.workflow.planning import make_plan

if TYPE_CHECKING:
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["forget_layers"]


def forget_layers(locked: Locked, edges: Edges) -> None:
    """Forget what the layers of a lock came out as: the next build makes them.

    Their blobs stay, for the images that have them. Raises StoreError.
    """
    planned = make_plan(locked, edges)
    known = {step.key: step.layer for step in planned.plan.stack if step.layer}
    for _, layer in graph.of(locked.lock).stack:
        if isinstance(layer, (InstallSpec, RunSpec)):
            below = [known[each] for each in layer.below if each in known]
            outcome = spec.outcome_inputs(layer, (each.diff_id for each in below))
            edges.store.forget(Key.of(outcome))
        edges.store.forget(spec.key(layer))
