"""Compares two values field by field, and says each difference in a line."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.digest import Canonical

__all__ = ["Change", "changes"]

_NAMES = ("name", "path", "to")  # what tells the tables of a list apart

_Table = dict[str, "Canonical"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """One field that differs, by its dotted path; a side that has nothing there is empty.

    An element that a list gained or lost is a change of the list's field.
    """

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"{self.field}: + {self.after}"
        return f"{self.field}: {self.before} -> {self.after}" if self.after else self._removed()

    def _removed(self) -> str:
        return f"{self.field}: - {self.before}"

    def mirrored(self) -> Change:
        """Return the change that undoes this one."""
        return Change(field=self.field, before=self.after, after=self.before)


def changes(before: Canonical, after: Canonical, field: str = "") -> tuple[Change, ...]:
    """Return where ``after`` differs from ``before``: equal values have no changes, others some.

    What is not there equals what is empty. Lists of tables are compared by their name, path or
    destination, and lists of rows by what stands first; other lists by what they hold, and by its
    order where that alone differs.
    """
    if _is_same(before, after):
        return ()
    tables = _table(before), _table(after)
    if tables[0] is not None and tables[1] is not None:
        return tuple(_inside(tables[0], tables[1], field))
    lists = _list(before), _list(after)
    if lists[0] is None or lists[1] is None:
        return (Change(field=field, before=_text(before), after=_text(after)),)
    names = _by_name(lists[0]), _by_name(lists[1])
    if names[0] is not None and names[1] is not None:
        return tuple(_inside(names[0], names[1], field))
    return tuple(_elements(lists[0], lists[1], field))


def _is_same(before: Canonical, after: Canonical) -> bool:
    return json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def _inside(old: _Table, new: _Table, field: str) -> Iterable[Change]:
    for name in sorted(old.keys() | new.keys()):
        inner = f"{field}.{name}" if field else name
        yield from changes(old.get(name), new.get(name), inner)


def _elements(old: list[Canonical], new: list[Canonical], field: str) -> Iterable[Change]:
    had, has = Counter(map(_text, old)), Counter(map(_text, new))
    if had == has:
        yield Change(field=field, before=_text(old), after=_text(new))
    for gone in sorted((had - has).elements()):
        yield Change(field=field, before=gone, after="")
    for come in sorted((has - had).elements()):
        yield Change(field=field, before="", after=come)


def _table(value: Canonical) -> _Table | None:
    if value is None:
        return {}
    return dict(value) if isinstance(value, dict) else None


def _list(value: Canonical) -> list[Canonical] | None:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else None


def _by_name(rows: list[Canonical]) -> _Table | None:
    """Return elements by their names, None unless each has one of its own."""
    named = dict(map(_named, rows))
    return named if len(named) == len(rows) and "" not in named else None


def _named(row: Canonical) -> tuple[str, Canonical]:
    """Return the name of an element and the rest of it; the name is empty where it has none."""
    if isinstance(row, dict):
        key = next((key for key in _NAMES if isinstance(row.get(key), str)), "")
        return str(row.get(key, "")), {name: each for name, each in row.items() if name != key}
    if isinstance(row, (list, tuple)) and len(row) > 1 and isinstance(row[0], str):
        rest = list(row[1:])
        return row[0], rest[0] if len(rest) == 1 else rest
    return "", row


def _text(value: Canonical) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
