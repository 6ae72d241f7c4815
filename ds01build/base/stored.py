"""Base facts as JSON, for a cache that anyone may have damaged."""

from __future__ import annotations

import dataclasses
import types
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ds01build.base.facts import BaseFacts
from ds01build.digest import Digest
from ds01build.target import Directory, Link, Target

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
        facts = _read(BaseFacts, value.get("facts"))
    except (TypeError, ValueError):
        return None
    return facts if isinstance(facts, BaseFacts) else None


def _read(kind: Any, value: object) -> object:  # noqa: ANN401  (a type form has no type)
    """Return ``value`` as the type ``kind``. Raises TypeError or ValueError."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return inner[_position(inner, value)]
    if origin in (Union, types.UnionType):  # a value or None
        return None if value is None else _read(inner[0], value)
    if origin is tuple:
        return _read_tuple(inner, value)
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, value)
    if type(value) is not kind:
        raise TypeError(f"{value!r:.100} is not a {kind}")
    return value


def _position(choices: tuple[object, ...], value: object) -> int:
    return choices.index(value)


def _read_tuple(inner: tuple[Any, ...], value: object) -> tuple[object, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{value!r:.100} is not an array")
    if inner[-1] is Ellipsis:
        return tuple(_read(inner[0], item) for item in value)
    return tuple(_read(each, item) for each, item in zip(inner, value, strict=True))


def _read_fields(kind: Any, value: object) -> object:  # noqa: ANN401
    hints = _hints(kind)
    if not isinstance(value, dict) or value.keys() != hints.keys():
        raise TypeError(f"{value!r:.100} is not a {kind}")
    return kind(**{name: _read(hint, value[name]) for name, hint in hints.items()})


@lru_cache(maxsize=32)
def _hints(kind: Any) -> dict[str, Any]:  # noqa: ANN401
    return get_type_hints(kind, localns=_NAMES)
