"""``container-jupyter``: Jupyter Lab in a container, for its owner alone."""

from __future__ import annotations

import platform
import shlex
from typing import TYPE_CHECKING

import click

from ds01build.cli import completers, options

if TYPE_CHECKING:
    from ds01build.workflow.containers import Host
    from ds01build.workflow.jupyter import Served

__all__ = ["jupyter", "show", "tunnel"]


@click.command("container-jupyter", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="NAME", shell_complete=completers.containers)
@click.option("--stop", "is_stopped", is_flag=True, help="End it, with all its kernels.")
@options.as_json
@options.quiet
def jupyter(name: str, is_stopped: bool, as_json: bool, quiet: bool) -> None:
    """Start Jupyter Lab in the container NAME and print the URL that lets you in.

    It listens on this machine alone and asks for a token, which the URL has: whoever has it can
    do what you can. One that runs already is not started again.

    \b
    container-jupyter thesis
    container-jupyter thesis --stop
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import jupyter as labs

    with progress(quiet=quiet) as report:
        host = wiring.host(report)
        if is_stopped:
            _say_stopped(name, was_running=labs.stop(name, host), as_json=as_json)
            return
        found = labs.serve(name, host)
    show(found, host, as_json=as_json, quiet=quiet)


def show(found: Served, host: Host, *, as_json: bool = False, quiet: bool = False) -> None:
    """Print the URL of a Jupyter that runs, and how to reach it from elsewhere."""
    from ds01build.cli.output import print_json

    if as_json:
        print_json({**found.answer(), "tunnel": tunnel(found, host.identity.login)})
        return
    click.echo(found.url)
    if not quiet:
        click.echo("From another machine, run there first, and then open the URL:", err=True)
        click.echo(f"  {tunnel(found, host.identity.login)}", err=True)


def tunnel(found: Served, login: str) -> str:
    """Return the command that makes a Jupyter reachable on the machine where its user sits."""
    forward = f"{found.port}:127.0.0.1:{found.port}"
    return shlex.join(["ssh", "-N", "-L", forward, "-l", login, platform.node()])


def _say_stopped(name: str, *, was_running: bool, as_json: bool) -> None:
    from ds01build.cli.output import print_json

    if as_json:
        print_json({"schema": "ds01.jupyter/1", "name": name, "stopped": was_running})
    else:
        click.echo("stopped" if was_running else "it did not run", err=True)
