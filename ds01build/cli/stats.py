"""``container-stats``: what your containers use of this machine."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import choosing, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host
    from ds01build.workflow.measuring import Measured

__all__ = ["stats"]

_BETWEEN = 0.5  # seconds between the samples of one answer
_EVERY = 2.0  # seconds, with --watch
_WIDEST = 24  # characters of a name
_CLEAR = "\x1b[H\x1b[2J"


@click.command("container-stats", context_settings={"help_option_names": ["-h", "--help"]})
@choosing.name
@click.option("--watch", "-w", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@click.option("--gpu", "-g", is_flag=True, help="Say which GPUs each holds, too.")
@click.option("--no-trunc", is_flag=True, help="Do not shorten names; show whole ids.")
@options.as_json
def stats(name: str | None, **rest: Any) -> None:
    """Show what your running containers use: processors, memory, network, disks, processes.

    CPU is of one processor: 250% are two and a half.

    \b
    container-stats
    container-stats thesis --watch
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell

    if rest["watch"] and rest["as_json"]:
        raise click.UsageError("--watch and --json contradict each other")
    host = wiring.host(tell)
    if rest["watch"]:
        try:
            _watch(name, host, rest)
        except KeyboardInterrupt:  # which is how one leaves
            click.echo(err=True)
        return
    _print(_measured(_rows(name, host), host, _BETWEEN), rest)


def _rows(name: str | None, host: Host) -> list[Row]:
    from ds01build.errors import Ds01Error
    from ds01build.workflow.owned import called, find, mine

    if name is None:
        return [row for row in mine(host) if row.is_running]
    row = find(name, host)
    if not row.is_running:
        shown = called(row, host)
        raise Ds01Error(f"{shown} does not run", hint=f"container-run {shown} starts it")
    return [row]


def _measured(rows: Sequence[Row], host: Host, seconds: float) -> tuple[Measured, ...]:
    from ds01build.workflow.measuring import measured, samples

    before = samples(rows, host)
    if before:
        time.sleep(seconds)
    return measured(rows, before, samples(rows, host), host)


def _watch(name: str | None, host: Host, rest: dict[str, Any]) -> None:
    while True:
        found = _measured(_rows(name, host), host, _EVERY)
        if sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)
        _print(found, rest)
        if not found:
            time.sleep(_EVERY)


def _print(found: Sequence[Measured], rest: dict[str, Any]) -> None:
    from ds01build.cli.output import print_json, print_lines

    if rest["as_json"]:
        print_json({"schema": "ds01.stats/1", "containers": [each.answer() for each in found]})
    elif found:
        print_lines(_table(found, rest))
    else:
        click.echo("none of your containers runs\nhint:  container-list --all", err=True)


def _table(found: Sequence[Measured], rest: dict[str, Any]) -> list[str]:
    from ds01build.cli.output import fitted, visible

    more = [*(["GPUS"] if rest["gpu"] else []), *(["ID"] if rest["no_trunc"] else [])]
    heading = ["NAME", "CPU", "MEMORY", "OF", "NET IN/OUT", "DISK IN/OUT", "PIDS", *more]
    rows = [list(map(visible, _row(each, rest))) for each in found]
    return fitted(heading, rows, 2, 4, 5, *range(7, len(heading))).splitlines()


def _row(one: Measured, rest: dict[str, Any]) -> list[str]:
    from ds01build.quantities import readable

    now = one.now
    share = f" ({now.memory / now.memory_limit:.0%})" if now.memory_limit else ""
    name = one.name if rest["no_trunc"] or len(one.name) <= _WIDEST else f"{one.name[:_WIDEST]}…"
    return [
        name,
        f"{one.cpu:.1%}",
        f"{readable(now.memory)}{share}",
        readable(now.memory_limit) if now.memory_limit else "-",
        f"{readable(now.received)} / {readable(now.sent)}",
        f"{readable(now.read)} / {readable(now.written)}",
        str(now.processes),
        *([one.gpus or "-"] if rest["gpu"] else []),
        *([one.row.container_id] if rest["no_trunc"] else []),
    ]
