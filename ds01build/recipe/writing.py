"""Writes keys and tables into the text of a recipe, in the manner of what stands around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.fields import load
from ds01build.recipe.located import is_inline, locate, places

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["renamed_key", "with_key", "with_table", "with_value", "without_key", "without_tier"]

_COMMENTS = re.compile(r"(?:\r?\n[ \t]*#[^\r\n]*)+(?=\r?\n[ \t]*(?:\r?\n|\Z)|\r?\n?\Z)")


def with_value(text: str, place: Sequence[str], written: str) -> str:
    """Return ``text`` with other TOML for the value at ``place``."""
    found = locate(text, place)
    return text[: found.start] + written + text[found.stop :]


def with_key(text: str, table: tuple[str, ...], key: str, written: str) -> str:
    """Return ``text`` with one more key behind those that the table at ``table`` has."""
    if is_inline(text, table):
        end = locate(text, (*table, _keys(text, table)[-1])).stop
        return f"{text[:end]}, {key} = {written}{text[end:]}"
    own = [place for place in places(text, table) if len(place) == len(table) + 1]
    last = max((locate(text, place) for place in own), key=lambda found: found.stop)
    line = text[text.rfind("\n", 0, last.start) + 1 : last.start]
    before = re.match(r"[ \t]*(?:[^=\s]+\.(?=[^=.]+=))?", line)  # dotted keys go on as such
    assert before is not None, "it matches nothing, too"
    end = _line_end(text, last.stop)
    return f"{text[:end]}{_newline(text)}{before[0]}{key} = {written}{text[end:]}"


def without_key(text: str, place: tuple[str, ...]) -> str:
    """Return ``text`` without the lines of a key. Raises ValueError for one in braces."""
    if is_inline(text, place[:-1]):
        raise ValueError(f"{'.'.join(place)} stands in braces")
    found = locate(text, place)
    begin, end = text.rfind("\n", 0, found.start) + 1, _line_end(text, found.stop)
    return text[:begin] + text[end:].removeprefix("\r").removeprefix("\n")


def renamed_key(text: str, place: tuple[str, ...], name: str) -> str:
    """Return ``text`` with another name of the key at ``place``."""
    start = locate(text, place).start
    old = re.search(rf"([\"']?){re.escape(place[-1])}\1(?=[ \t]*=[ \t]*\Z)", text[:start])
    if old is None:
        raise ValueError(f"{'.'.join(place)} is written in an unusual way")
    return text[: old.start()] + name + text[old.end() :]


def with_table(text: str, parent: str, name: str, lines: Sequence[str]) -> str:
    """Return ``text`` with the table ``[parent.name]`` behind the last one below ``parent``."""
    siblings = load(text).get(parent)
    after = (parent, list(siblings)[-1]) if isinstance(siblings, dict) and siblings else ("base",)
    if siblings and is_inline(text, (parent,)):
        raise ValueError(f"{parent} stands in braces")
    end = _line_end(text, max(locate(text, place).stop for place in places(text, after)))
    comments = _COMMENTS.match(text, end)
    end = comments.end() if comments else end
    newline = _newline(text)
    table = newline.join(("", "", f"[{parent}.{name}]", *lines))
    whole = text[:end] + table + (text[end:] or newline)
    rest = load(whole)
    tables = rest.get(parent, {})
    assert isinstance(tables, dict), "a table of it has been written"
    tables.pop(name, None)
    if rest != {parent: {}, **load(text)}:
        raise ValueError(f"{parent} is written in an unusual way")
    return whole


def without_tier(text: str, name: str, kind: str) -> str:
    """Return ``text`` without a tier that has no packages and says nothing else.

    The same text where there is a comment, a bundle or anything more in it.
    """
    header, line_break = rf"\[tiers\.{re.escape(name)}\]", r"[ \t]*\r?\n"
    of_kind = rf"""kind[ \t]*=[ \t]*(?:"{kind}"|'{kind}')"""
    empty = r"packages[ \t]*=[ \t]*\[\s*\]"
    lines = f"(?:{of_kind}{line_break}{empty}|{empty}{line_break}{of_kind})"
    pattern = rf"(?m)^(?:{line_break})?{header}{line_break}{lines}[ \t]*(?:\r?\n|\Z)"
    found = re.search(rf"{pattern}(?=\s*(?:\[|\Z)|[ \t]*\r?\n\s*\#)", text)
    return text[: found.start()] + text[found.end() :] if found else text


def _keys(text: str, table: Sequence[str]) -> list[str]:
    found: object = load(text)
    for key in table:
        assert isinstance(found, dict), "the recipe has been read"
        found = found[key]
    assert isinstance(found, dict), "the recipe has been read"
    return list(found)


def _line_end(text: str, place: int) -> int:
    """Return where the line ends, before its break, that ``place`` lies in."""
    found = re.compile(r"[^\r\n]*").match(text, place)
    assert found is not None, "it matches nothing, too"
    return found.end()


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
