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
@click.option("--reorder", is_flag=True, help="Group and order layers as a first lock does.")
@options.locking
@options.as_json
@options.quiet
def lock(recipe: Path, check: bool, reorder: bool, as_json: bool, quiet: bool, **rest: Any) -> None:
    """Lock every package of RECIPE by hash.

    Packages keep the versions that the lock has, unless the recipe or an option moves them.

    \b
    ds01 lock recipes/quickstart.toml
    ds01 lock --upgrade-package pandas recipes/quickstart.toml
    ds01 lock --check recipes/quickstart.toml
    ds01 lock --reorder recipes/quickstart.toml
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import steps as workflow

    if reorder and (check or rest["locked"] or rest["frozen"]):
        raise click.UsageError("--reorder changes the lock: --check, --locked and --frozen do not")
    if check:
        options.check({**rest, "check": True})
        _check(recipe, rest, as_json=as_json, quiet=quiet)
        return
    chosen = options.choices(rest)
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        locked = workflow.make_lock(recipe, edges, chosen)
        _show(workflow.reorder_lock(locked) if reorder else locked, as_json=as_json)


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
