"""Changes single entries of a TOML array of strings, in its text: the rest stays as it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.fields import load

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["appended", "literal", "removed", "replaced", "values"]

# A string in one of its four forms, a comment, or anything else by itself.
_TOKEN = re.compile(
    r'(?P<string>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\')'
    r"|(?P<comment>\#[^\n]*)|(?P<comma>,)|(?P<space>[ \t\r\n]+)|(?P<bracket>[\[\]])",
    re.DOTALL,
)
_LINE_END = re.compile(r"[ \t]*(?:\#[^\r\n]*)?(?=\r?\n)")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One string: where it is, where its comma ends, if it has one, and where the one before."""

    start: int
    end: int
    comma: int | None  # the end of the comma behind it
    after: int  # the end of the bracket or comma before it


def values(text: str) -> list[str]:
    """Return the strings of the array ``text``."""
    found = load(f"array = {text}")["array"]
    assert isinstance(found, list), "the caller knows it for an array"
    return [str(each) for each in found]


def literal(value: str, like: str = "") -> str:
    """Return ``value`` as a TOML string, in single quotes where ``like`` has them, or it needs."""
    single = like.startswith("'") or not {'"', "\\"}.isdisjoint(value)
    if single and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)


def replaced(text: str, position: int, value: str) -> str:
    """Return the array ``text`` with another string at ``position``."""
    entry = _entries(text)[position]
    written = literal(value, text[entry.start : entry.end])
    return text[: entry.start] + written + text[entry.end :]


def appended(text: str, more: Sequence[str]) -> str:
    """Return the array ``text`` with ``more`` behind the others, each set as the last one is."""
    for value in more:
        text = _appended(text, value)
    return text


def removed(text: str, position: int) -> str:
    """Return the array ``text`` without a string; a line of its own goes, with what it says."""
    entries = _entries(text)
    entry = entries[position]
    end = entry.end if entry.comma is None else entry.comma
    line = _own_line(text, entry.start, end)
    if line is not None:
        text = text[: line.start] + text[line.stop :]
        return text if entry.comma is not None else _without_last_comma(text, entries[:position])
    if entry.comma is None:
        return _without_last(text, entries[: position + 1])
    following = text[end:].lstrip(" \t")
    if following[0] in "]#\r\n" and not text[entry.after : entry.start].strip():
        return text[: entry.after] + text[end:]
    return text[: entry.start] + following


def _without_last(text: str, entries: Sequence[_Entry]) -> str:
    """Return an array without its last string, which has no comma behind it."""
    *others, last = entries
    if not others:
        return text[: last.start] + text[last.end :]
    shorter = _without_last_comma(text, others)
    start = last.start - (len(text) - len(shorter))
    between = shorter[others[-1].end : start]
    kept = between.rstrip(" \t") if between.strip() else ""  # a comment, up to the end of its line
    return shorter[: others[-1].end] + kept + text[last.end :]


def _appended(text: str, value: str) -> str:
    entries = _entries(text)
    if not entries:
        return _filled(text, value)
    last = entries[-1]
    written = literal(value, text[last.start : last.end])
    space = text[last.after : last.start]
    end = last.end if last.comma is None else last.comma
    head = text[:end] if last.comma is not None else f"{text[: last.end]},"
    comma = "," if last.comma is not None else ""
    if "\n" not in space:
        return f"{head} {written}{comma}{text[end:]}"
    rest = _LINE_END.match(text, end)
    stop = rest.end() if rest else end
    newline, indent = _line_start(space)
    return f"{head}{text[end:stop]}{newline}{indent}{written}{comma}{text[stop:]}"


def _filled(text: str, value: str) -> str:
    """Return an array without strings, which may hold comments, with its first one."""
    close = len(text) - 1
    inside = text[1:close]
    if "\n" not in inside:
        return f"[{literal(value)}]"
    newline = "\r\n" if "\r\n" in inside else "\n"
    line = text.rfind("\n", 0, close) + 1
    return f"{text[:line]}    {literal(value)},{newline}{text[line:]}"


def _line_start(space: str) -> tuple[str, str]:
    """Return the line break and the indentation that ``space`` ends with."""
    before, _, indent = space.rpartition("\n")
    return ("\r\n" if before.endswith("\r") else "\n"), indent


def _own_line(text: str, start: int, end: int) -> slice | None:
    """Return the line that is nothing but this part and a comment, with its break."""
    begin = text.rfind("\n", 0, start) + 1
    rest = _LINE_END.match(text, end)
    if not begin or text[begin:start].strip(" \t") or rest is None:
        return None
    return slice(begin, text.index("\n", rest.end()) + 1)


def _without_last_comma(text: str, entries: Sequence[_Entry]) -> str:
    """Keep the manner of an array whose last string has no comma."""
    if not entries or entries[-1].comma is None:
        return text
    last = entries[-1]
    assert last.comma is not None, "checked above"
    return text[: last.comma - 1] + text[last.comma :]


def _entries(text: str) -> list[_Entry]:
    """Return where strings are in the array ``text``. Raises ValueError where it holds others."""
    entries: list[_Entry] = []
    place, after = 0, 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError("the array is written in an unusual way")
        place = token.end()
        if token.lastgroup == "string":
            entries.append(_Entry(token.start(), place, None, after))
        elif token.lastgroup == "comma":
            last = entries.pop()
            entries.append(_Entry(last.start, last.end, place, last.after))
        if token.lastgroup in ("comma", "bracket"):
            after = place
    if len(entries) != len(values(text)):
        raise ValueError("the array is written in an unusual way")
    return entries
