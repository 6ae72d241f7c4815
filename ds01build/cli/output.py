"""Prints answers: JSON for programs, tables for people."""

from __future__ import annotations

import json
import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from ds01build.quantities import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["grown", "print_json", "print_lines", "table", "visible", "wrapped"]

_WIDEST = 100  # columns that text is wrapped to


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


def wrapped(line: str) -> list[str]:
    """Return a line in pieces that fit the terminal, each below the text of the first one."""
    width = min(get_terminal_size().columns, _WIDEST)
    if len(line) <= width or max(map(len, line.split())) > width // 2:
        return [line]  # it fits, or the terminal had better break it
    indent = " " * (len(line) - len(line.lstrip(" •→0123456789)")))
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines of aligned columns under ``heading``."""
    lines = [list(heading), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join(padded)
