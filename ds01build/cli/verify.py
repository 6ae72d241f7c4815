"""``ds01 verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from ds01build.workflow.verifying import Compared, Verified

__all__ = ["verify"]

_SHOWN = 20  # differences of a layer; --json has all


@click.command()
@options.recipe
@click.option("--offline", is_flag=True, help="Take files from the store; fetch none.")
@click.option(
    "--scratch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to build; otherwise beside the store. What is put there is removed.",
)
@options.as_json
@options.quiet
def verify(recipe: Path, offline: bool, scratch: Path | None, as_json: bool, quiet: bool) -> None:
    """Build RECIPE again from nothing, and say whether it is what the store has (exit 3 if not).

    Everything is fetched and made anew in a store of its own, which is removed at the end. Layers
    that ds01 makes itself must have the same digests; what an engine executes, the same paths and
    packages.
    """
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.errors import CheckFailed
    from ds01build.workflow import verifying
    from ds01build.workflow.steps import Choices

    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, Choices(offline=offline, load="never"))
        verified = verifying.verify(recipe, edges, offline=offline, scratch=scratch)
    if as_json:
        print_json(_answer(verified))
    else:
        _print(verified)
    if not verified.is_equal:
        raise CheckFailed(f"{verified.name} does not come out as the store has it")


def _answer(verified: Verified) -> dict[str, object]:
    *layers, image = map(_row, verified.rows)
    return {
        "schema": "ds01.reproduced/1",
        "name": verified.name,
        "equal": verified.is_equal,
        "layers": layers,
        "image": image,
    }


def _row(row: Compared) -> dict[str, object]:
    return {
        "tier": row.tier,
        "title": row.title,
        "outcome": row.outcome,
        "stored": str(row.stored) if row.stored else None,
        "made": str(row.made) if row.made else None,
        "reason": row.reason,
        "differences": [{"path": one.path, "problem": one.problem} for one in row.differences],
    }


def _print(verified: Verified) -> None:
    from ds01build.cli.output import table, visible

    rows = [
        [row.tier or "(image)", visible(row.title), row.outcome, visible(row.reason)]
        for row in verified.rows
    ]
    click.echo(table(["TIER", "LAYER", "OUTCOME", "WHY"], rows))
    for row in verified.rows:
        for one in row.differences[:_SHOWN]:
            click.echo(visible(f"/{one.path}: {one.problem}"))
        if len(row.differences) > _SHOWN:
            click.echo(f"... and {len(row.differences) - _SHOWN} more")
