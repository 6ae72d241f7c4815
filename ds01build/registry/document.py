"""Reads the JSON of strangers: within bounds, every value typed, no key twice."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, cast

from ds01build.digest import Digest
from ds01build.errors import RejectedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Table", "limited", "parse"]

NUMBER_LIMIT = 2**53  # the largest integer that every JSON reader keeps
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9!#$&^_.+-]{1,127}")


@dataclass(frozen=True, slots=True)
class Table:
    """A JSON object that is read key by key; what is wrong is named with its dotted path.

    A text or table that is absent, or null, reads as empty. Raises RejectedFile.
    """

    name: str  # of the document, for messages
    values: Mapping[str, object] = field(repr=False)
    path: str = ""

    def text(self, key: str) -> str:
        """Return a string."""
        return cast("str", self._typed(key, str, "a string", ""))

    def number(self, key: str) -> int:
        """Return an integer that has to be there, and is not negative."""
        value = cast("int", self._typed(key, int, "an integer", -1))
        if not 0 <= value <= NUMBER_LIMIT:
            self._reject(key, "is missing or out of range")
        return value

    def digest(self, key: str) -> Digest:
        """Return a sha256 digest that has to be there."""
        try:
            return Digest(self.text(key))
        except ValueError as error:
            raise self._rejected(key, f"is {error}") from error

    def media_type(self, key: str) -> str:
        """Return a media type (RFC 6838), empty where there is none."""
        value = self.text(key)
        if value and not _MEDIA_TYPE.fullmatch(value):
            self._reject(key, f"is not a media type: {value!r:.100}")
        return value

    def table(self, key: str) -> Table:
        """Return an object."""
        value = cast("dict[str, object]", self._typed(key, dict, "an object", {}))
        return Table(self.name, value, self._below(key))

    def tables(self, key: str, most: int) -> tuple[Table, ...]:
        """Return an array of at most ``most`` objects."""
        return tuple(
            Table(self.name, value, f"{self._below(key)}[{number}]")
            if isinstance(value, dict)
            else self._reject(f"{key}[{number}]", "is not an object")
            for number, value in enumerate(self._array(key, most))
        )

    def texts(self, key: str, most: int) -> tuple[str, ...]:
        """Return an array of at most ``most`` strings."""
        return tuple(
            value if isinstance(value, str) else self._reject(f"{key}[{number}]", "is not a string")
            for number, value in enumerate(self._array(key, most))
        )

    def _array(self, key: str, most: int) -> list[object]:
        values = cast("list[object]", self._typed(key, list, "an array", []))
        if len(values) > most:
            self._reject(key, f"has {len(values)} entries, more than {most}")
        return values

    def _typed(self, key: str, kind: type, wanted: str, default: object) -> object:
        value = self.values.get(key)
        if value is None:
            return default
        if type(value) is not kind:
            self._reject(key, f"is not {wanted}")
        return value

    def _reject(self, key: str, problem: str) -> NoReturn:
        raise self._rejected(key, problem)

    def _rejected(self, key: str, problem: str) -> RejectedFile:
        return RejectedFile(name=self.name, problem=f"{self._below(key)} {problem}")

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def limited(chunks: Iterable[bytes], limit: int, name: str) -> bytes:
    """Return a document that comes in chunks. Raises RejectedFile for more than ``limit`` bytes."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > limit:
            raise RejectedFile(name=name, problem=f"longer than {limit // 1024} KiB")
    return bytes(content)


def parse(content: bytes, name: str) -> Table:
    """Return the object that ``content`` is. Raises RejectedFile, which repeats none of it."""
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        raise RejectedFile(name=name, problem="nested too deeply") from error
    except ValueError as error:
        problem = str(error) if isinstance(error, _Repeated) else "not JSON"
        raise RejectedFile(name=name, problem=problem) from error
    if not isinstance(value, dict):
        raise RejectedFile(name=name, problem="not a JSON object")
    return Table(name, value)


class _Repeated(ValueError):
    """A key stands twice in one object."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _Repeated("a key stands twice in one object")
    return values


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)
