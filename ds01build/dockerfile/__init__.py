"""Dockerfiles: a lock as a multi-stage build that Docker can do without ds01."""

from ds01build.dockerfile.rendering import (
    ContextFile,
    Rendered,
    Tag,
    render,
    render_own,
    wheels_of,
)
from ds01build.dockerfile.stages import Stage, stages

__all__ = [
    "ContextFile",
    "Rendered",
    "Stage",
    "Tag",
    "render",
    "render_own",
    "stages",
    "wheels_of",
]
