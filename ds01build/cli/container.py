"""``ds01 container``: containers of images, from their creation to their end."""

from __future__ import annotations

import click

from ds01build.cli.lazily import LazyGroup

__all__ = ["container"]


@click.group(
    cls=LazyGroup,
    places={
        "create": "containing:create",
        "jupyter": "jupyter:jupyter",
    },
)
def container() -> None:
    """Create containers of your images, work in them, and end them."""
