"""``container-deploy``: a container of an image that runs, and the way into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from ds01build.cli import completers, entering, making, options, picking, terminal, wishing
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from ds01build.asking import Asker
    from ds01build.cli.picking import Asked

__all__ = ["deploy"]

_Way = Literal["background", "open"]


@click.command("container-deploy", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completers.containers)
@click.argument("given", metavar="[IMAGE]", required=False, shell_complete=completers.images)
@click.option("--image", metavar="IMAGE", shell_complete=completers.images, help="The same.")
@click.option(
    "--framework",
    default="",
    metavar="NAME",
    shell_complete=completers.frameworks,
    help="Of an image of yours that stands on it, without IMAGE.",
)
@click.option(
    "--project",
    default="",
    metavar="NAME",
    help="It is for this project: ~/workspace/NAME is its workspace.",
)
@wishing.options
@click.option("--background", is_flag=True, help="Let it run, and stay here.")
@click.option(
    "--open", "opens", is_flag=True, help="Open a shell in it, where there is a terminal."
)
@click.option("--dry-run", is_flag=True, help="Print what the engine would be asked for.")
@options.as_json
@options.quiet
def deploy(name: str | None, given: str | None, **rest: Any) -> None:
    """Create the container NAME of IMAGE, and start it. One that is there needs a word.

    That is --existing, which starts it, or --recreate; on a terminal you are asked.

    The image is IMAGE, else one on the framework, else yours that is called like NAME. Where that
    is not there, what can be done instead is said, and nothing is made.

    \b
    container-deploy thesis --background
    container-deploy --project thesis --open
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell
    from ds01build.workflow import deploying

    asked, way = _asked(name, given, rest), _way(rest)
    wishing.tell_deprecated(rest)
    at = wishing.desk(wiring.host(tell), rest)
    wish = wishing.settled(asked, rest, at)
    if rest["dry_run"]:
        making.show_specification(wishing.with_port(wish, rest, at.host), at.host)
        return
    wish, clash = wishing.clash_of(wish, rest, at)
    way = way or _chosen(at.asker)
    made = deploying.deploy(wish, at.host, clash)
    making.show(made, wish, rest)
    if not rest["as_json"]:
        click.echo(made.name)
    if way == "open":
        entering.enter_by_name(made.name, at.host)
    else:
        making.advise(f"It runs. Enter it: container-run {wish.name}", rest)


def _asked(name: str | None, given: str | None, rest: dict[str, Any]) -> Asked:
    """Return what is named; a project's container is called like it. Raises UsageError."""
    from ds01build.container import container_name
    from ds01build.grammar import recipe_name

    if given and rest["image"]:
        raise click.UsageError("IMAGE and --image are the same: give one of them")
    try:
        project = recipe_name(rest["project"]) if rest["project"] else ""
    except ValueError as error:
        raise click.UsageError(f"--project: {error}") from error
    return picking.Asked(
        name=name or container_name(project) or None,
        image=rest["image"] or given,
        framework=rest["framework"],
        project=project,
    )


def _way(rest: dict[str, Any]) -> _Way | None:
    """Return what happens to a container that runs, None to ask.

    Raises UsageError for both, Ds01Error where nobody can be asked.
    """
    if rest["background"] and rest["opens"]:
        raise click.UsageError("--background and --open contradict each other")
    if rest["background"] or rest["opens"]:
        return "background" if rest["background"] else "open"
    if rest["dry_run"] or terminal.is_there():
        return None
    raise Ds01Error(
        "there is no terminal to ask on, and it is not said where the container runs",
        hint="--background lets it run, --open says how to enter it",
    )


def _chosen(asker: Asker | None) -> _Way:
    from ds01build.asking import Option

    if asker is None:
        return "open"
    asker.explain("container-deploy.open")
    choices = [
        Option(value="open", title="Enter it"),
        Option(value="background", title="Let it run in the background"),
    ]
    return (
        "open"
        if asker.choose("It starts now. And then?", choices, "open") == "open"
        else ("background")
    )
