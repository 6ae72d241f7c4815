"""Containers of images that are in an engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.container import container_name, full_name, read, specify
from ds01build.engine import containers
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.container import Specification
    from ds01build.workflow.built import Built
    from ds01build.workflow.steps import Edges

__all__ = ["bring_up", "of_image", "recreate", "wanted"]


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


def of_image(name: str, uid: int, edges: Edges) -> Specification | None:
    """Return a user's container that belongs to an image, None without one that ds01 made."""
    found = containers.inspect(edges.engine(), full_name(container_name(name), uid))
    return read(found) if found is not None else None


def recreate(old: Specification, tag: str, edges: Edges) -> None:
    """Put a container of the image ``tag`` in the place of another, and start it.

    The old one is removed last: where anything fails it has its name again, and is stopped.
    """
    engine = edges.engine()
    with containers.aside(engine, old.name):
        bring_up(replace(old, image=tag), edges)
