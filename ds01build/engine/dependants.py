"""Containers that keep images from going: what each was made from, and how it goes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound

from ds01build.engine.api import asking

if TYPE_CHECKING:
    from ds01build.engine.api import Engine

__all__ = ["origin", "stop_and_remove"]

_STOP = 10  # seconds that a container has to end


def origin(engine: Engine, container_id: str) -> str:
    """Return what whoever made a container called its image; empty where the container is gone."""
    with asking(engine.place, f"for the container {container_id[:12]}"):
        try:
            answer = engine.client.inspect_container(container_id)
        except NotFound:
            return ""
    config = answer.get("Config")
    return str(config.get("Image") or "") if isinstance(config, dict) else ""


def stop_and_remove(engine: Engine, container_id: str) -> None:
    """Stop a container and remove it, if it is still there; its volumes stay.

    Raises Ds01Error with what the engine says.
    """
    with asking(engine.place, f"to remove the container {container_id[:12]}"):
        with suppress(APIError):  # one that is paused: it is killed below
            engine.client.stop(container_id, timeout=_STOP)
        with suppress(NotFound):
            engine.client.remove_container(container_id, force=True)
