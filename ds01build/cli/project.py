"""``ds01 project``: projects, from their first files to a container that one works in."""

from __future__ import annotations

import click

from ds01build.cli.lazily import LazyGroup

__all__ = ["project"]


@click.group(
    cls=LazyGroup,
    places={"init": "initiating:init", "launch": "launching:launch", "list": "launching:projects"},
)
def project() -> None:
    """Begin projects, and launch them: image, container, shell."""
