"""``ds01 dockerfile``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from ds01build.workflow.rendering import Place

__all__ = ["dockerfile"]


@click.command()
@options.recipe
@click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to write NAME.Dockerfile and NAME.context; ~/dockerfiles if not given.",
)
@click.option(
    "--project-dockerfile",
    "in_project",
    is_flag=True,
    help="Write Dockerfile and Dockerfile.context into the recipe's project.",
)
@options.locking
@options.as_json
@options.quiet
def dockerfile(
    recipe: Path, output: Path | None, in_project: bool, as_json: bool, quiet: bool, **rest: Any
) -> None:
    """Write the image of RECIPE as a multi-stage Dockerfile and print its path.

    Docker builds it without ds01: every package is locked, Python's by hash. Without a lock, or
    with a stale one, locks first.

    \b
    ds01 dockerfile recipes/thesis.toml
    ds01 dockerfile --project-dockerfile recipes/thesis.toml
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.workflow import rendering
    from ds01build.workflow import steps as workflow
    from ds01build.workflow.inheriting import base_config

    if output and in_project:
        raise click.UsageError("--output and --project-dockerfile contradict each other")
    chosen = options.choices(rest)
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        locked = workflow.make_lock(recipe, edges, chosen)
        config = base_config(locked.lock.base, edges)
    name = locked.lock.name
    place = _place(recipe, output, name, in_project=in_project)
    rendering.write_dockerfile(locked.lock, config, locked.request.directory, place)
    if as_json:
        print_json(_answer(name, place))
    else:
        click.echo(place.dockerfile)
        click.echo(f"build it with: {shlex.join(place.command(name))}", err=True)


def _place(recipe: Path, output: Path | None, name: str, *, in_project: bool) -> Place:
    from ds01build.workflow import rendering

    if in_project:
        return rendering.project_place(recipe)
    return rendering.default_place((output or Path.home() / "dockerfiles").absolute(), name)


def _answer(name: str, place: Place) -> dict[str, object]:
    return {
        "schema": "ds01.dockerfile/1",
        "name": name,
        "dockerfile": str(place.dockerfile),
        "context": str(place.context),
        "command": place.command(name),
    }
