"""Splits what ENV and LABEL give into names and values, as BuildKit's parser does.

No shell reads these: ``&``, ``;``, ``#`` and parentheses are characters like others. Nothing is
expanded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Pair", "pairs"]

_SPACE = re.compile(r"[ \t\v\f\r]+")
# What Docker would put the value of something in the place of.
_VARIABLE = re.compile(r"\$[A-Za-z0-9_{@*#?$!-]")


class _Grammar(NamedTuple):
    """``word`` is text without a space outside of quotes, ``piece`` one part of it."""

    word: re.Pattern[str]
    piece: re.Pattern[str]
    in_double: re.Pattern[str]


def _grammar(escape: str) -> _Grammar:
    """Return the words of a Dockerfile whose mark of escape is ``escape``."""
    mark = re.escape(escape)
    quoted = rf"'[^']*'|\"(?:[^\"{mark}]|{mark}.)*\""
    return _Grammar(
        word=re.compile(rf"(?:{mark}(?:.|\Z)|{quoted}|[^\s{mark}])+", re.DOTALL),
        piece=re.compile(
            rf"{mark}(?P<escaped>.|\Z)|'(?P<single>[^']*)'"
            rf"|\"(?P<double>(?:[^\"{mark}]|{mark}.)*)\""
            rf"|(?P<variable>{_VARIABLE.pattern})|(?P<plain>[^'\"{mark}])",
            re.DOTALL,
        ),
        in_double=re.compile(rf"{mark}([\"${mark}])|({_VARIABLE.pattern})"),
    )


_GRAMMARS = {escape: _grammar(escape) for escape in ("\\", "`")}


class Pair(NamedTuple):
    """A name and its value; ``expands`` says that the value refers to variables."""

    name: str
    value: str
    expands: bool


def pairs(text: str, escape: str = "\\") -> Iterator[Pair]:
    """Yield names and values; ``escape`` is the Dockerfile's mark of escape. Raises ValueError.

    ``NAME VALUE`` without an equals sign is the old form: all the rest is the value.
    """
    grammar = _GRAMMARS[escape]
    words = grammar.word.findall(text)
    if words and "=" not in words[0]:
        name, *value = _SPACE.split(text.strip(), maxsplit=1)
        yield _pair(name, value, grammar)
        return
    for word in words:
        name, *value = word.split("=", 1)
        yield _pair(name, value, grammar)


def _pair(name: str, value: list[str], grammar: _Grammar) -> Pair:
    if not value:
        raise ValueError(f"{name!r:.100} has no value")
    return Pair(_unquoted(name, grammar)[0], *_unquoted(value[0], grammar))


def _unquoted(text: str, grammar: _Grammar) -> tuple[str, bool]:
    """Return text without quotes and marks of escape, and whether it refers to variables."""
    found: list[str] = []
    place, expands = 0, False
    while place < len(text):
        piece = grammar.piece.match(text, place)
        if piece is None:
            raise ValueError("a quote that nothing closes")
        value = piece[piece.lastgroup or 0]
        if piece.lastgroup == "double":
            expands = expands or any(one[2] for one in grammar.in_double.finditer(value))
            value = grammar.in_double.sub(lambda one: one[1] or one[0], value)
        expands = expands or piece.lastgroup == "variable"
        found.append(value)
        place = piece.end()
    return "".join(found), expands
