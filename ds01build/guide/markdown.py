"""Pages and concepts as Markdown: the reference of the commands in the documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.guide.page import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ds01build.guide.page import Block, Page, Row
    from ds01build.guide.reading import Concept

__all__ = ["document"]

_HEAD = """\
# Reference of the commands

Made from the commands themselves by `docs/commands.py`; do not edit it. `COMMAND --info` prints the
same in a terminal, `COMMAND --concepts` the [ideas](#ideas) behind it, and with `--guided` a
command explains itself while it runs.
"""


def document(pages: Sequence[Page], shared: Sequence[Row], ideas: Mapping[str, Concept]) -> str:
    """Return one document of all ``pages``; options that all have (``shared``) stand there once."""
    lines = [_HEAD, "## Options of every command", "", *_table(("option", "does"), shared), ""]
    for page in pages:
        lines += [*_page(page, {term for term, _ in shared}), ""]
    lines += ["## Ideas", ""]
    for concept in ideas.values():
        lines += [f"### {concept.title}", "", *_text(concept.text)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _page(page: Page, shared: set[str]) -> Iterator[str]:
    entry = page.entry
    yield from [f"## {page.name}", "", _escaped(page.summary), "", "```", page.usage, "```", ""]
    yield from [f"Also `{page.other}`.", ""] if page.other else []
    yield from _text(entry.about)
    for text in page.more:
        yield from [_escaped(text), ""]
    yield from _table(("command", "does"), page.commands)
    yield from _table(("option", "does"), [row for row in page.options if row[0] not in shared])
    yield from _headed("Good to know:", [f"- {_escaped(each)}" for each in entry.advice])
    yield from _examples(page)
    yield from _headed("What is written where:", [f"- {_escaped(each)}" for each in entry.writes])
    yield from _table(("exit code", "means"), page.exits)
    yield from [f"See also {', '.join(_link(name) for name in page.see)}."] if page.see else []


def _examples(page: Page) -> Iterator[str]:
    examples = [(each.command, each.says) for each in page.entry.examples]
    if examples:
        lines = (line for command, says in examples for line in (f"# {says}", command))
        yield from ["```sh", *lines, "```", ""]


def _text(text: str) -> Iterator[str]:
    for block in blocks(text):
        yield from [*_block(block), ""]


def _block(block: Block) -> Sequence[str]:
    if block.kind == "verbatim":
        return ["```", *(line[2:] for line in block.lines), "```"]
    return [_escaped(line) for line in block.lines]


def _headed(title: str, lines: Sequence[str]) -> list[str]:
    return [title, "", *lines, ""] if lines else []


def _table(heading: Row, rows: Iterable[Row]) -> list[str]:
    found = [f"| {_code(term)} | {_cell(says)} |" for term, says in rows]
    return [f"| {' | '.join(heading)} |", "| --- | --- |", *found, ""] if found else []


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _link(name: str) -> str:
    return f"[`{name}`](#{name.replace(' ', '-')})"


def _escaped(text: str) -> str:
    """Return text in which only what is in backticks means something to Markdown."""
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"([*_<>\[\]])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)
