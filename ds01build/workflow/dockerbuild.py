"""Builds a recipe from its Dockerfile, stage by stage in an engine: the second builder."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build import graph
from ds01build.dockerfile import stages, wheels_of
from ds01build.engine.aliases import remove_aliases
from ds01build.engine.builder import Workplace, choose_builder, missing_stages
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.events import Expected
from ds01build.workflow.downloads import arrivals
from ds01build.workflow.inheriting import base_config
from ds01build.workflow.rendering import Sources, build_dockerfile
from ds01build.workflow.sourcing import build_again
from ds01build.workflow.steps import make_lock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.digest import Digest
    from ds01build.engine.api import Engine
    from ds01build.lock import Lock
    from ds01build.pin import WheelPin
    from ds01build.workflow.steps import Choices, Edges, Locked

__all__ = ["DockerBuilt", "build_with_docker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerBuilt:
    """An image that an engine built. Stages that ``ran`` were not there; others were reused."""

    name: str
    tag: str
    engine_id: Digest
    ran: tuple[str, ...]
    reused: tuple[str, ...]

    def answer(self) -> dict[str, object]:
        """Return the object that ``ds01 build --builder docker --json`` prints."""
        return {
            "schema": "ds01.docker-built/1",
            "name": self.name,
            "image": {"reference": self.tag, "id": str(self.engine_id)},
            "stages": {"ran": list(self.ran), "reused": list(self.reused)},
        }


def build_with_docker(
    recipe: Path, edges: Edges, choices: Choices, environment: Mapping[str, str]
) -> DockerBuilt:
    """Build the image of ``recipe`` in the engine, and let the tags of its name stand for it.

    ``environment`` is what the docker program may see: PATH, HOME or DOCKER_CONFIG, proxies.
    Raises Unavailable without an engine, Ds01Error for a stage that fails and for a recipe that no
    Dockerfile can start from; tags are as they were then.
    """
    engine = edges.engine()
    locked = make_lock(recipe, edges, choices)
    lock, store = locked.lock, edges.store
    remove_aliases(engine, store.uid)
    with store.lease(pin.digest for pin in lock.wheels):
        _bring_wheels(locked, engine, edges)
        workplace = Workplace(
            images=engine,
            builder=choose_builder(
                engine.client, {**environment, "DOCKER_HOST": engine.url}, store.root
            ),
            logs=store.root / "logs",
            report=edges.report,
        )
        sources = Sources(
            directory=locked.request.directory, wheel=lambda pin: store.path(pin.digest)
        )
        config = base_config(lock.base, edges)
        tag = moving_tag(store.uid, lock.name)
        made = build_dockerfile(lock, config, sources, workplace)
        found = engine.inspect(str(made.engine_id))
        known = found.config_digest if found and found.config_digest else made.engine_id
        for each in (fixed_tag(store.uid, lock.name, known), tag):
            engine.tag(made.engine_id, each)
    return DockerBuilt(
        name=lock.name, tag=tag, engine_id=made.engine_id, ran=made.ran, reused=made.reused
    )


def _bring_wheels(locked: Locked, engine: Engine, edges: Edges) -> None:
    """Fetch the wheels of stages that have to be built, those that the store does not have."""
    pins = [
        pin
        for pin in _missing_wheels(locked.lock, engine)
        if not edges.store.has(pin.digest, pin.size)
    ]
    build_again([pin for pin in pins if pin.is_built], locked, edges)
    pins = [pin for pin in pins if not pin.is_built]
    if not pins:
        return
    edges.report(Expected(files=len(pins), size=sum(pin.size for pin in pins), layers=0))
    with closing(arrivals(pins, locked, edges, [])) as arriving:
        for _ in arriving:
            pass


def _missing_wheels(lock: Lock, engine: Engine) -> list[WheelPin]:
    needed = missing_stages(stages(graph.of(lock), lock), engine)
    return [pin for each in needed if each.kind == "python" for pin in wheels_of(lock, each.tier)]
