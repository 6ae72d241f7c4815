"""Containers of images that are in an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.container import container_name, specify
from ds01build.engine import containers
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.container import Specification
    from ds01build.workflow.built import Built
    from ds01build.workflow.steps import Edges

__all__ = ["bring_up", "wanted"]


def wanted(built: Built, project: Path, uid: int, gid: int) -> Specification:
    """Return the container that belongs to an image and its project. Raises Ds01Error."""
    try:
        return specify(container_name(built.name), built.tag, str(project.resolve()), uid, gid)
    except ValueError as error:
        raise Ds01Error(str(error)) from error


def bring_up(specification: Specification, edges: Edges) -> None:
    """Create a container and start it. Raises Ds01Error for a name that is taken, Unavailable."""
    engine = edges.engine()
    containers.create(engine, specification, edges.network)
    containers.start(engine, specification.name)
