"""``container-create``: a container of an image, with its user in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, options

if TYPE_CHECKING:
    from ds01build.container import Wish

__all__ = ["create"]


@click.command("container-create", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="NAME")
@click.argument("image", metavar="IMAGE", shell_complete=completers.names)
@click.option(
    "--workspace",
    "-w",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="What /workspace is; ~/workspace/NAME otherwise.",
)
@click.option("--dry-run", is_flag=True, help="Print what the engine would be asked for.")
@options.as_json
@options.quiet
def create(name: str, image: str, **rest: Any) -> None:
    """Create the container NAME of IMAGE, stopped, with you as its user.

    Your directory is /workspace in it; what you write there is yours. Nothing in the image is
    changed for you.

    \b
    container-create thesis thesis
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.container import payload
    from ds01build.workflow import containers

    with progress(quiet=rest["quiet"]) as report:
        host = wiring.host(report)
        wish = _wish(name, image, host, rest)
        if rest["dry_run"]:
            print_json({"name": name, **payload(containers.specified(wish, host))})
            return
        made = containers.create(wish, host)
    if rest["as_json"]:
        print_json({"schema": "ds01.container/1", "name": made.name, **payload(made)})
    else:
        click.echo(made.name)


def _wish(name: str, image: str, host: Any, rest: dict[str, Any]) -> Wish:
    from ds01build.workflow import containers

    tag = f"ds01-{host.identity.uid}/{image}:latest" if ":" not in image else image
    wish = replace(containers.wish_for(name, tag, host), name=name)
    if rest["workspace"]:
        wish = replace(wish, workspace=str(rest["workspace"].absolute()))
    return wish
