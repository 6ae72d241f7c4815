"""Tells on stderr what short work reports, without what shows the progress of long work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ds01build.cli.output import visible
from ds01build.events import Note, Warned

if TYPE_CHECKING:
    from ds01build.events import Event

__all__ = ["tell"]


def tell(event: Event) -> None:
    """Say what is noted or warned of."""
    if isinstance(event, (Note, Warned)):
        click.echo(visible(event.text), err=True)
