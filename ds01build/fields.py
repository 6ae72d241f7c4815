"""Reads TOML strictly: every value typed, every problem collected with its dotted path."""

from __future__ import annotations

import re
import unicodedata
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import tomli

from ds01build.errors import Issue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["Fields", "Issues", "below", "did_you_mean", "load", "single_line"]

T = TypeVar("T")

TEXT_LIMIT = 1024 * 1024  # characters
LINE_LIMIT = 4 * 1024  # characters
KEY_LIMIT = 16  # parts; the parser's time for each key grows with the square of its depth
ITEM_LIMIT = 2000  # entries of one array or table
ISSUE_LIMIT = 100
NUMBER_LIMIT = 2**53  # the largest integer that every JSON reader keeps
WORD_LIMIT = 64  # characters; nobody needs a suggestion for more
CHOICE_LIMIT = 200  # names to look for a suggestion among; each costs microseconds

# Control and format characters (bidi, zero width, soft hyphen), surrogates, line separators.
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A dotted key, at the places where one can stand. From each place it is read once, forwards.
_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*"""
_DEEP_KEY = re.compile(rf"(?:^|[\[{{,])[ \t]*(?:{_KEY_PART}\.[ \t]*){{{KEY_LIMIT}}}", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Issues:
    """Collects what is wrong, up to 100 issues; the rest of a worse file is not worth reading."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[Issue] = []

    def add(self, path: str, problem: str) -> None:
        """Note ``problem`` at ``path``, once."""
        issue = Issue(path, problem)
        if not self.full and issue not in self._found:
            self._found.append(issue)

    @contextmanager
    def noting(self, path: str) -> Iterator[None]:
        """Note the problem of a ValueError that ends the block, and go on after the block."""
        try:
            yield
        except ValueError as error:
            self.add(path, str(error))

    @property
    def full(self) -> bool:
        """Whether no more issues are kept."""
        return len(self._found) >= ISSUE_LIMIT

    def found(self) -> tuple[Issue, ...]:
        """Return the issues in the order they were found."""
        return tuple(self._found)


