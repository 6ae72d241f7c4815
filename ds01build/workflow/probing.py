"""Looks into images that an engine has, and runs their own apt.

What talks to an engine is imported when one is asked: that takes 70 ms, and a lock whose base is
known asks none.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.engine.outage import advised
from ds01build.errors import Unavailable
from ds01build.events import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ds01build.base.facts import BaseFacts
    from ds01build.base.tree import Tree
    from ds01build.digest import DiffId, Digest
    from ds01build.engine.api import Engine, EngineImage
    from ds01build.engine.apt_runner import ContainerRunner
    from ds01build.engine.site import Site
    from ds01build.events import Report

__all__ = ["EngineProbes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProbes:
    """Reads the trees of images through a container, where an engine has them."""

    engine: Callable[[], Engine]  # raises Unavailable
    report: Report
    site: Site
    network: Literal["bridge", "host"]
    diff_ids: Callable[[Digest], tuple[DiffId, ...]]  # of the image with a configuration

    def tree(self, diff_ids: tuple[DiffId, ...], name: str = "") -> Tree | None:
        """Return the tree of the image with these layers; None where no engine has it.

        By ``name`` it is looked for first: an engine may have hundreds. One that fails while it is
        asked is no engine: layers say the same.
        """
        from ds01build.engine.api import attempted
        from ds01build.engine.probe import tree_of

        try:
            engine = self.engine()
            named = attempted(lambda: engine.inspect(name)) if name else None
            is_named = named is not None and named.diff_ids == diff_ids
            found = named if is_named else self._found(engine, diff_ids)
            if found is None:
                return None
            self.report(Note("looking into the image in the engine"))
            return tree_of(engine.client, str(found.engine_id), clock=time.monotonic)
        except Unavailable as error:
            self.report(Note(f"the image's layers are read: {error}"))
            return None

    def _found(self, engine: Engine, diff_ids: tuple[DiffId, ...]) -> EngineImage | None:
        """Return the image with these layers; None, which is told, where the list fails."""
        from ds01build.engine.api import attempted

        return attempted(
            lambda: next((each for each in engine.images() if each.diff_ids == diff_ids), None),
            lambda error: self.report(Note(f"no image of the engine can be used: {error}")),
        )

    @contextmanager
    def apt(self, base: BaseFacts) -> Iterator[ContainerRunner]:
        """Give the base's own apt, in a container of it that has a network.

        Raises Unavailable without an engine that has the base.
        """
        from ds01build.engine.apt_runner import ContainerRunner
        from ds01build.engine.owner import current
        from ds01build.engine.sandbox import opened

        engine = self.engine()
        diff_ids = self.diff_ids(base.config)
        found = self._found(engine, diff_ids)
        if found is None:
            raise Unavailable(
                "this machine has no apt, and its engine does not have the base",
                hint="docker pull the base, or: apt-get install apt",
            )
        with (
            advised(self.network),
            opened(
                engine.client,
                str(found.engine_id),
                owner=current(),
                site=self.site,
                network=self.network,
            ) as sandbox,
        ):
            yield ContainerRunner(sandbox.client, sandbox.container, f"{sandbox.scratch}/apt")

    def has_engine(self) -> bool:
        """Say whether an engine answers."""
        try:
            self.engine()
        except Unavailable:
            return False
        return True

    def advice(self, name: str) -> str:
        """Return what helps with an image that an engine has and no registry; empty for others."""
        from ds01build.engine.api import attempted

        try:
            engine = self.engine()
            found = attempted(lambda: engine.inspect(name))
        except Unavailable:
            return ""
        if found is None:
            return ""
        return (
            "since the engine has it, and a base is what a registry has: docker tag "
            f"{name} REGISTRY/NAME && docker push REGISTRY/NAME, and name that one"
        )
