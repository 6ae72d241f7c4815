"""``ds01 build``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.workflow.built import Built

__all__ = ["build"]


@click.command()
@options.recipe
@options.locking
@click.option("--keep-sources", is_flag=True, help="Keep downloaded files that have layers.")
@options.as_json
@options.quiet
def build(recipe: Path, keep_sources: bool, as_json: bool, quiet: bool, **rest: Any) -> None:
    """Build the image of RECIPE into the store and print its reference.

    Executes what ``ds01 plan`` prints. Without a lock, or with a stale one, locks first.

    \b
    ds01 build recipes/quickstart.toml
    skopeo copy "$(ds01 build recipes/quickstart.toml)" dir:/some/directory
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.workflow import quick

    options.check(rest)
    store = wiring.open_store()
    moves = ("upgrade", "upgrade_packages")
    built = (
        None if any(map(rest.get, moves)) else quick.find(recipe, quick.lock_path(recipe), store)
    )
    if built is None:
        built = _build(recipe, rest, keep_sources=keep_sources, quiet=quiet)
    if as_json:
        print_json(built.answer(store.root))
    else:
        click.echo(built.reference(store.root))


def _build(recipe: Path, rest: dict[str, Any], *, keep_sources: bool, quiet: bool) -> Built:
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import building

    chosen = options.choices(rest, keep_sources=keep_sources)
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        return building.build(recipe, edges, chosen)
