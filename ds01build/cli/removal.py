"""``container-remove``: removes containers for good, and never a file of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import choosing, options, terminal
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host
    from ds01build.workflow.removing import Removed

__all__ = ["remove"]


@click.command("container-remove", context_settings={"help_option_names": ["-h", "--help"]})
@choosing.names
@click.option("--all", "-a", "every", is_flag=True, help="All of yours that are stopped.")
@click.option("--images", "-i", is_flag=True, help="Delete their images, too, as image-delete.")
@click.option("--volumes", "-v", is_flag=True, help="Remove their anonymous volumes, too.")
@click.option("--force", "-f", is_flag=True, help="Also those that run; ask nothing.")
@click.option("--skip-removal-confirm", "--yes", "-y", "yes", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@options.as_json
def remove(names: tuple[str, ...], **rest: Any) -> None:
    """Remove containers, with what is written in them outside of mounted directories.

    Your workspace stays, and the image, unless --images is given. One that runs is refused, unless
    --force is given. Without NAME, on a terminal, you choose one.

    \b
    container-remove thesis
    container-remove --all --dry-run
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell

    if names and rest["every"]:
        raise click.UsageError("name containers, or give --all")
    choosing.require_choice(names or rest["every"])
    if not rest["dry_run"]:
        choosing.must_ask(rest)
    host = wiring.host(tell)
    rows = choosing.several(
        names, host, lambda row: _fits(row, rest), "stopped", every=rest["every"]
    )
    if rest["dry_run"]:
        _answer(_planned(rows, host, rest), rest)
        return
    rest = _asked(rows, host, rest)
    if not _agreed(rows, host, rest):
        click.echo("nothing is removed", err=True)
        return
    _answer(_carried_out(rows, host, rest), rest)


def _fits(row: Row, rest: dict[str, Any]) -> bool:
    return not row.is_running or (rest["force"] and not rest["every"])


def _asked(rows: Sequence[Row], host: Host, rest: dict[str, Any]) -> dict[str, Any]:
    """Return the options with what a person adds to them, who is asked where somebody is."""
    from ds01build.workflow.removing import images_of

    if rest["yes"] or rest["force"] or rest["every"] or not terminal.is_there():
        return rest
    if not any(_goes(row, rest) for row in rows):
        return rest
    images, volumes = rest["images"], rest["volumes"]
    of = images_of(rows, host)
    if not images and of:
        images = click.confirm(f"Delete {', '.join(of)}, too (image)?", default=False, err=True)
    if not volumes:
        volumes = click.confirm("Remove anonymous volumes, too?", default=False, err=True)
    return {**rest, "images": images, "volumes": volumes}


def _goes(row: Row, rest: dict[str, Any]) -> bool:
    from ds01build.workflow.removing import foreseen

    return foreseen(row, force=rest["force"]).outcome == "removed"


def _agreed(rows: Sequence[Row], host: Host, rest: dict[str, Any]) -> bool:
    """Say what would go, and ask; True where there is nothing to ask about."""
    from ds01build.cli.output import visible
    from ds01build.workflow.owned import names

    called = names(rows, host)
    gone = [row for row in rows if _goes(row, rest)]
    for row in gone:
        click.echo(visible(f"{called[row.name]}: {row.status or row.state}"), err=True)
    if not gone:
        return True
    what = ", ".join(called[row.name] for row in gone)
    return choosing.agreed(f"Remove {what}?", rest)


def _planned(rows: Sequence[Row], host: Host, rest: dict[str, Any]) -> Removed:
    from ds01build.workflow.removing import plan

    return plan(rows, host, force=rest["force"], store=_store(rest))


def _carried_out(rows: Sequence[Row], host: Host, rest: dict[str, Any]) -> Removed:
    from ds01build.workflow.removing import remove as carry_out

    return carry_out(rows, host, force=rest["force"], volumes=rest["volumes"], store=_store(rest))


def _store(rest: dict[str, Any]) -> Any:
    from ds01build.cli import wiring

    return wiring.open_store if rest["images"] else None


def _answer(found: Removed, rest: dict[str, Any]) -> None:
    """Print what came of it all. Raises Ds01Error where not all came to what was asked."""
    from ds01build.cli.output import print_json, print_lines

    if rest["as_json"]:
        print_json(
            {
                "schema": "ds01.removed/1",
                "dry_run": rest["dry_run"],
                "containers": [each.answer() for each in found.containers],
                "images": [each.answer() for each in found.images],
            }
        )
    lines = [f"container {one.name}" for one in found.containers if one.outcome == "removed"]
    lines += [f"image {one.name}" for one in found.images if one.outcome == "deleted"]
    if lines and not rest["as_json"]:
        print_lines(lines)
    if rest["dry_run"]:
        click.echo("nothing is removed: this is what would be", err=True)
    _complain(found)


def _complain(found: Removed) -> None:
    from ds01build.cli.output import visible

    wrong = [one for one in found.containers if one.outcome != "removed"]
    left = [one for one in found.images if one.outcome != "deleted"]
    told = [(one.outcome, one.name, one.reason, one.hint) for one in wrong]
    told += [(one.outcome, one.name, one.reason, one.hint) for one in left]
    for outcome, name, reason, hint in told:
        more = f" ({hint})" if hint else ""
        click.echo(visible(f"{outcome}: {name}: {reason}{more}"), err=True)
    if wrong or left:
        total = len(found.containers) + len(found.images)
        raise Ds01Error(f"{len(wrong) + len(left)} of {total} stay")
