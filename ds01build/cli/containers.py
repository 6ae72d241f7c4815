"""``container-list``: which containers you have, what they do, and of which builds they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.workflow.standing import Standing

__all__ = ["containers"]

_BUILDS = {"current": "-", "old": "old build", "gone": "image gone"}


@click.command("container-list", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--all", "-a", "every", is_flag=True, help="Also those that are stopped.")
@click.option("--detailed", "-d", is_flag=True, help="Say all that there is to say of each.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "simple", "json"]),
    default="table",
    help="A table, names alone, or JSON.",
)
@options.as_json
def containers(every: bool, detailed: bool, form: str, as_json: bool) -> None:
    """List your containers that run, whatever tool made them.

    STALE marks those whose image has been built again since, or is not there any more.

    \b
    container-list --all
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines
    from ds01build.cli.telling import tell
    from ds01build.workflow.standing import standing

    found = standing(wiring.host(tell), every=True)
    shown = [each for each in found if every or each.row.is_running]
    if as_json or form == "json":
        rows = [each.answer() for each in shown]
        print_json({"schema": "ds01.containers/1", "containers": rows})
    elif form == "simple":
        if shown:
            print_lines(each.name for each in shown)
    elif shown:
        print_lines(_details(shown) if detailed else _table(shown))
    click.echo(_summary(found, shown), err=True)


def _table(found: Sequence[Standing]) -> list[str]:
    from ds01build.cli.output import fitted, visible

    heading = ["NAME", "STATE", "STATUS", "IMAGE", "STALE", "GPUS"]
    rows = [
        [
            each.name,
            each.row.state,
            each.row.status or "-",
            each.image or "-",
            _BUILDS[each.build],
            each.gpus or "-",
        ]
        for each in found
    ]
    return fitted(heading, [list(map(visible, row)) for row in rows], 2, 3, 5).splitlines()


def _details(found: Sequence[Standing]) -> Iterator[str]:
    for each in found:
        yield each.name
        yield from (f"  {label:<12} {text}" for label, text in _facts(each) if text)


def _facts(one: Standing) -> list[tuple[str, str]]:
    row = one.row
    return [
        ("full name", row.name if row.name != one.name else ""),
        ("id", row.container_id),
        ("state", f"{row.state} ({row.status})" if row.status else row.state),
        ("created", one.created),
        ("image", one.image or "nobody knows"),
        ("image id", row.image_id),
        ("stale", "no" if one.build == "current" else _BUILDS[one.build]),
        ("framework", row.labels.get("ds01.framework", "").strip("-")),
        ("project", row.labels.get("ds01.project", "")),
        ("GPUs", one.gpus or "none"),
        ("workspace", one.workspace),
        ("made by", one.kind),
    ]


def _summary(found: Sequence[Standing], shown: Sequence[Standing]) -> str:
    from ds01build.quantities import counted

    running = sum(each.row.is_running for each in found)
    stopped = len(found) - running
    if not found:
        return "you have no containers yet\nhint:  container-create"
    text = f"{counted(running, 'container')} of yours {'runs' if running == 1 else 'run'}"
    if len(shown) < len(found):
        return f"{text}; {stopped} stopped: container-list --all"
    return f"{text}, {stopped} stopped" if stopped else text
