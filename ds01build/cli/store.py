"""``ds01 store``: where the store is, whether it is whole, and what fills it."""

from __future__ import annotations

import click

from ds01build.cli import options

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
@options.as_json
def verify(as_json: bool) -> None:
    """Read every byte of the store and say what is damaged, missing or foreign (exit 3)."""
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.errors import CheckFailed
    from ds01build.quantities import counted
    from ds01build.store import audit

    opened = wiring.open_store()
    findings = sorted(audit.verify(opened))
    if as_json:
        rows = [{"path": f.path, "kind": f.kind, "problem": f.problem} for f in findings]
        print_json({"schema": "ds01.verified/1", "store": str(opened.root), "findings": rows})
    else:
        for finding in findings:
            click.echo(str(finding))
    if findings:
        raise CheckFailed(f"{opened.root}: {counted(len(findings), 'finding')}")
    click.echo("the store is whole", err=True)


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
