"""The literal commands of a maintainer script, without running it.

A script is read as a list of simple commands. Loops over literal words are unrolled, variables
with literal values replaced; both branches of every ``if`` and ``case`` are taken. What can't be
known, such as an argument or the output of a command, is the word ``$``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["UNKNOWN", "commands", "functions"]

UNKNOWN = "$"
MAX_COMMANDS = 20_000  # of one script, loops unrolled

_TOKEN = re.compile(
    r"""
      (?P<skip>[ \t]+ | \\\n)
    | (?P<here><<-?[ \t]*(?P<mark>'[^'\n]*'|"[^"\n]*"|[^\s;|&<>()]+))
    | (?P<redirect>\d*(?:>>|>&|<&|>\||>|<))
    | (?P<end>\n|;;|;|&&|&|\|\||\|)
    | (?P<define>\([ \t]*\))
    | (?P<open>\()
    | (?P<close>\))
    | (?P<single>'[^']*')
    | (?P<double>"(?:\\.|[^"\\])*")
    | (?P<output>`[^`]*` | \$\((?:[^()]|\([^()]*\))*\))
    | (?P<escape>\\.)
    | (?P<plain>\$?[^\s'"`\\;&|()<>$]+ | .)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"#[^\n]*")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\{[^}]*\}|.?)")
_ASSIGNED = re.compile(r"(\w+)=(.*)", re.DOTALL)
_OPENING = {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "exec"}


_Word = tuple[tuple[str, str], ...]  # before expansion: how each piece was quoted, and its text
_Command = list[_Word]


def commands(script: str) -> Iterator[tuple[str, ...]]:
    """Yield the simple commands of ``script`` as their words."""
    left = MAX_COMMANDS
    for words in _run(_Reader(script).commands, {}):
        left -= 1
        if left < 0:
            return
        if words:
            yield words


def functions(script: str) -> frozenset[str]:
    """Return the names of the functions that ``script`` defines."""
    return frozenset(_Reader(script).functions)


class _Reader:
    """Cuts a script into commands."""

    def __init__(self, script: str) -> None:
        self.commands: list[_Command] = []
        self.functions: set[str] = set()
        self._words: _Command = []
        self._pieces: list[tuple[str, str]] = []
        self._marks: list[str] = []
        self._statement = 0
        self._depth = 0
        self._redirected = False
        self._read(script)

    def _read(self, script: str) -> None:
        offset = 0
        while offset < len(script):
            comment = None if self._pieces else _COMMENT.match(script, offset)
            if comment:
                offset = comment.end()
                continue
            match = _TOKEN.match(script, offset)
            assert match is not None, "every character is a token"
            offset = match.end()
            self._take(match)
            if match["end"] == "\n" and self._marks:
                offset = self._after_here(script, offset)
        self._end_command()

    def _take(self, match: re.Match[str]) -> None:
        kind, text = match.lastgroup or "", match[0]
        if kind in ("single", "double"):
            self._pieces.append((kind, text[1:-1]))
        elif kind == "escape":
            self._pieces.append(("single", text[1:]))
        elif kind == "plain":
            self._pieces.append((kind, text))
        elif kind == "output":
            self._pieces.append(("output", text))
        else:
            self._end_word()
            self._between(kind, text, match)

    def _between(self, kind: str, text: str, match: re.Match[str]) -> None:
        if kind == "here":
            self._marks.append(match["mark"].strip("'\""))
        elif kind == "redirect":
            self._redirected = True
        elif kind == "open":
            self._depth += 1
        elif kind == "define":
            self.functions.update(text for word in self._words[-1:] for _, text in word)
            self._words = []
        elif kind == "close" and self._depth:
            self._depth -= 1
            self._end_command()
        elif kind == "close":  # of a case's pattern
            self._words = []
            del self.commands[self._statement :]
        elif kind == "end":
            self._end_command()
            if text in ("\n", ";;", ";"):
                self._statement = len(self.commands)

    def _end_word(self) -> None:
        if self._pieces and not self._redirected:
            self._words.append(tuple(self._pieces))
        if self._pieces:
            self._redirected = False
        self._pieces = []

    def _end_command(self) -> None:
        self._end_word()
        if self._words:
            self.commands.append(self._words)
        self._words = []
        self._redirected = False

    def _after_here(self, script: str, offset: int) -> int:
        for mark in self._marks:
            end = re.compile(rf"^\t*{re.escape(mark)}$\n?", re.MULTILINE).search(script, offset)
            offset = end.end() if end else len(script)
        self._marks = []
        return offset


def _run(listed: list[_Command], variables: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield the commands of ``listed``, expanded; ``variables`` change on the way."""
    index = 0
    while index < len(listed):
        words = _expand(listed[index], variables)
        index += 1
        if words[:1] == ("for",):
            end = _done(listed, index)
            for value in words[3:]:
                yield from _run(listed[index:end], {**variables, words[1]: value})
            index = end
        elif words and all(map(_ASSIGNED.fullmatch, words)):
            variables.update(_known(words))
        else:
            yield words


def _known(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the assignments to literals; an unknown value leaves that of another branch."""
    for word in words:
        name, _, value = word.partition("=")
        if UNKNOWN not in value:
            yield name, value


def _done(listed: list[_Command], index: int) -> int:
    """Return the index of the ``done`` that ends the loop whose body starts at ``index``."""
    depth = 1
    for position in range(index, len(listed)):
        first = _bare(listed[position])
        depth += (first in ("for", "while", "until")) - (first == "done")
        if not depth:
            return position
    return len(listed)


def _bare(command: _Command) -> str:
    """Return a command's first word that is not just an opening one."""
    for word in command:
        text = "".join(text for _, text in word)
        if text not in _OPENING - {"while", "until"}:
            return text
    return ""


def _expand(command: _Command, variables: dict[str, str]) -> tuple[str, ...]:
    words: list[str] = []
    for word in command:
        words.extend(_fields(word, variables))
    while words and words[0] in _OPENING:
        del words[0]
    return tuple(words)


def _fields(word: _Word, variables: dict[str, str]) -> list[str]:
    """Expand one word; only an unquoted variable can become several."""
    if len(word) == 1 and word[0][0] == "plain" and _VARIABLE.fullmatch(word[0][1]):
        return _value(word[0][1], variables).split()
    return ["".join(_piece(how, text, variables) for how, text in word)]


def _piece(how: str, text: str, variables: dict[str, str]) -> str:
    if how == "single":
        return text
    if how == "output" or "$(" in text or "`" in text:
        return UNKNOWN
    if how == "double":
        text = re.sub(r"\\([\"\\\n])", lambda each: each[1].strip("\n"), text)
    return _VARIABLE.sub(lambda each: _value(each[0], variables), text)


def _value(reference: str, variables: dict[str, str]) -> str:
    match = _VARIABLE.fullmatch(reference)
    name = (match[1] or match[2] or "") if match else ""
    return variables.get(name, UNKNOWN)
