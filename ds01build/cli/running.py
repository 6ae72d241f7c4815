"""``container-run`` and ``container-attach``: a shell in a container, or one command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import choosing
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host
    from ds01build.workflow.visiting import Visit

__all__ = ["attach", "run"]

_HELP = {"help_option_names": ["-h", "--help"]}
_KEEP, _RETIRE = "keep", "retire"
_command = click.argument("command", metavar="[-- CMD...]", nargs=-1, type=click.UNPROCESSED)
_yes = click.option("--yes", "-y", is_flag=True, help="Let it run on afterwards; ask nothing.")


@click.command("container-run", context_settings=_HELP)
@choosing.name
@_command
@_yes
@click.pass_context
def run(context: click.Context, name: str | None, command: tuple[str, ...], yes: bool) -> None:
    """Open a shell in the container NAME, or run CMD in it; it is started if need be.

    You are its user, in /workspace. When you leave the shell, it keeps running, unless you choose
    otherwise. The exit code is that of the shell, or of CMD, which needs no terminal.

    \b
    container-run thesis
    container-run thesis -- python train.py --epochs 3
    """  # noqa: D301
    context.exit(_visit(name, command, yes=yes, starts=True))


@click.command("container-attach", context_settings=_HELP)
@choosing.name
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
    from ds01build.workflow import lives, visiting

    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not command and not is_terminal:
        raise click.UsageError("a shell needs a terminal: give a command, NAME -- CMD...")
    choosing.require_choice(name)
    host = wiring.host(tell)
    what = "" if starts else "running"
    row = choosing.chosen(name, host, lambda row: starts or row.is_running, what)
    shown = lives.called(row, host)
    if not starts and not row.is_running:
        raise Ds01Error(f"{shown} does not run", hint=f"container-run {shown} starts it")
    if lives.wake(row, host) == "started":
        click.echo(f"{shown} is started", err=True)
    visit = visiting.visit(
        row,
        host,
        _near(),
        command or visiting.SHELL,
        terminal=os.environ.get("TERM") or "xterm" if is_terminal else None,
    )
    if not command:
        _afterwards(visit, row, host, yes=yes)
    return visit.code


def _near() -> Any:
    from ds01build.engine.terminal import Near

    sys.stdout.flush()
    sys.stderr.flush()
    return Near(stdin=sys.stdin.fileno(), stdout=sys.stdout.fileno(), stderr=sys.stderr.fileno())


def _afterwards(visit: Visit, row: Row, host: Host, *, yes: bool) -> None:
    """Say how a shell ended, and ask what becomes of its container."""
    from ds01build.asking import Option
    from ds01build.workflow.lives import called

    shown = called(row, host)
    if visit.code:
        click.echo(f"the shell ended with exit code {visit.code}", err=True)
    if not visit.is_running:
        click.echo(f"{shown} does not run any more ({visit.status})", err=True)
        return
    if yes:
        return
    options = [
        Option(value=_KEEP, title=f"Keep {shown} running"),
        Option(value=_RETIRE, title=f"Retire {shown}: end all that runs in it"),
    ]
    try:
        picked = choosing.asker().choose(f"What becomes of {shown}?", options, _KEEP)
    except (click.Abort, KeyboardInterrupt):  # whoever does not answer changes nothing
        picked = _KEEP
    if picked == _RETIRE:
        _retire(row, host)
    else:
        click.echo(f"{shown} keeps running: container-run {shown} goes back in", err=True)


def _retire(row: Row, host: Host) -> None:
    """End a container that nobody wants to go on working in. It is stopped, and stays."""
    from ds01build.workflow import lives

    lives.stop(row, host)
    shown = lives.called(row, host)
    click.echo(f"{shown} is stopped: container-remove {shown} removes it", err=True)
