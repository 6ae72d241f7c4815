"""``ds01 user`` and ``user-setup``: how a user stands on this machine, and what he still lacks."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import creation, options, terminal
from ds01build.cli.lazily import LazyGroup
from ds01build.cli.phases import short
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.asking import Asker
    from ds01build.workflow.checked import Checked
    from ds01build.workflow.doctor import Machine

__all__ = ["setup", "user"]


@click.group(cls=LazyGroup, places={"setup": "user:setup"})
def user() -> None:
    """See how you stand on this machine."""


@click.command("user-setup", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--workspace/--no-workspace", default=None, help="Make ~/workspace, or do not.")
@click.option("--ssh-key/--no-ssh-key", default=None, help="Make an ssh key if you have none.")
@click.option("--quick", is_flag=True, help="Only say how you stand: ask and make nothing.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing, and make what you lack.")
@options.as_json
def setup(**rest: Any) -> None:
    """Say how you stand on this machine, and make what you lack and agree to.

    That is the directory of your projects and an ssh key; everything else is told, with what to do.
    What you have stays as it is: it can be run twice.

    \b
    user-setup
    user-setup --yes --no-ssh-key
    """  # noqa: D301
    from ds01build.workflow import arriving, doctor

    if rest["quick"] and (rest["yes"] or rest["workspace"] or rest["ssh_key"]):
        raise click.UsageError("--quick makes nothing: leave it out")
    machine = doctor.machine(os.environ, Path.home())
    made, failures = ([], []) if rest["quick"] else _made(machine, rest)
    _print(tuple(arriving.look(machine)), made, as_json=rest["as_json"])
    if failures:
        raise failures[0]


def _print(found: Sequence[Checked], made: Sequence[Path], *, as_json: bool) -> None:
    from ds01build.cli.doctor import rows
    from ds01build.cli.output import print_json, print_lines
    from ds01build.workflow import hosts

    if not as_json:
        print_lines(rows(found))
        click.echo("Begin a project: project-init", err=True)
        return
    who = hosts.identity()
    print_json(
        {
            "schema": "ds01.user/1",
            "login": who.login,
            "uid": who.uid,
            "gid": who.gid,
            "in_containers": {"name": who.name, "home": who.home},
            "made": [str(path) for path in made],
            "checks": [each.answer() for each in found],
        }
    )


def _made(machine: Machine, rest: dict[str, Any]) -> tuple[list[Path], list[Ds01Error]]:
    """Make what is lacking and agreed to, and return it, and why something could not be made.

    Without a terminal only flags agree.
    """
    from ds01build.workflow import arriving

    asker = creation.asker(is_silent=rest["yes"])
    asks = terminal.is_there() and not rest["yes"]
    agreed = partial(_is_agreed, rest=rest, asker=asker, asks=asks)
    lacking = arriving.lacking(machine)
    made: list[Path] = []
    failures: list[Ds01Error] = []
    for path, flag, what, make in (
        (lacking.workspace, "workspace", "", arriving.make_directory),
        (lacking.key, "ssh_key", "an ssh key, ", partial(arriving.make_key, machine, asks=asks)),
    ):
        if path is not None and agreed(flag, f"Make {what}{short(path, Path.home())}?"):
            try:
                make(path)
                made.append(path)
            except Ds01Error as error:
                failures.append(error)
    return made, failures


def _is_agreed(flag: str, question: str, rest: dict[str, Any], asker: Asker, *, asks: bool) -> bool:
    if rest[flag] is not None or rest["yes"]:
        return rest[flag] is not False
    asker.explain(f"user-setup.{flag.replace('_', '-')}")
    return asks and asker.confirm(question, default=True)
