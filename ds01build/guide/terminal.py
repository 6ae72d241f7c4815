"""Pages and concepts as plain text of 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ds01build.guide.reading import WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ds01build.guide.page import Page, Row
    from ds01build.guide.reading import Concept, Entry

__all__ = ["concepts", "introduction", "page"]

_TERM = 26  # columns; a longer term has a line of its own


def page(made: Page) -> str:
    """Return the reference of a command."""
    return "\n".join(_flat(_sections(made)))


def concepts(found: Sequence[Concept]) -> str:
    """Return concepts one after the other."""
    return "\n".join(_flat((one.title, one.text.split("\n")) for one in found))


def introduction(name: str, entry: Entry) -> str:
    """Return what is told before a command does its work."""
    lines = [f"--- {name} ---", "", entry.about, ""]
    if entry.advice:
        lines += ["Good to know:", *_listed(entry.advice), ""]
    if entry.examples:
        lines += ["Examples:", *_examples(entry), ""]
    lines.append(f"More: {name} --concepts, {name} --info")
    return "\n".join(lines)


def _sections(made: Page) -> Iterator[tuple[str, Sequence[str]]]:
    entry = made.entry
    other = f" (also: {made.other})" if made.other else ""
    yield f"{made.name}{other}", _wrapped([made.summary])
    yield "Usage", _wrapped([made.usage])
    yield "What it does", entry.about.split("\n")
    yield "In detail", _paragraphs(made.more)
    yield "Good to know", _listed(entry.advice)
    yield "Commands", _rows(made.commands)
    yield "Options", _rows(made.options)
    yield "Examples", list(_examples(entry))
    yield "What is written where", _listed(entry.writes)
    yield "Exit codes", _rows(made.exits)
    yield "Ideas behind it (--concepts)", _listed(made.concepts)
    yield "See also", _wrapped([", ".join(made.see)] if made.see else [])


def _flat(sections: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """Yield titles, underlined, with what they have; those that have nothing are left out."""
    for number, (title, lines) in enumerate(sections):
        if lines:
            yield from [*([""] if number else []), title, "-" * len(title), *lines]


def _examples(entry: Entry) -> Iterator[str]:
    for each in entry.examples:
        yield f"  {each.command}"
        yield from textwrap.wrap(each.says, WIDTH, initial_indent=" " * 6)


def _listed(texts: Iterable[str]) -> list[str]:
    return [
        line
        for text in texts
        for line in textwrap.wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ")
    ]


def _paragraphs(texts: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for text in texts:
        lines += [*([""] if lines else []), *textwrap.wrap(text, WIDTH)]
    return lines


def _wrapped(texts: Iterable[str]) -> list[str]:
    return [line for text in texts for line in textwrap.wrap(text, WIDTH)]


def _rows(rows: Iterable[Row]) -> list[str]:
    """Return terms in a column, and what they mean in another."""
    lines: list[str] = []
    for term, says in rows:
        indent = " " * (_TERM + 2)
        told = textwrap.wrap(says, WIDTH, initial_indent=indent, subsequent_indent=indent)
        if len(term) < _TERM and told:
            told[0] = f"  {term:{_TERM}}{told[0].strip()}"
            lines += told
        else:
            lines += [f"  {term}", *told]
    return lines
