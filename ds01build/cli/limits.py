"""``ds01 limits``: what a user's containers may use, who says so, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.limits import Limits
    from ds01build.workflow.limiting import Standing

__all__ = ["limits"]

_BYTES = {"memory", "memory_swap", "shm_size", "storage_tmp", "aggregate_memory"}
_BYTES |= {"aggregate_memory_high"}


@click.group()
def limits() -> None:
    """Look into what this machine allows its users."""


@limits.command()
@click.argument("user", required=False, metavar="[USER]")
@options.as_json
def show(user: str | None, as_json: bool) -> None:
    """Print the limits of USER, or yours: each with the place that it comes from.

    Also which containers count against them now, and where the rules are not what one expects.

    \b
    ds01 limits show
    ds01 limits show anna.lind@example.org
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines
    from ds01build.cli.telling import tell

    if user == "":
        raise click.UsageError("an empty name is none: leave it out, or give one")
    found = wiring.standing(user or "", tell)
    if as_json:
        print_json(_answer(found))
    else:
        print_lines(_screen(found))


def _values(found: Limits) -> dict[str, float | bool | None]:
    from ds01build.limits.bounds import BOUNDS

    return {bound.field: getattr(found, bound.field) for bound in BOUNDS}


def _answer(found: Standing) -> dict[str, object]:
    own, rows = found.limits, found.containers
    return {
        "schema": "ds01.limits/1",
        "user": own.login,
        "group": own.group,
        "file": own.source or None,
        "limits": {
            field: {"value": value, "from": own.origin(field)}
            for field, value in _values(own).items()
        },
        "slice": own.slice or None,
        "containers": None
        if rows is None
        else [{"name": row.name, "state": row.state} for row in rows],
        "notes": list(own.notes),
    }


def _screen(found: Standing) -> Iterator[str]:
    from ds01build.cli.output import fitted, hung

    own = found.limits
    yield from hung("", f"{own.login} (group {own.group}), by {own.source or 'ds01 itself'}")
    yield ""
    rows = [[field, _shown(field, each), own.origin(field)] for field, each in _values(own).items()]
    yield from fitted(["LIMIT", "VALUE", "FROM"], rows, 2).splitlines()
    yield ""
    yield from hung("containers: ", _usage(found))
    if own.slice:
        yield from hung("slice: ", f"{own.slice}, where systemd has the engine's cgroups")
    for note in own.notes:
        yield from hung("note: ", note)


def _shown(field: str, value: float | bool | None) -> str:
    from ds01build.quantities import readable

    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return readable(value) if field in _BYTES else f"{value:g}"


def _usage(found: Standing) -> str:
    rows, most = found.containers, found.limits.max_containers
    if rows is None:
        return "not known"
    running = sum(row.is_running for row in rows)
    names = f": {', '.join(row.name for row in rows)}" if rows else ""
    of = "" if most is None else f" of {most}"
    return f"{len(rows)}{of}, {running} running{names}"
