"""Prints answers: JSON for programs, tables for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["print_json", "table", "visible"]


def print_json(answer: object) -> None:
    """Print ``answer`` as JSON on stdout."""
    click.echo(json.dumps(answer, indent=2))


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
