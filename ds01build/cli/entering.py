"""Enters a container for a person or a program, and asks afterwards what is to become of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import choosing, retiring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host
    from ds01build.workflow.visiting import Visit

__all__ = ["enter", "enter_by_name"]

_KEEP, _RETIRE = "keep", "retire"


def enter(row: Row, host: Host, command: Sequence[str] = (), *, asks: bool = True) -> int:
    """Run a command, or a shell, in a container, which is started if need be; return its exit code.

    After a shell it ``asks`` what is to become of the container. Raises Ds01Error, Unavailable.
    """
    from ds01build.workflow import lives, owned, visiting

    if lives.wake(row, host) == "started":
        click.echo(f"{owned.called(row, host)} is started", err=True)
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    visit = visiting.visit(
        row,
        host,
        _near(),
        command or visiting.SHELL,
        terminal=os.environ.get("TERM") or "xterm" if is_terminal else None,
    )
    if not command:
        _afterwards(visit, row, host, yes=not asks)
    return visit.code


def enter_by_name(name: str, host: Host) -> None:
    """Open a shell in a container of the user, and end this program as it ends.

    Without a terminal it only says how to enter it.
    """
    from ds01build.workflow import owned

    row = owned.find(name, host)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"Enter it: container-run {owned.called(row, host)}", err=True)
        return
    click.get_current_context().exit(enter(row, host))


def _near() -> Any:
    from ds01build.engine.terminal import Near

    sys.stdout.flush()
    sys.stderr.flush()
    return Near(stdin=sys.stdin.fileno(), stdout=sys.stdout.fileno(), stderr=sys.stderr.fileno())


def _afterwards(visit: Visit, row: Row, host: Host, *, yes: bool) -> None:
    """Say how a shell ended, and ask what becomes of its container."""
    from ds01build.asking import Option
    from ds01build.workflow.owned import called

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
        Option(value=_RETIRE, title=f"Retire {shown}: end it, and remove it"),
    ]
    try:
        picked = choosing.asker().choose(f"What becomes of {shown}?", options, _KEEP)
    except (click.Abort, KeyboardInterrupt):  # whoever does not answer changes nothing
        picked = _KEEP
    if picked == _RETIRE:
        retiring.end(row.name, host, retiring.AGREED, choosing.asker())
    else:
        click.echo(f"{shown} keeps running: container-run {shown} goes back in", err=True)
