"""``ds01 store``: where the store is, whether it is whole, and what fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.store import DirStore
    from ds01build.store.audit import Finding

__all__ = ["store"]


@click.group()
def store() -> None:
    """Look at the store of layers and images."""


@store.command()
@options.as_json
def path(as_json: bool) -> None:
    """Print where the store is. DS01_STORE selects another."""
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json

    where = str(wiring.where())
    if as_json:
        print_json({"schema": "ds01.place/1", "store": where})
    else:
        click.echo(where)


@store.command()
@click.option("--repair", is_flag=True, help="Put right what can be: fetched, or made again.")
@click.option("--dry-run", is_flag=True, help="With --repair: only say what it would do.")
@options.as_json
@options.quiet
def verify(repair: bool, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Read every byte of the store and say what is damaged, missing or foreign (exit 3).

    With --repair, bad bytes are moved to quarantine, and what was there is fetched or made again
    from the locks of the images that the store has. What can't be is said (exit 3).
    """
    from ds01build.cli import wiring
    from ds01build.errors import CheckFailed
    from ds01build.store import audit

    if dry_run and not repair:
        raise click.UsageError("--dry-run says what --repair would do: give both")
    opened = wiring.examined_store()
    if repair and not dry_run:
        left = _repair(opened, as_json=as_json, quiet=quiet)
    else:
        left = sorted(audit.verify(opened))
        _print_findings(opened, left, {}, as_json=as_json, remedies=dry_run)
    if left:
        hint = "" if repair and not dry_run else "ds01 store verify --repair"
        raise CheckFailed(f"{opened.root}: {len(left)} things are not as they should be", hint)
    click.echo("the store is whole", err=True)


def _repair(opened: DirStore, *, as_json: bool, quiet: bool) -> Sequence[Finding]:
    """Repair a store, print what came of it, and return what is still wrong."""
    from ds01build.cli import wiring
    from ds01build.cli.output import visible
    from ds01build.cli.progress import progress
    from ds01build.workflow.repairing import repair
    from ds01build.workflow.steps import Choices

    with progress(quiet=quiet) as report:
        done = repair(opened, lambda: wiring.edges(report, Choices(load="never")))
    reasons = [{"problem": str(error), "hint": error.hint} for error in done.reasons]
    more = {"repaired": list(map(_row, done.repaired)), "reasons": reasons}
    _print_findings(opened, done.left, more, as_json=as_json, remedies=False)
    if not as_json:
        for finding in done.repaired:
            click.echo(visible(f"repaired: {finding}"))
    for reason in done.reasons:
        hint = f" ({reason.hint})" if reason.hint else ""
        click.echo(visible(f"not repaired: {reason}{hint}"), err=True)
    return done.left


def _print_findings(
    opened: DirStore,
    findings: Sequence[Finding],
    more: dict[str, list[dict[str, str]]],
    *,
    as_json: bool,
    remedies: bool,
) -> None:
    from ds01build.cli.output import print_json, visible
    from ds01build.store.mending import remedy

    if as_json:
        rows = {"findings": list(map(_row, findings)), "repaired": [], "reasons": [], **more}
        print_json({"schema": "ds01.verified/2", "store": str(opened.root), **rows})
        return
    for finding in findings:
        click.echo(visible(f"{finding}; {remedy(finding)}" if remedies else str(finding)))


def _row(one: Finding) -> dict[str, str]:
    from ds01build.store.mending import remedy

    return {"path": one.path, "kind": one.kind, "problem": one.problem, "remedy": remedy(one)}


@store.command()
@options.as_json
def du(as_json: bool) -> None:
    """Print what the bytes of the store are for."""
    from dataclasses import asdict

    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, readable, table
    from ds01build.store import audit

    opened = wiring.open_store()
    used = audit.usage(opened)
    sizes = {**asdict(used), "total": used.total}
    if as_json:
        print_json({"schema": "ds01.usage/1", "store": str(opened.root), "bytes": sizes})
    else:
        click.echo(table(["WHAT", "SIZE"], [[what, readable(n)] for what, n in sizes.items()]))
