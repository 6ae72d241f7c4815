"""``ds01 lock``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.workflow.steps import Locked

__all__ = ["lock"]


@click.command()
@options.recipe
@click.option("--check", is_flag=True, help="Only say whether the lock is fresh (exit 3 if not).")
@options.locking
@options.as_json
@options.quiet
def lock(recipe: Path, check: bool, as_json: bool, quiet: bool, **rest: Any) -> None:
    """Lock every package of RECIPE by hash.

    Packages keep the versions that the lock has, unless the recipe or an option moves them.

    \b
    ds01 lock recipes/quickstart.toml
    ds01 lock --upgrade-package pandas recipes/quickstart.toml
    ds01 lock --check recipes/quickstart.toml
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import steps as workflow

    if check:
        options.check({**rest, "check": True})
        _show(workflow.check_lock(recipe), as_json=as_json)
        return
    chosen = options.choices(rest)
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        _show(workflow.make_lock(recipe, edges, chosen), as_json=as_json)


def _show(locked: Locked, *, as_json: bool) -> None:
    from ds01build.cli.output import print_json

    if not as_json:
        click.echo(locked.path)
        return
    found = locked.lock
    print_json(
        {
            "schema": "ds01.locked/1",
            "name": found.name,
            "path": str(locked.path),
            "digest": str(found.digest),
            "recipe": str(found.recipe),
            "changed": locked.changed,
            "wheels": len(found.wheels),
            "debs": len(found.debs),
            "files": len(found.files),
            "layers": len(found.layers),
        }
    )
