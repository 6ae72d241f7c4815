"""``ds01 diff``: what two environments have different."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from ds01build.cli import completers
from ds01build.cli.changed import headed, package_answer, package_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.difference import ComparedLayer, Difference, Side

__all__ = ["diff"]


@click.command()
@click.argument("a", shell_complete=completers.sides)
@click.argument("b", shell_complete=completers.sides)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Lines, one JSON object, or Markdown for a pull request.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 where something differs.")
def diff(
    a: str, b: str, form: Literal["text", "json", "markdown"], as_json: bool, exit_code: bool
) -> None:
    """Say what B has different from A: packages, settings, layers, and the bytes of a pull.

    A and B are locks (.lock), recipes (.toml; their locks count), images of the store (NAME,
    NAME@DIGEST, DIGEST) or generations (NAME@N).

    \b
    ds01 diff thesis@3 recipes/thesis.toml
    git show main:lockfiles/thesis.lock >old.lock
    ds01 diff old.lock lockfiles/thesis.lock --format markdown
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.markdown import markdown
    from ds01build.cli.output import print_json, print_lines
    from ds01build.cli.progress import progress
    from ds01build.errors import CheckFailed
    from ds01build.workflow.comparing import difference

    with progress(quiet=False) as report:
        found = difference(a, b, wiring.open_store(), report)
    if as_json or form == "json":
        print_json(_answer(found))
    elif form == "markdown":
        click.echo(markdown(found))
    else:
        print_lines(_lines(found))
    if exit_code and found:
        raise CheckFailed(f"{a} and {b} differ")


def _answer(found: Difference) -> dict[str, object]:
    layers = [
        {
            "status": each.status,
            "tier": each.layer.tier,
            "holds": each.layer.title,
            "size": each.layer.size,
            "key": str(each.layer.key) if each.layer.key else None,
            "diff_id": str(each.layer.diff_id) if each.layer.diff_id else None,
        }
        for each in found.layers
    ]
    return {
        "schema": "ds01.diff/1",
        "a": _side_answer(found.a),
        "b": _side_answer(found.b),
        "differs": bool(found),
        "packages": [package_answer(each) for each in found.packages],
        "settings": [asdict(each) for each in found.settings],
        "layers": layers,
        "bytes": {"sent": found.sent, "extracted": found.extracted},
    }


def _side_answer(side: Side) -> dict[str, object]:
    return {"name": side.name, "has_lock": side.lock is not None, "size": side.size}


def _lines(found: Difference) -> Iterator[str]:
    if not found:
        yield "nothing differs"
        return
    yield from package_lines(found.packages)
    yield from headed("settings", map(str, found.settings))
    yield from headed("layers", map(_layer, found.changed_layers))
    if not found.is_of_locks:
        yield "packages are not compared: the store has no lock of one of the two"
        yield ""
    yield from _total_lines(found)


def _layer(each: ComparedLayer) -> str:
    from ds01build.quantities import readable

    layer = each.layer
    about = "" if layer.diff_id else "about "
    size = f"{about}{readable(layer.size)}"
    return f"{each.status:6}  {layer.tier}: {layer.title}, {size}"


def _total_lines(found: Difference) -> Iterator[str]:
    from ds01build.cli.output import grown
    from ds01build.quantities import readable

    both = found.bytes_of("shared") + found.bytes_of("moved")
    size = grown(found.b.size - found.a.size)
    yield f"size       {readable(found.a.size)} -> {readable(found.b.size)} ({size})"
    yield f"in both    {readable(both)}"
    yield f"sent       {readable(found.sent)} by a pull of B to who has A"
    yield f"extracted  {readable(found.extracted)} by an engine that has A, moved layers included"
