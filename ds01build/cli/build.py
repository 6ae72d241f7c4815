"""``ds01 build``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.workflow.built import Built

__all__ = ["as_asked", "build"]


@click.command()
@options.recipe
@options.locking
@options.loading
@click.option("--keep-sources", is_flag=True, help="Keep downloaded files that have layers.")
@click.option(
    "--builder",
    type=click.Choice(["native", "docker"]),
    default="native",
    help="Who makes the image: ds01 itself, or an engine from the recipe's Dockerfile.",
)
@options.as_json
@options.quiet
def build(
    recipe: Path, keep_sources: bool, builder: str, as_json: bool, quiet: bool, **rest: Any
) -> None:
    """Build the image of RECIPE into the store and print its reference.

    Executes what ``ds01 plan`` prints. Without a lock, or with a stale one, locks first. Where a
    Docker Engine answers, the image is loaded into it, and the reference is its tag there.

    \b
    ds01 build recipes/quickstart.toml
    docker run --rm -it "$(ds01 build recipes/quickstart.toml)"
    skopeo copy "$(ds01 build --no-load recipes/quickstart.toml)" dir:/some/directory
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.workflow import quick

    options.check(rest)
    if builder == "docker":
        _build_with_docker(recipe, rest, as_json=as_json, quiet=quiet)
        return
    store = wiring.open_store()
    moves = ("upgrade", "upgrade_packages")
    built = None
    if not any(map(rest.get, moves)):
        built = quick.find(recipe, quick.lock_path(recipe), store)
        if built is not None:
            quick.follow(recipe, built, store)
            built = as_asked(built, rest)
    if built is None:
        built = _build(recipe, rest, keep_sources=keep_sources, quiet=quiet)
    if as_json:
        print_json(built.answer(store.root))
    else:
        click.echo(built.reference(store.root))


def as_asked(built: Built, rest: dict[str, Any]) -> Built | None:
    """Return what there is already by the name that is asked for; None where it has to be made."""
    from ds01build.cli import wiring
    from ds01build.cli.output import visible

    def tell(text: str) -> None:
        click.echo(visible(text), err=True)

    if rest["no_load"]:
        return replace(built, tag="")
    return wiring.still_loaded(built, must=rest["load"], tell=tell)


def _build(recipe: Path, rest: dict[str, Any], *, keep_sources: bool, quiet: bool) -> Built:
    from ds01build.cli import wiring
    from ds01build.cli.ahead import Ahead
    from ds01build.cli.progress import progress
    from ds01build.workflow import building

    chosen = options.choices(rest, keep_sources=keep_sources)
    with progress(quiet=quiet) as report:
        ahead = Ahead(report)
        edges = wiring.edges(ahead.tell, chosen)
        ahead.then(edges.transport.prepare)
        if chosen.load != "never":
            ahead.then(edges.engine)
        return building.build(recipe, edges, chosen)


def _build_with_docker(recipe: Path, rest: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.workflow.dockerbuild import build_with_docker

    if rest["no_load"]:
        raise click.UsageError("--builder docker and --no-load contradict each other")
    chosen = options.choices(rest)
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        built = build_with_docker(recipe, edges, chosen, wiring.docker_environment())
    if as_json:
        print_json(built.answer())
    else:
        click.echo(built.tag)
