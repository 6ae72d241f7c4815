"""``container-create``: a container of an image, with its user in it."""

from __future__ import annotations

from typing import Any

import click

from ds01build.cli import completers, making, options, picking, wishing

__all__ = ["create"]


@click.command("container-create", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completers.containers)
@click.argument("image", metavar="[IMAGE]", required=False, shell_complete=completers.images)
@wishing.options
@click.option("--dry-run", is_flag=True, help="Print what the engine would be asked for.")
@options.as_json
@options.quiet
def create(name: str | None, image: str | None, **rest: Any) -> None:
    """Create the container NAME of IMAGE, stopped, with you as its user.

    IMAGE is one of your images, NAME@N for its generation N, a full reference, or a framework that
    an image of yours stands on; without it the image that is called like NAME. No image is made
    here: image-create does that. Your directory is /workspace in it; what you write there is yours.
    Nothing in the image is changed for you.

    \b
    container-create
    container-create thesis
    container-create thesis pytorch --data /srv/data --port 0
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell
    from ds01build.workflow import deploying

    wishing.tell_deprecated(rest)
    at = wishing.desk(wiring.host(tell), rest)
    wish = wishing.settled(picking.Asked(name=name, image=image), rest, at)
    if rest["dry_run"]:
        if not (rest["existing"] or rest["recreate"]):
            deploying.require_free(wish.name, at.host)
        making.show_specification(wishing.with_port(wish, rest, at.host), at.host)
        return
    wish, clash = wishing.clash_of(wish, rest, at)
    made = deploying.make(wish, at.host, clash)
    making.show(made, wish, rest)
    if not rest["as_json"]:
        making.advise(f"Enter it: container-run {wish.name}", rest)
        click.echo(made.name)
