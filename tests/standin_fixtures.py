"""Fixtures of stand-ins for base images; a module of tests names this one as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from images import require, run, succeed
from standins.catalogue import REAL, STAND_INS
from standins.registry import Registry, running
from standins.workshop import Workshop, directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from standins.layout import Layout


@dataclass(frozen=True)
class StandIns:
    """The stand-ins of ``standins.catalogue``, made when they are asked for, and where they are."""

    shop: Workshop
    registry: Registry
    pushed: dict[str, str] = field(default_factory=dict)
    loaded: set[tuple[str, str]] = field(default_factory=set)  # a name, an engine

    def layout(self, name: str) -> Layout:
        """Return the image as it is on disk; skips the test where it can't be made."""
        if name == "e":
            require("mmdebstrap", root=True)
        try:
            return self.shop.layout(name, STAND_INS[name])
        except LookupError as error:
            if name not in REAL:
                raise
            pytest.skip(str(error))

    def reference(self, name: str) -> str:
        """Return the image's reference in the registry of this session."""
        if name not in self.pushed:
            self.pushed[name] = self.registry.push(self.layout(name))
        return self.pushed[name]

    def load(self, name: str, host: str) -> str:
        """Have the engine at ``host`` (as in DOCKER_HOST) pull it; return the reference."""
        if (name, host) not in self.loaded:
            succeed("docker", "--host", host, "pull", "--quiet", self.reference(name))
            self.loaded.add((name, host))
        return self.reference(name)

    def unload(self, name: str, host: str) -> None:
        """Remove the reference from the engine."""
        run("docker", "--host", host, "rmi", "--force", self.reference(name))
        self.loaded.discard((name, host))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run a registry on the loopback interface, without TLS or users."""
    require("docker-registry", "skopeo")
    with running(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(scope="session")
def stand_ins(registry: Registry) -> Iterator[StandIns]:
    made = StandIns(Workshop(directory()), registry)
    yield made
    for name, host in tuple(made.loaded):
        made.unload(name, host)
