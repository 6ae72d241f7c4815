"""Which container a command is about, where its name is not given, and what came of several."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, guidance, terminal
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host
    from ds01build.workflow.lives import Outcome

__all__ = ["agreed", "asker", "chosen", "name", "names", "require_choice", "several", "tell"]

name = click.argument(
    "name", metavar="[NAME]", required=False, shell_complete=completers.containers
)
names = click.argument("names", metavar="[NAME...]", nargs=-1, shell_complete=completers.containers)


def asker() -> terminal.Terminal:
    """Return what asks who is at the terminal."""
    return terminal.Terminal(guidance.explainer(click.get_current_context()))


def require_choice(given: object) -> None:
    """Raise UsageError where no container is named, and nobody is there to choose one."""
    if not given and not terminal.is_there():
        raise click.UsageError("name a container: there is no terminal to choose one on")


def chosen(given: str | None, host: Host, fits: Callable[[Row], bool], what: str) -> Row:
    """Return the container of a name, or the one that is chosen among those that fit.

    ``what`` says which those are, as in "running"; empty for any. The only one is not asked about.
    Raises Ds01Error where there is none.
    """
    from ds01build.asking import Option
    from ds01build.workflow.owned import find, mine, names

    if given is not None:
        return find(given, host)
    rows = mine(host)
    called = names(rows, host)
    found, kind = [row for row in rows if fits(row)], f"{what} container".lstrip()
    if not found:
        raise Ds01Error(f"you have no {kind}", hint="container-list --all")
    if len(found) == 1:
        _say(f"{called[found[0].name]} is your only {kind}")
        return found[0]
    options = [
        Option(value=row.name, title=f"{called[row.name]} ({row.status or row.state})")
        for row in found
    ]
    picked = asker().choose("Which container?", options, found[0].name)
    return next(row for row in found if row.name == picked)


def several(
    given: tuple[str, ...], host: Host, fits: Callable[[Row], bool], what: str, *, every: bool
) -> tuple[Row, ...]:
    """Return the containers of these names, all that fit, or the one that is chosen.

    Where all are asked for and none fits, that is told.
    """
    from ds01build.workflow.owned import find, mine

    if every:
        rows = tuple(row for row in mine(host) if fits(row))
        if not rows:
            _say(f"you have no {what} container")
        return rows
    found = [find(each, host) for each in given]
    if found:
        return tuple({row.name: row for row in found}.values())
    return (chosen(None, host, fits, what),)


def agreed(question: str, rest: dict[str, Any]) -> bool:
    """Ask, with no as the default, unless nothing is to be asked."""
    if rest["yes"] or rest["force"]:
        return True
    return click.confirm(question, default=False, err=True)


def tell(outcomes: Sequence[Outcome], schema: str, *, as_json: bool, verbose: bool = True) -> None:
    """Print what came of containers. Raises Ds01Error where one failed."""
    from ds01build.cli.output import print_json, print_lines

    if as_json:
        print_json({"schema": schema, "containers": [each.answer() for each in outcomes]})
    done = [each for each in outcomes if each.outcome not in ("skipped", "failed")]
    if done and not as_json:
        print_lines(each.name for each in done)
    for each in outcomes:
        if each not in done or verbose:
            reason = f": {each.reason}" if each.reason else ""
            _say(f"{each.outcome}: {each.name}{reason}")
    failed = [each for each in outcomes if each.outcome == "failed"]
    if failed:
        raise Ds01Error(f"{len(failed)} of {len(outcomes)} failed", hint=failed[0].hint)


def _say(text: str) -> None:
    from ds01build.cli.output import visible

    click.echo(visible(text), err=True)


def must_ask(rest: dict[str, Any]) -> None:
    """Raise UsageError where there is a question, and nobody to answer it."""
    if not (rest["yes"] or rest["force"]) and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: --yes goes on without")
