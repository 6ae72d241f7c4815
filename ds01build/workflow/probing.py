"""Looks into images that an engine has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.engine.probe import tree_of
from ds01build.errors import Unavailable
from ds01build.events import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.base.tree import Tree
    from ds01build.digest import DiffId
    from ds01build.engine.api import Engine
    from ds01build.events import Report

__all__ = ["EngineProbes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProbes:
    """Reads the trees of images through a container, where an engine has them."""

    engine: Callable[[], Engine]  # raises Unavailable
    report: Report

    def tree(self, diff_ids: tuple[DiffId, ...]) -> Tree | None:
        """Return the tree of the image with these layers; None where no engine has it.

        An engine that fails while it is asked is no engine: layers say the same.
        """
        try:
            engine = self.engine()
            found = next((each for each in engine.images() if each.diff_ids == diff_ids), None)
            if found is None:
                return None
            self.report(Note("looking into the image in the engine"))
            return tree_of(engine.client, str(found.engine_id), clock=time.monotonic)
        except Unavailable as error:
            self.report(Note(f"the image's layers are read: {error}"))
            return None

    def has_engine(self) -> bool:
        """Say whether an engine answers."""
        try:
            self.engine()
        except Unavailable:
            return False
        return True
