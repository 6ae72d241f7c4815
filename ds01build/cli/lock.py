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
@click.option(
    "--check",
    is_flag=True,
    help="Only say whether the lock is fresh (exit 3 if not), and whether its base has moved.",
)
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
        _check(recipe, rest, as_json=as_json, quiet=quiet)
        return
    chosen = options.choices(rest)
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        _show(workflow.make_lock(recipe, edges, chosen), as_json=as_json)


def _check(recipe: Path, rest: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    """Say that the lock is fresh, and whether the tag of its base stands for another image now."""
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.lock import LockedImage
    from ds01build.workflow import steps as workflow

    locked, moved = workflow.check_lock(recipe), None
    if isinstance(locked.lock.base, LockedImage):
        with progress(quiet=quiet) as report:
            edges = wiring.edges(report, options.choices(rest))
            workflow.require_base(locked, edges.bases)
            if not rest["offline"]:
                moved = workflow.find_move(locked, edges.bases)
    _show(locked, as_json=as_json, base_moved_to=str(moved) if moved else None)


def _show(locked: Locked, *, as_json: bool, **more: object) -> None:
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
            **more,
        }
    )
