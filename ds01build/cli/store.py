"""``ds01 store``: where the store is, whether it is whole, what fills it, and what can go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, options
from ds01build.cli.measures import age, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.store import DirStore
    from ds01build.store.audit import Finding
    from ds01build.workflow.collecting import Collected

__all__ = ["store"]

# What --json says when nothing was repaired.
_NOTHING: Mapping[str, object] = {"repaired": [], "quarantined": [], "reasons": [], "lost": []}


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
    from ds01build.cli.progress import progress
    from ds01build.errors import CheckFailed
    from ds01build.quantities import counted
    from ds01build.store import audit

    if dry_run and not repair:
        raise click.UsageError("--dry-run says what --repair would do: give both")
    opened = wiring.examined_store()
    lost: Sequence[str] = ()
    if repair and not dry_run:
        left, lost = _repair(opened, as_json=as_json, quiet=quiet)
    else:
        with progress(quiet=quiet) as report:
            left = sorted(audit.verify(opened, report))
        _print_findings(opened, left, {}, as_json=as_json, remedies=dry_run)
    if left:
        hint = "" if repair and not dry_run else "ds01 store verify --repair"
        raise CheckFailed(f"{opened.root}: {counted(len(left), 'finding')}", hint)
    click.echo(f"the store is whole{', but for what is lost' if lost else ''}", err=True)


def _repair(
    opened: DirStore, *, as_json: bool, quiet: bool
) -> tuple[Sequence[Finding], Sequence[str]]:
    """Repair a store, print what came of it, and return what is still wrong, and what is lost."""
    from ds01build.cli import wiring
    from ds01build.cli.output import visible
    from ds01build.cli.progress import progress
    from ds01build.workflow.repairing import repair
    from ds01build.workflow.steps import Choices

    with progress(quiet=quiet) as report:
        done = repair(opened, lambda: wiring.edges(report, Choices(load="never")), report)
    reasons = [{"problem": str(error), "hint": error.hint} for error in done.reasons]
    more = {
        "repaired": list(map(_row, done.repaired)),
        "quarantined": list(map(_row, done.quarantined)),
        "reasons": reasons,
        "lost": list(done.lost),
    }
    _print_findings(opened, done.left, more, as_json=as_json, remedies=False)
    if not as_json:
        for finding in done.repaired:
            click.echo(visible(f"repaired: {finding}"))
        for finding in done.quarantined:
            click.echo(visible(f"moved to quarantine: {finding}"))
        for text in done.lost:
            click.echo(visible(f"lost: {text}"))
    for reason in done.reasons:
        hint = f" ({reason.hint})" if reason.hint else ""
        click.echo(visible(f"not repaired: {reason}{hint}"), err=True)
    return done.left, done.lost


def _print_findings(
    opened: DirStore,
    findings: Sequence[Finding],
    more: Mapping[str, object],
    *,
    as_json: bool,
    remedies: bool,
) -> None:
    from ds01build.cli.output import print_json, visible
    from ds01build.store.mending import remedy

    if as_json:
        rows = {"findings": list(map(_row, findings)), **_NOTHING, **more}
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
    from ds01build.cli.output import print_json, table
    from ds01build.quantities import readable
    from ds01build.store import audit

    opened = wiring.open_store()
    used = audit.usage(opened)
    sizes = {**asdict(used), "total": used.total}
    if as_json:
        print_json({"schema": "ds01.usage/1", "store": str(opened.root), "bytes": sizes})
    else:
        click.echo(table(["WHAT", "SIZE"], [[what, readable(n)] for what, n in sizes.items()]))


@store.command()
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and delete nothing.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Drop generations beyond the newest N of each name.",
)
@click.option(
    "--older-than",
    type=age,
    metavar="AGE",
    help="Drop generations and logs of that age, such as 30d, 12h, 8w.",
)
@click.option(
    "--min-free",
    type=size,
    metavar="SIZE",
    help="Delete the oldest until that much is free, such as 20GiB.",
)
@click.option("--keep-sources", is_flag=True, help="Keep every file that a kept lock names.")
@options.no_engine
@options.as_json
@options.quiet
def gc(dry_run: bool, as_json: bool, quiet: bool, **rest: Any) -> None:
    """Delete what nothing needs: no generation, no name, no build, no container.

    Without --keep, --older-than or --min-free every generation stays; with both of the first two,
    those go that both would drop. The generation that a name stands for, its newest, and those that
    are pinned, or that a container in the engine was made from, stay whatever is asked. Logs of
    what failed go after 30 days, or at the age of --older-than.

    \b
    ds01 store gc --dry-run --keep 3
    ds01 store gc --older-than 90d
    ds01 store gc --min-free 20GiB
    """  # noqa: D301
    import time

    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.store.gc import LOG_AGE, Policy
    from ds01build.workflow.collecting import Wish, collect

    opened, now = wiring.open_store(), time.time()
    old = rest["older_than"]
    policy = Policy(
        keep=rest["keep"],
        before=None if old is None else _rfc3339(now - old),
        min_free=rest["min_free"],
        logs=int((now - (LOG_AGE if old is None else old)) * 1e9),
    )
    wish = Wish(policy=policy, keep_sources=rest["keep_sources"], delete=not dry_run)
    with progress(quiet=quiet) as report:
        engine = "none" if rest["no_engine"] else wiring.engine(report)
        found = collect(opened, engine, wish, report, now)
    if as_json:
        head = {"schema": "ds01.collected/1", "store": str(opened.root), "dry_run": dry_run}
        print_json({**head, **found.answer()})
    else:
        _show(found, "would be deleted" if dry_run else "deleted")


def _show(found: Collected, done: str) -> None:
    from ds01build.cli.output import visible
    from ds01build.quantities import readable

    deletion = found.deletion
    for one in deletion.generations:
        click.echo(f"generation {one}, built {one.created}")
    for name in found.engine:
        click.echo(f"image {name} in the engine")
    for digest in deletion.blobs:
        click.echo(f"blob {digest}")
    for name in deletion.logs:
        click.echo(visible(f"log {name}"))
    click.echo(f"{readable(deletion.size)} {done}", err=True)


def _rfc3339(seconds: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@store.command()
@click.argument("generation", metavar="NAME[@N]", shell_complete=completers.images)
@options.as_json
def pin(generation: str, as_json: bool) -> None:
    """Keep a generation, by default the one that NAME stands for, until it is unpinned."""
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.workflow import generations

    opened = wiring.open_store()
    name, number = generations.numbered(opened, generation)
    pinned = generations.pin(opened, name, number)
    if as_json:
        answer = {"name": name, "number": number, "digest": str(pinned.image), "pinned": True}
        print_json({"schema": "ds01.pin/1", **answer})
    else:
        click.echo(f"{name}@{number}")


@store.command()
@click.argument("generation", metavar="NAME[@N]", shell_complete=completers.images)
@options.as_json
def unpin(generation: str, as_json: bool) -> None:
    """Let a generation go again."""
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.workflow import generations

    opened = wiring.open_store()
    name, number = generations.numbered(opened, generation)
    generations.unpin(opened, name, number)
    if as_json:
        print_json({"schema": "ds01.pin/1", "name": name, "number": number, "pinned": False})
    else:
        click.echo(f"{name}@{number}")
