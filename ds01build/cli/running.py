"""``container-run`` and ``container-attach``: a shell in a container, or one command."""

from __future__ import annotations

import sys

import click

from ds01build.cli import choosing, completers, entering
from ds01build.errors import Ds01Error

__all__ = ["attach", "run"]

_HELP = {"help_option_names": ["-h", "--help"]}
_NOBODY = "\0"  # which no word of a command line can be


class _Visit(click.Command):
    """Tells ``-- CMD`` from ``NAME -- CMD``: click drops the ``--``, and takes a word for NAME."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put a word in the place of a NAME that is left out. Raises click's errors."""
        before = args[: args.index("--")] if "--" in args else ["NAME"]
        if all(each.startswith("-") for each in before):
            args = [*before, "--", _NOBODY, *args[len(before) + 1 :]]
        return super().parse_args(ctx, args)


def _named(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    return None if value == _NOBODY else value


_name = click.argument(
    "name",
    metavar="[NAME]",
    required=False,
    callback=_named,
    shell_complete=completers.containers,
)
_command = click.argument("command", metavar="[-- CMD...]", nargs=-1, type=click.UNPROCESSED)
_yes = click.option("--yes", "-y", is_flag=True, help="Let it run on afterwards; ask nothing.")


@click.command("container-run", cls=_Visit, context_settings=_HELP)
@_name
@_command
@_yes
@click.option("--jupyter", is_flag=True, help="Start Jupyter Lab instead, and print its URL.")
@click.pass_context
def run(
    context: click.Context,
    name: str | None,
    command: tuple[str, ...],
    yes: bool,
    jupyter: bool,
) -> None:
    """Open a shell in the container NAME, or run CMD in it; it is started if need be.

    You are its user, in /workspace. When you leave the shell, it keeps running, unless you choose
    otherwise. The exit code is that of the shell, or of CMD, which needs no terminal.

    \b
    container-run thesis
    container-run thesis -- python train.py --epochs 3
    container-run thesis --jupyter
    """  # noqa: D301
    if not jupyter:
        context.exit(_visit(name, command, yes=yes, starts=True))
    if command:
        raise click.UsageError("--jupyter and a command contradict each other")
    _serve(name)


def _serve(name: str | None) -> None:
    """Let a container run, and Jupyter in it."""
    from ds01build.cli import jupyter, wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import jupyter as labs
    from ds01build.workflow import lives

    choosing.require_choice(name)
    with progress(quiet=False) as report:
        host = wiring.host(report)
    row = choosing.chosen(name, host, lambda _: True, "")
    lives.wake(row, host)
    with progress(quiet=False):
        found = labs.serve(row.name, host)
    jupyter.show(found, host)


@click.command("container-attach", cls=_Visit, context_settings=_HELP)
@_name
@_command
@_yes
@click.pass_context
def attach(context: click.Context, name: str | None, command: tuple[str, ...], yes: bool) -> None:
    """Open a shell in the container NAME, or run CMD in it; it has to run already.

    \b
    container-attach thesis
    """  # noqa: D301
    context.exit(_visit(name, command, yes=yes, starts=False))


def _visit(name: str | None, command: tuple[str, ...], *, yes: bool, starts: bool) -> int:
    """Return the exit code of what was run."""
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell
    from ds01build.workflow import owned

    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not command and not is_terminal:
        raise click.UsageError("a shell needs a terminal: give a command, NAME -- CMD...")
    choosing.require_choice(name)
    host = wiring.host(tell)
    what = "" if starts else "running"
    row = choosing.chosen(name, host, lambda row: starts or row.is_running, what)
    shown = owned.called(row, host)
    if not starts and not row.is_running:
        raise Ds01Error(f"{shown} does not run", hint=f"container-run {shown} starts it")
    return entering.enter(row, host, command, asks=not yes)
