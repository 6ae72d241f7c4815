"""``container-start``, ``-stop``, ``-pause``, ``-unpause``, ``-exit``: what containers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import choosing, options
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host
    from ds01build.workflow.lives import Outcome

__all__ = ["leave", "pause", "start", "stop", "unpause"]

_HELP = {"help_option_names": ["-h", "--help"]}
_every = click.option("--all", "-a", "every", is_flag=True, help="All of yours that it fits.")


@click.command("container-start", context_settings=_HELP)
@choosing.names
@options.as_json
def start(names: tuple[str, ...], as_json: bool) -> None:
    """Start containers in the background, and print their names; paused ones go on.

    One that runs already stays as it is. Without NAME, on a terminal, you choose one.

    \b
    container-start thesis
    """  # noqa: D301
    from ds01build.workflow import lives

    def fits(row: Row) -> bool:
        return row.state != "running"

    host, rows = _picked(names, fits, "stopped", every=False)
    outcomes = lives.each(rows, lambda row: lives.start(row, host))
    choosing.tell(outcomes, "ds01.started/1", as_json=as_json)


@click.command("container-stop", context_settings=_HELP)
@choosing.names
@_every
@click.option("--force", "-f", is_flag=True, help="Kill what runs at once; ask nothing.")
@click.option(
    "--timeout",
    "-t",
    "seconds",
    type=click.IntRange(0, 3600),
    default=10,
    metavar="SECONDS",
    help="How long it may take to end, before it is killed; 10.",
)
@click.option("--verbose", "-v", is_flag=True, help="Say how each ended, and how long it took.")
@click.option("--keep-container", is_flag=True, help="What happens anyway: a stop removes nothing.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@options.as_json
def stop(names: tuple[str, ...], **rest: Any) -> None:
    """Stop containers, with all that runs in them, and print their names.

    A stopped container keeps its files, and can be started again. Without NAME, on a terminal, you
    choose one.

    \b
    container-stop thesis
    container-stop --all --yes
    """  # noqa: D301
    from ds01build.workflow import lives, owned

    choosing.require_choice(names or rest["every"])
    choosing.must_ask(rest)
    host, rows = _picked(names, _runs, "running", every=rest["every"])
    called = owned.names(rows, host)
    running = [called[row.name] for row in rows if row.is_running]
    if running and not choosing.agreed(f"Stop {', '.join(running)}?", rest):
        click.echo("nothing is stopped", err=True)
        return

    def act(row: Row) -> Outcome:
        return lives.stop(row, host, rest["seconds"], is_killed=rest["force"])

    outcomes = lives.each(rows, act)
    choosing.tell(
        outcomes, "ds01.stopped/1", as_json=rest["as_json"], verbose=bool(rest["verbose"])
    )
    if any(each.outcome == "stopped" for each in outcomes):
        _say_holds(host)


def _say_holds(host: Host) -> None:
    """Say when a site takes away what a stopped container has, if it says so."""
    try:
        limits = host.limits()
    except Ds01Error as error:  # which changes nothing about what is stopped by now
        click.echo(f"what becomes of it is not known: {error}", err=True)
        return
    holds = {
        "its GPUs": limits.gpu_hold_after_stop_h,
        "the container itself": limits.container_hold_after_stop_h,
    }
    said = [f"{what} after {hours:g} h" for what, hours in holds.items() if hours is not None]
    if said:
        click.echo(f"This machine takes back {', '.join(said)}: container-start", err=True)


@click.command("container-pause", context_settings=_HELP)
@choosing.names
@_every
@options.as_json
def pause(names: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Freeze what runs in containers, and print their names. Memory and GPUs stay taken.

    \b
    container-pause thesis
    """  # noqa: D301
    from ds01build.workflow import lives

    def fits(row: Row) -> bool:
        return row.state == "running"

    host, rows = _picked(names, fits, "running", every=every)
    outcomes = lives.each(rows, lambda row: lives.pause(row, host))
    choosing.tell(outcomes, "ds01.paused/1", as_json=as_json)


@click.command("container-unpause", context_settings=_HELP)
@choosing.names
@_every
@options.as_json
def unpause(names: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Let what runs in paused containers go on, and print their names.

    \b
    container-unpause thesis
    """  # noqa: D301
    from ds01build.workflow import lives

    def fits(row: Row) -> bool:
        return row.state == "paused"

    host, rows = _picked(names, fits, "paused", every=every)
    outcomes = lives.each(rows, lambda row: lives.unpause(row, host))
    choosing.tell(outcomes, "ds01.unpaused/1", as_json=as_json)


@click.command("container-exit", context_settings=_HELP)
def leave() -> None:
    """Say how to leave a container; this command itself does nothing.

    \b
    container-exit
    """  # noqa: D301
    click.echo(
        "Type exit, or press Ctrl-D, in its shell: you leave it, and it keeps running, with\n"
        "what you have started in the background there.\n"
        "container-run NAME     goes back in\n"
        "container-stop NAME    ends it; its files stay\n"
        "container-remove NAME  removes it; what lies in /workspace stays\n"
        "Ctrl-P Ctrl-Q, which detaches from docker attach, does nothing here."
    )


def _runs(row: Row) -> bool:
    return row.is_running


def _refuse_both(names: tuple[str, ...], *, every: bool) -> None:
    if names and every:
        raise click.UsageError("name containers, or give --all")


def _picked(
    names: tuple[str, ...], fits: Callable[[Row], bool], what: str, *, every: bool
) -> tuple[Host, tuple[Row, ...]]:
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell

    _refuse_both(names, every=every)
    choosing.require_choice(names or every)
    host = wiring.host(tell)
    return host, choosing.several(names, host, fits, what, every=every)
