"""Prints answers: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
import textwrap
from itertools import zip_longest
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from ds01build.quantities import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["fitted", "grown", "hung", "print_json", "print_lines", "table", "visible", "wrapped"]

_LEAST = 12  # columns that are left to a cell
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


def hung(label: str, text: str) -> list[str]:
    """Return a label and its text, which on a terminal goes on below itself."""
    if not sys.stdout.isatty():
        return [f"{label}{text}"]
    return textwrap.wrap(
        text,
        get_terminal_size().columns,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
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


def fitted(heading: Sequence[str], rows: Iterable[Sequence[str]], *fold: int) -> str:
    """Return a table that a terminal has room for; a pipe gets every cell as it is.

    The columns that ``fold`` names go on below, and what the first one has no room for stands
    behind an ellipsis.
    """
    lines = [list(heading), *(list(row) for row in rows)]
    if sys.stdout.isatty():
        lines = _within(lines, fold, get_terminal_size().columns)
    return table(lines[0], lines[1:])


def _within(lines: list[list[str]], fold: Sequence[int], width: int) -> list[list[str]]:
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    over = sum(widths) + 2 * (len(widths) - 1) - width
    for column in (*sorted(fold, key=lambda each: -widths[each]), 0):
        kept = max(widths[column] - max(over, 0), min(_LEAST, widths[column]))
        over -= widths[column] - kept
        widths[column] = kept
    found: list[list[str]] = []
    for line in lines:
        pieces = [
            textwrap.wrap(cell, widths[column]) or [""] if column in fold else [cell]
            for column, cell in enumerate(line)
        ]
        pieces[0] = [_cut(each, widths[0]) for each in pieces[0]]
        found += [list(row) for row in zip_longest(*pieces, fillvalue="")]
    return found


def _cut(text: str, width: int) -> str:
    """Return a text with an ellipsis in the place of what there is no room for; its end tells."""
    if len(text) <= width:
        return text
    first = width // 3
    return f"{text[:first]}…{text[len(text) - (width - first - 1) :]}"
