"""Engines that have a base image to execute tiers over."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines import place, reach

from ds01build.engine import owner
from ds01build.engine.execution import EngineExecutor
from ds01build.engine.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import APIClient
    from standin_fixtures import StandIns

KINDS = ("graph", "containerd")


@dataclass(frozen=True, kw_only=True)
class Furnished:
    """A running engine that has a base image."""

    kind: str
    client: APIClient
    image: str

    def executor(self, site: Site | None = None) -> EngineExecutor:
        return EngineExecutor(client=self.client, owner=owner.current(), site=site or Site())


@contextlib.contextmanager
def furnished(kind: str, stand_ins: StandIns) -> Iterator[Furnished]:
    """Yield the engine of that kind with a Debian that has apt and Python."""
    with contextlib.closing(reach(kind)) as engine:
        reference = stand_ins.load("plain", place(kind))
        image = engine.client.inspect_image(reference)["Id"]
        yield Furnished(kind=kind, client=engine.client, image=image)


@contextlib.contextmanager
def stacked(engine: Furnished, stand_ins: StandIns, layer: bytes, directory: Path) -> Iterator[str]:
    """Yield an image of that Debian and one more layer, which the engine has pulled."""
    layout = stand_ins.layout("plain").copied(directory)
    layout.append(layer)
    reference = stand_ins.registry.push(layout, tag=f"capture-{secrets.token_hex(6)}")
    repository, _, tag = reference.rpartition(":")
    engine.client.pull(repository, tag=tag)
    try:
        yield reference
    finally:
        engine.client.remove_image(reference, force=True)
