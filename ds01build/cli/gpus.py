"""``ds01 gpus``: what GPUs there are, and who holds them."""

from __future__ import annotations

import click

from ds01build.cli import options

__all__ = ["gpus"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@options.as_json
@options.quiet
def gpus(as_json: bool, quiet: bool) -> None:
    """List the GPUs of this machine, their slices, and who holds them.

    A container holds its GPUs from when it is made until it is removed, also while it is stopped.
    SHARE is how much of a GPU each of them is, as limits count.

    \b
    ds01 gpus
    ds01 gpus --json
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines, table, visible
    from ds01build.cli.progress import progress
    from ds01build.gpus import show
    from ds01build.workflow.allotting import overview

    with progress(quiet=quiet) as report:
        inventory, holdings = overview(wiring.host(report))
    if as_json:
        print_json(show.answer(inventory, holdings))
        return
    rows = list(show.rows(inventory, holdings))
    if rows:
        print_lines(table(show.HEADING, rows).splitlines())
    for line in show.summary(inventory, holdings):
        click.echo(visible(line), err=True)
