"""Prints answers: JSON for programs, tables for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ds01build.quantities import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["grown", "print_json", "print_lines", "table", "visible"]


def print_json(answer: object) -> None:
    """Print ``answer`` as JSON on stdout."""
    click.echo(json.dumps(answer, indent=2))


def print_lines(lines: Iterable[str]) -> None:
    """Print text on stdout, whatever names are in it."""
    click.echo("\n".join(visible(line) for line in lines))


def grown(size: int) -> str:
    """Return how many bytes something grew by, with its sign."""
    return f"{'-' if size < 0 else '+'}{readable(abs(size))}"


def visible(text: str) -> str:
    """Return ``text`` with what a terminal would obey, or hide, written out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines of aligned columns under ``heading``."""
    lines = [list(heading), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join(padded)
