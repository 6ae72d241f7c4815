"""Commands that are imported when they are asked for: ``ds01 build`` needs no other one."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, final

import click

from ds01build.cli import guidance

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LazyGroup", "below", "command"]


@final
class LazyGroup(click.Group):
    """A group with commands in other modules, by the ``places`` where ``command`` finds them."""

    def __init__(self, *arguments: Any, places: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the names of all commands, imported or not."""
        return sorted({*self._places, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported by now; None where there is none of that name."""
        if cmd_name in self._places:
            return command(self._places[cmd_name])
        return super().get_command(ctx, cmd_name)


@cache
def command(place: str) -> click.Command:
    """Return the command at ``module:name`` of this package, with the options that all have."""
    module, _, name = place.partition(":")
    found: click.Command = getattr(import_module(f"ds01build.cli.{module}"), name)
    guidance.add_to(found)
    return found


def below(group: click.Group) -> dict[str, click.Command]:
    """Return the commands of a group by their names, sorted; all of them are imported for it."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: each for name, each in found.items() if each is not None}
