"""Base facts as JSON, for a cache that anyone may have damaged."""

from __future__ import annotations

import dataclasses
import types
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from ds01build.base.facts import BaseFacts
from ds01build.digest import Digest
from ds01build.target import Directory, Link, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    _Reader: TypeAlias = Callable[[object], object]

__all__ = ["SCHEMA", "from_json", "to_json"]

# Raise it when a fact is added, or found in another way: cached ones are then derived anew.
SCHEMA = 3

_NAMES: dict[str, Any] = {
    "Digest": Digest,
    "Directory": Directory,
    "Link": Link,
    "Target": Target,
}


def to_json(facts: BaseFacts) -> dict[str, object]:
    """Return the JSON form of ``facts``."""
    return {"schema": SCHEMA, "facts": dataclasses.asdict(facts)}


def from_json(value: object) -> BaseFacts | None:
    """Return the facts, or None when ``value`` is not the JSON form of any of this schema."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        return None
    try:
        facts = _reader(BaseFacts)(value.get("facts"))
    except (TypeError, ValueError):
        return None
    return facts if isinstance(facts, BaseFacts) else None


@lru_cache(maxsize=64)
def _reader(kind: Any) -> _Reader:  # noqa: ANN401  (a type form has no type)
    """Return what reads a value as the type ``kind``; that raises TypeError or ValueError.

    Made once for each type: a base has thousands of values.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return partial(_choice, inner)
    if origin in (Union, types.UnionType):  # a value or None
        read = _reader(inner[0])
        return lambda value: None if value is None else read(value)
    if origin is tuple:
        readers = tuple(_reader(each) for each in inner if each is not Ellipsis)
        return partial(_tuple, readers, inner)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind, localns=_NAMES)
        return partial(_fields, kind, {name: _reader(hint) for name, hint in hints.items()})
    return partial(_plain, kind)


def _choice(choices: tuple[object, ...], value: object) -> object:
    return choices[choices.index(value)]


def _plain(kind: type, value: object) -> object:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.100} is not a {kind}")
    return value


def _tuple(
    readers: tuple[_Reader, ...], inner: tuple[object, ...], value: object
) -> tuple[object, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{value!r:.100} is not an array")
    if inner[-1] is Ellipsis:
        return tuple(map(readers[0], value))
    return tuple(read(each) for read, each in zip(readers, value, strict=True))


def _fields(kind: Callable[..., object], readers: Mapping[str, _Reader], value: object) -> object:
    if not isinstance(value, dict) or value.keys() != readers.keys():
        raise TypeError(f"{value!r:.100} is not a {kind}")
    return kind(**{name: read(value[name]) for name, read in readers.items()})
