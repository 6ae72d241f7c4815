"""``--guided``, ``--concepts`` and ``--info``, which every command has.

What they print is read when it is asked for: commands start no slower for it.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["add_to", "explainer"]

_GUIDED = "ds01build.guided"  # in the meta of a context, which those below share


def add_to(command: click.Command) -> None:
    """Add the options to a command and all below it, and let each explain itself before it runs."""
    for each in _all(command):
        each.params.extend(_OPTIONS)
        if not isinstance(each, click.Group) and each.callback is not None:
            each.callback = _introduced(each.callback)


def explainer(context: click.Context) -> Callable[[str], None]:
    """Return what tells a topic of the guide on stderr if that was asked for, and else nothing."""

    def explain(topic: str) -> None:
        if context.meta.get(_GUIDED):
            from ds01build import guide

            click.echo(f"\n{guide.text(topic)}\n", err=True)

    return explain


def _all(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from _all(below)


def _introduced(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command's function that first tells what it will do, if that was asked for."""

    @wraps(callback)
    def run(*arguments: Any, **options: Any) -> Any:
        context = click.get_current_context()
        if context.meta.get(_GUIDED):
            _introduce(context)
        return callback(*arguments, **options)

    return run


def _introduce(context: click.Context) -> None:
    from ds01build import guide
    from ds01build.cli.reference import key
    from ds01build.guide.terminal import introduction

    told = introduction(context.command_path, guide.entry(key(context)))
    click.echo(f"{told}\n", err=True)
    if all(each is not None and each.isatty() for each in (sys.stdin, sys.stderr)):
        click.echo("Press Enter to go on, Ctrl-C to leave: ", err=True, nl=False)
        if not sys.stdin.readline():  # Ctrl-D: whoever ends the input leaves, too
            click.echo(err=True)
            raise click.Abort
        click.echo(err=True)


def _guide(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[_GUIDED] = True


def _show_concepts(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from ds01build import guide
        from ds01build.cli.reference import key
        from ds01build.guide.terminal import concepts

        click.echo(concepts([guide.concept(name) for name in guide.entry(key(context)).concepts]))
        context.exit()


def _show_reference(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from ds01build.cli import reference
        from ds01build.guide import terminal

        click.echo(terminal.page(reference.page(context)))
        context.exit()


def _flag(
    name: str, act: Callable[[click.Context, click.Parameter, bool], None], says: str
) -> click.Option:
    """Return an option that acts whatever else is on the command line, right or wrong."""
    return click.Option(
        [name], is_flag=True, is_eager=True, expose_value=False, callback=act, help=says
    )


# The same for all commands: what is made here is never changed by one.
_OPTIONS = (
    _flag("--guided", _guide, "Explain what happens while it happens."),
    _flag("--concepts", _show_concepts, "Explain the ideas behind it, and exit."),
    _flag("--info", _show_reference, "Print the full reference with examples, and exit."),
)
