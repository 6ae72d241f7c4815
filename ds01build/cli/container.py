"""``ds01 container``: containers of images, from their creation to their end."""

from __future__ import annotations

import click

from ds01build.cli.lazily import LazyGroup

__all__ = ["container"]


@click.group(
    cls=LazyGroup,
    places={
        "attach": "running:attach",
        "create": "containing:create",
        "exit": "living:leave",
        "list": "containers:containers",
        "pause": "living:pause",
        "remove": "removal:remove",
        "run": "running:run",
        "start": "living:start",
        "stats": "stats:stats",
        "stop": "living:stop",
        "unpause": "living:unpause",
        "deploy": "deploying:deploy",
        "retire": "retiring:retire",
        "upgrade": "renewing:upgrade",
        "jupyter": "jupyter:jupyter",
    },
)
def container() -> None:
    """Create containers of your images, work in them, and end them."""
