"""Pages as manual pages, in the language of man(7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.guide.page import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.guide.page import Block, Page, Row

__all__ = ["file_name", "manual"]

_SPECIAL = str.maketrans(
    {"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
)


def file_name(command: str) -> str:
    """Return the name of a command's manual page."""
    return f"{command.replace(' ', '-')}.1"


def manual(page: Page, version: str) -> str:
    """Return the manual page of a command, in section 1. It has no date: equal pages are equal."""
    return "\n".join(_lines(page, version)) + "\n"


def _lines(page: Page, version: str) -> Iterator[str]:
    name, entry = file_name(page.name).removesuffix(".1"), page.entry
    yield f'.TH "{name.upper()}" "1" "" "ds01 {version}" "ds01"'
    yield from [".SH NAME", f"{_plain(name)} \\- {_line(page.summary.rstrip('.'))}"]
    yield from [".SH SYNOPSIS", f".B {_plain(page.usage)}"]
    yield ".SH DESCRIPTION"
    yield from _text(entry.about)
    for text in (*page.more, *([f"Also called as `{page.other}`."] if page.other else [])):
        yield from [".PP", _line(text)]
    yield from _bullets("GOOD TO KNOW", entry.advice)
    yield from _terms("COMMANDS", page.commands)
    yield from _terms("OPTIONS", page.options)
    yield from _bullets("FILES", entry.writes)
    yield from _terms("EXIT STATUS", page.exits)
    yield from _examples(page)
    yield from [".SH SEE ALSO", _see(page.see)] if page.see else []


def _text(text: str) -> Iterator[str]:
    for number, block in enumerate(blocks(text)):
        if number and block.kind == "prose":
            yield ".PP"
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if block.kind == "verbatim":
        yield from [".PP", ".nf", *map(_line, block.lines), ".fi"]
    elif block.kind == "list":
        for item in block.items:
            yield from [".IP \\(bu 2", _line(item)]
    else:
        yield from map(_line, block.lines)


def _bullets(title: str, texts: Iterable[str]) -> Iterator[str]:
    lines = [line for text in texts for line in (".IP \\(bu 2", _line(text))]
    yield from [f".SH {title}", *lines] if lines else []


def _terms(title: str, rows: Iterable[Row]) -> Iterator[str]:
    lines = [line for term, says in rows for line in (".TP", f".B {_plain(term)}", _line(says))]
    yield from [f".SH {title}", *lines] if lines else []


def _examples(page: Page) -> Iterator[str]:
    if page.entry.examples:
        yield ".SH EXAMPLES"
    for each in page.entry.examples:
        yield from [".TP", f".B {_plain(each.command)}", _line(each.says)]


def _see(names: Iterable[str]) -> str:
    return ", ".join(f"\\fB{_plain(name.replace(' ', '-'))}\\fR(1)" for name in names)


def _line(text: str) -> str:
    """Return text in which what is in backticks is bold."""
    pieces = [_escaped(piece) for piece in text.split("`")]
    pieces[1::2] = [f"\\fB{piece}\\fR" for piece in pieces[1::2]]
    return _guarded("".join(pieces))


def _plain(text: str) -> str:
    return _guarded(_escaped(text))


def _escaped(text: str) -> str:
    return text.translate(_SPECIAL)


def _guarded(line: str) -> str:
    """Return a line that roff does not take for a request."""
    return f"\\&{line}" if line[:1] in (".", "'") else line
