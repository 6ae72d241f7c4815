"""Where a value stands in the text of a recipe, so that it alone is written anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, InlineTable

from ds01build.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

__all__ = ["is_inline", "locate", "places"]

Place = tuple["str | int", ...]  # keys, and positions in arrays of tables


def locate(text: str, place: Sequence[str | int]) -> slice:
    """Return which characters of ``text`` are the value at ``place``.

    Whatever form the tables around it have: headers, dotted keys, inline. Raises ValueError where
    that is not certain.
    """
    mark = Digest.of(text.encode()).hex  # no text holds its own digest
    document = _parsed(text)
    _at(document, place[:-1])[place[-1]] = mark
    marked = document.as_string()
    start, length = marked.find(f'"{mark}"'), len(mark) + 2
    end = len(text) - (len(marked) - start - length)
    apart = text[:start] == marked[:start] and text[end:] == marked[start + length :]
    if not 0 <= start <= end or not apart:
        raise ValueError(f"{'.'.join(map(str, place)):.100} is written in an unusual way")
    return slice(start, end)


def places(text: str, place: Place) -> tuple[Place, ...]:
    """Return where the values below ``place`` are, tables with headers of their own included."""
    return tuple(_below(_at(_parsed(text), place), place))


def is_inline(text: str, place: Place) -> bool:
    """Say whether the table at ``place`` stands in braces, or in a table that does."""
    found: Any = _parsed(text)
    for step in place:
        found = found[step]
        if isinstance(found, InlineTable):
            return True
    return False


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, RecursionError) as error:
        raise ValueError("the recipe is written in an unusual way") from error


def _at(document: Any, place: Sequence[str | int]) -> Any:  # noqa: ANN401  (of any type)
    for step in place:
        document = document[step]
    return document


def _below(value: object, place: Place) -> Iterator[Place]:
    if isinstance(value, AoT):
        for position, table in enumerate(value):
            yield from _below(table, (*place, position))
    elif isinstance(value, dict) and not isinstance(value, InlineTable):
        for key, inner in value.items():
            yield from _below(inner, (*place, key))
    else:
        yield place
