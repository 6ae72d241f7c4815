"""The reference page of one command as a value, and the blocks that its texts are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.guide.reading import Entry

__all__ = ["EXITS", "Block", "Page", "Row", "blocks"]

Row = tuple[str, str]  # a term, and what it means

# What exit codes mean, where a command does not say something else.
EXITS = {
    "0": "done",
    "1": "the request cannot be met",
    "2": "the command line is wrong",
    "70": "a bug in ds01",
    "130": "interrupted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All there is to say about one command.

    ``name`` is as it is typed, ``other`` another way to type it. ``see`` has names too. Words in
    backticks are code.
    """

    name: str
    other: str = ""
    usage: str
    summary: str
    more: tuple[str, ...] = ()  # paragraphs
    options: tuple[Row, ...]
    commands: tuple[Row, ...] = ()
    see: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()  # their titles
    entry: Entry

    @property
    def exits(self) -> tuple[Row, ...]:
        """What each exit code means for this command."""
        every = {**EXITS, **self.entry.exits}
        return tuple(sorted(every.items(), key=lambda row: int(row[0])))


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of a text that belong together."""

    kind: Literal["prose", "list", "verbatim"]
    lines: tuple[str, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """The entries of a list, each in one line, without what marks them."""
        found: list[str] = []
        for line in self.lines:
            if line[:1] == " ":
                found[-1] = f"{found[-1]} {line.strip()}"
            else:
                found.append(line.partition(" ")[2])
        return tuple(found)


def blocks(text: str) -> tuple[Block, ...]:
    """Return what empty lines, indentation and marks tell apart in a text of the guide.

    Lines that begin with two spaces are shown as they are, with empty lines between them; ``- ``
    and ``1. `` begin an item of a list, whose further lines are indented.
    """
    found: list[Block] = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        for block in _split(tuple(paragraph.split("\n"))):
            if found and found[-1].kind == block.kind == "verbatim":
                found[-1] = Block("verbatim", (*found[-1].lines, "", *block.lines))
            else:
                found.append(block)
    return tuple(found)


def _split(lines: tuple[str, ...]) -> Iterator[Block]:
    """Yield a list that follows a line of prose at once, or what else is in one piece."""
    start = next((n for n, line in enumerate(lines) if _begins_item(line)), None)
    if start is None:
        kind: Literal["prose", "verbatim"] = "verbatim" if lines[0][:2] == "  " else "prose"
        yield Block(kind, lines)
        return
    if start:
        yield Block("prose", lines[:start])
    yield Block("list", lines[start:])


def _begins_item(line: str) -> bool:
    return line.startswith("- ") or (line[:1].isdecimal() and line[1:3] == ". ")
