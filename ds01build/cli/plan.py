"""``ds01 plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.workflow.planning import Planned

__all__ = ["plan"]


@click.command()
@options.recipe
@options.locking
@options.as_json
@options.quiet
def plan(recipe: Path, as_json: bool, quiet: bool, **rest: Any) -> None:
    """Print what a build of RECIPE would do to each tier, why, and what it costs.

    Without a lock, or with a stale one, locks first; builds nothing.
    """
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.workflow.planning import make_plan
    from ds01build.workflow.steps import make_lock

    chosen = options.choices(rest)
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        planned = make_plan(make_lock(recipe, edges, chosen), edges)
    if as_json:
        print_json(_answer(planned))
    else:
        click.echo(_text(planned))


def _answer(planned: Planned) -> dict[str, object]:
    made = planned.plan
    return {
        "schema": "ds01.plan/1",
        "name": planned.locked.lock.name,
        "tiers": [
            {
                "tier": step.name,
                "kind": step.kind,
                "key": str(step.key),
                "action": step.action,
                "reason": step.reason,
                "download": step.download,
                "layers": [
                    {"key": str(layer.key), "action": layer.action, "reason": layer.reason}
                    for layer in step.layers
                ],
            }
            for step in made.steps
        ],
        "bytes": {
            "download": sum(pin.size for pin in made.downloads),
            "space": made.space,
            "free": planned.free,
        },
        "scripts": {
            "not_reproduced": {name: list(missing) for name, missing in planned.scripts.items()},
            "unread": list(planned.unread),
        },
    }


def _text(planned: Planned) -> str:
    from ds01build.cli.output import table
    from ds01build.quantities import counted, readable

    made = planned.plan
    rows = [
        [
            step.name,
            step.action,
            str(len(step.layers)),
            readable(step.download) if step.download else "-",
            step.reason,
        ]
        for step in made.steps
    ]
    total = sum(pin.size for pin in made.downloads)
    lines = [
        table(["TIER", "ACTION", "LAYERS", "DOWNLOAD", "REASON"], rows),
        "",
        f"download  {readable(total)} in {counted(len(made.downloads), 'file')}",
        f"space     about {readable(made.space)} needed, {readable(planned.free)} free",
    ]
    return "\n".join([*lines, *_scripts(planned)])


def _scripts(planned: Planned) -> list[str]:
    """Return what maintainer scripts would have done, packages with the same gap together."""
    from ds01build.quantities import counted

    alike: dict[str, list[str]] = {}
    for name, missing in planned.scripts.items():
        for what in missing:
            alike.setdefault(what, []).append(name)
    lines = [f"  {what}: {', '.join(names)}" for what, names in sorted(alike.items())]
    if lines:
        lines = ["", "not done, because maintainer scripts are not run:", *lines]
    if planned.unread:
        debs = counted(len(planned.unread), ".deb")
        lines += ["", f"{debs} to be fetched, whose scripts are still unread"]
    return lines