class Fields:
    """A TOML table that is read key by key and then closed.

    A value that is absent or wrong reads as empty; what is wrong is in ``issues``, so the caller
    may build its value at once and look at the issues last. A ``check`` gets a string of one line
    and returns its normal form, or raises ValueError with the problem.
    """

    __slots__ = ("_issues", "_read", "_values", "path")

    def __init__(self, values: Mapping[str, object], path: str, issues: Issues) -> None:
        self._values = values
        self._issues = issues
        self._read: dict[str, None] = {}
        self.path = path

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def report(self, problem: str, *keys: str) -> None:
        """Note ``problem`` at the value that ``keys`` lead to, or at the table itself."""
        path = self.path
        for key in keys:
            path = below(path, key)
        self._issues.add(path, problem)

    def text(self, key: str, check: Callable[[str], str]) -> str:
        """Return the string at ``key``; empty when there is none."""
        value = self._value(key)
        return "" if value is None else self._checked(_text(check), value, key) or ""

    def required(self, key: str, check: Callable[[str], str]) -> str:
        """Return the string at ``key``, which must be there."""
        if key not in self:
            self.report("required", key)
        return self.text(key, check)

    def texts(self, key: str, check: Callable[[str], str]) -> tuple[str, ...]:
        """Return the array of strings at ``key``."""
        return self.items(key, _text(check))

    def items(self, key: str, check: Callable[[object], T]) -> tuple[T, ...]:
        """Return the array at ``key``, each entry as ``check`` returns it."""
        checked = [
            self._checked(check, item, key, f"[{index}]")
            for index, item in enumerate(self._array(key))
        ]
        return tuple(item for item in checked if item is not None)

    def count(self, key: str) -> int:
        """Return how many entries the array at ``key`` has, right or wrong; 0 without an array."""
        value = self._values.get(key)
        return len(value) if isinstance(value, list) else 0

    def pairs(
        self, key: str, check_name: Callable[[str], str], check: Callable[[str], str]
    ) -> tuple[tuple[str, str], ...]:
        """Return the table of strings at ``key``, in the order of the file."""
        table = self.table(key)
        read = [
            (table._checked(_text(check_name), name, name), table.text(name, check))  # noqa: SLF001
            for name in table.names()
        ]
        return tuple((name, value) for name, value in read if name is not None)

    def flag(self, key: str) -> bool:
        """Return the boolean at ``key``; false when there is none."""
        value = self._value(key)
        if value is not None and not isinstance(value, bool):
            self.report(_expected("true or false", value), key)
        return value is True

    def integer(self, key: str) -> int:
        """Return the integer at ``key``, which must be there; 0 when it is not."""
        value = self._value(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.report("required" if value is None else _expected("an integer", value), key)
        return 0

    def number(self, key: str) -> int:
        """Return the integer from 0 to 2**53 at ``key``, which must be there."""
        value = self.integer(key)
        if 0 <= value <= NUMBER_LIMIT:
            return value
        shown = (
            str(value) if abs(value) < 1 << 64 else "an integer of more than 64 bits"
        )  # Python prints no more than 4300 digits
        self.report(f"{shown} is not a number from 0 to {NUMBER_LIMIT}", key)
        return 0

    def value(self, key: str, check: Callable[[object], str]) -> str:
        """Return what ``check`` makes of the value at ``key``; empty when there is none."""
        value = self._value(key)
        return "" if value is None else self._checked(check, value, key) or ""

    def table(self, key: str) -> Fields:
        """Return the table at ``key``; an empty one when there is none."""
        value = self._value(key)
        return self._table({} if value is None else value, below(self.path, key))

    def tables(self, key: str) -> tuple[Fields, ...]:
        """Return the array of tables at ``key``."""
        path = below(self.path, key)
        return tuple(self._table(it, f"{path}[{n}]") for n, it in enumerate(self._array(key)))

    def sections(self) -> tuple[tuple[str, Fields], ...]:
        """Return the tables below this one by their keys, in the order of the file."""
        return tuple((key, self.table(key)) for key in self.names())

    def names(self) -> Sequence[str]:
        """Return the keys in the order of the file."""
        keys = list(self._values)
        if len(keys) > ITEM_LIMIT:
            self.report(f"more than {ITEM_LIMIT} entries")
        return keys[:ITEM_LIMIT]

    def close(self) -> None:
        """Note every key that was not asked for."""
        for key in self._values:
            if key not in self._read and not self._issues.full:
                self.report(f"unknown key{did_you_mean(key, self._read)}", key)

    def _value(self, key: str) -> object:
        self._read[key] = None
        return self._values.get(key)

    def _array(self, key: str) -> Sequence[object]:
        value = self._value(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.report(_expected("an array", value), key)
            return ()
        if len(value) > ITEM_LIMIT:
            self.report(f"more than {ITEM_LIMIT} entries", key)
        return value[:ITEM_LIMIT]

    def _table(self, value: object, path: str) -> Fields:
        if not isinstance(value, dict):
            self._issues.add(path, _expected("a table", value))
            value = {}
        return Fields(value, path, self._issues)

    def _checked(
        self, check: Callable[[object], T], value: object, key: str, position: str = ""
    ) -> T | None:
        try:
            return check(value)
        except ValueError as error:
            self._issues.add(below(self.path, key) + position, str(error))
            return None


def load(text: str, *, limit: int = TEXT_LIMIT) -> dict[str, object]:
    """Parse TOML from an untrusted source within bounded time and memory.

    Raises ValueError with the problem, which names the line.
    """
    if len(text) > limit:
        raise ValueError(f"longer than {limit} characters")
    if text.startswith("\ufeff"):
        raise ValueError("not TOML: it begins with a byte order mark; save it as UTF-8 without one")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LINE_LIMIT:
            raise ValueError(f"line {number} is longer than {LINE_LIMIT} characters")
    if match := _DEEP_KEY.search(text):
        number = text.count("\n", 0, match.end()) + 1
        raise ValueError(f"line {number} has a key of more than {KEY_LIMIT} parts")
    try:
        return tomli.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"not TOML: {_shortened(_escaped(str(error)))}") from error


def single_line(text: str) -> str:
    """Return ``text`` if it can be shown and passed on safely.

    Raises ValueError for control, format and bidirectional characters.
    """
    if text.isascii() and text.isprintable():
        return text  # nearly always, and a lock has thousands
    for character in text:
        if unicodedata.category(character) in _REFUSED:
            raise ValueError(f"contains the character U+{ord(character):04X}")
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message that suggests the name nearest to ``word``, if one is near."""
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the name that ``word`` may be a slip for, empty where none is near."""
    choices = list(islice(known, CHOICE_LIMIT)) if len(word) <= WORD_LIMIT else []
    return next(iter(get_close_matches(word, choices, n=1)), "")


def _text(check: Callable[[str], str]) -> Callable[[object], str]:
    def checked(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(_expected("a string", value))  # noqa: TRY004  (what a check raises)
        return check(single_line(value))

    return checked


def _expected(wanted: str, value: object) -> str:
    # Values are not shown: Python itself refuses to print an integer of 4,301 digits.
    kinds = {bool: "a boolean", int: "an integer", float: "a float", str: "a string"}
    kinds |= {list: "an array", dict: "a table"}
    return f"expected {wanted}, found {kinds.get(type(value), 'a date or time')}"


def below(path: str, key: str) -> str:
    """Return the dotted path of a key in the table at ``path``; a strange one is quoted."""
    shown = key if _BARE.fullmatch(key) else repr(key[:WORD_LIMIT])
    return f"{path}.{shown}" if path else shown


def _shortened(message: str) -> str:
    # The line stands at its end.
    return message if len(message) <= 2 * WORD_LIMIT else f"{message[:64]}...{message[-64:]}"


def _escaped(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
