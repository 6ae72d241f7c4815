"""Splits what RUN gives to a shell into commands and words (POSIX.1-2017, Shell Command Language).

Nothing is expanded or run. What an unquoted ``>`` or ``<`` makes of ``pandas>=2.0`` is kept apart,
since whoever wrote it meant a version and the shell opened a file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Command", "Script", "Word", "commands", "joined"]

MAX_WORDS = 20_000

_TOKEN = re.compile(
    r"(?P<space>[^\S\n]+)"
    r"|(?P<comment>\#.*)"
    r"|(?P<operator>&&|\|\||;;|[;|&()\n])"
    r"|(?P<redirect>[0-9]*(?:>>|>&|<&|<>|>\||<<-?|[<>])[ \t]*&?)"
    r"|(?P<word>)"
)
# The pieces of a word. A quote that is not closed matches none of them.
_PIECE = re.compile(
    r"\\(?P<escaped>.)"
    r"|'(?P<single>[^']*)'"
    r'|"(?P<double>(?:[^"\\]|\\.)*)"'
    r"|(?P<substitution>\$\([^()]*\)|`[^`]*`|\$\{[^{}]*\})"
    r"|(?P<plain>[^\s'\"\\|&;()`])",
    re.DOTALL,
)
_IN_DOUBLE = re.compile(r'\\([$`"\\])')


class Word(NamedTuple):
    """A word as the command gets it. ``is_range`` says that an unquoted < or > was in it.

    ``expands`` says that the shell would put the value of something into it.
    """

    text: str
    start: int
    end: int
    is_range: bool = False
    expands: bool = False


class Command(NamedTuple):
    """The words of a command, and where it stands in the script, operators apart.

    ``before`` is the operator that it follows, empty at the start.
    """

    words: tuple[Word, ...]
    start: int
    end: int
    before: str


class Script(NamedTuple):
    """A text put together from lines, and where each of them begins in it."""

    text: str
    starts: tuple[int, ...]
    lines: tuple[int, ...]

    def line(self, place: int) -> int:
        """Return the number of the line that ``place`` lies in."""
        return self.lines[max(0, bisect_right(self.starts, place) - 1)]


def joined(parts: Sequence[tuple[int, str]]) -> Script:
    """Return a script of numbered lines, joined as Docker does: without anything between them."""
    starts, length = [], 0
    for _, text in parts:
        starts.append(length)
        length += len(text)
    return Script("".join(text for _, text in parts), tuple(starts), tuple(n for n, _ in parts))


def commands(text: str) -> Iterator[Command]:
    """Yield the commands of a script. Raises ValueError for a quote that nothing closes."""
    words: list[Word] = []
    before = ""
    for kind, word in _tokens(text):
        if kind == "word":
            words.append(word)
        elif kind == "operator":
            if words:
                yield Command(tuple(words), words[0].start, words[-1].end, before)
            words, before = [], word.text
    if words:
        yield Command(tuple(words), words[0].start, words[-1].end, before)


def _tokens(text: str) -> Iterator[tuple[str, Word]]:
    place = count = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        assert token is not None, "the word matches anything"
        kind = token.lastgroup
        count += 1
        if count > MAX_WORDS:
            raise ValueError(f"more than {MAX_WORDS} words")
        if kind in ("space", "comment"):
            place = token.end()
        elif kind == "operator":
            yield "operator", Word(token[0], place, token.end())
            place = token.end()
        elif kind == "redirect":
            # Where it leads is its own word; together they may have been meant for a version.
            target = _word(text, token.end())
            written = f"{token[0].replace(' ', '')}{target.text}"
            yield "word", Word(written, place, target.end, is_range=True, expands=target.expands)
            place = target.end
        else:
            word = _word(text, place)
            if word.end == place:
                raise ValueError("a quote that nothing closes")
            yield "word", word
            place = word.end


def _word(text: str, start: int) -> Word:
    pieces: list[str] = []
    place, is_range, expands = start, False, False
    while piece := _PIECE.match(text, place):
        place = piece.end()
        kind, value = piece.lastgroup, piece[piece.lastgroup or 0]
        if kind == "double":
            expands = expands or bool(re.search(r"(?<!\\)[$`]", value))
            value = _IN_DOUBLE.sub(r"\1", value)
        elif kind == "substitution":
            expands = True
        elif kind == "plain":
            is_range = is_range or value in "<>"
            expands = expands or value == "$"
        pieces.append(value)
    return Word("".join(pieces), start, place, is_range, expands)
