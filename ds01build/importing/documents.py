"""Reads YAML that others wrote as plain strings with their lines: no types, tags or anchors.

``1.10`` stays what it is, nothing is constructed, and what a document can make of little text, such
as aliases of aliases, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TEXT_LIMIT", "Node", "Scalar", "Sequence", "Table", "read_document"]

TEXT_LIMIT = 256 * 1024  # characters; environments have a few thousand
MAX_DEPTH = 8
MAX_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string; numbers and the like are read as they are written."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with keys that are strings, in the order of the file."""

    items: tuple[tuple[Scalar, Node], ...]
    line: int


Node = Scalar | Sequence | Table


def read_document(text: str) -> Node:
    """Return the only document of ``text``. Raises ValueError with the problem and its line."""
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"longer than {TEXT_LIMIT} characters")
    try:
        return _document(_events(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ValueError(f"line {line}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ValueError("not YAML: it has characters that YAML does not allow") from error


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield what the document consists of, without what is around it."""
    documents = 0
    around = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)
    # The parser written in Python: a fault of one in C would end the interpreter.
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        line = event.start_mark.line + 1
        if count > MAX_NODES:
            raise ValueError(f"line {line}: more than {MAX_NODES} values")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ValueError(f"line {line}: a second document")
        elif not isinstance(event, around):
            _require_plain(event, line)
            yield event


def _require_plain(event: yaml.Event, line: int) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise ValueError(f"line {line}: anchors and aliases are not read")
    if getattr(event, "tag", None) not in (None, "!"):
        raise ValueError(f"line {line}: tags are not read")


def _document(events: Iterator[yaml.Event]) -> Node:
    first = next(events, None)
    if first is None:
        raise ValueError("empty")
    node = _node(first, events, 0)
    for _ in events:  # to the end: what is behind may be wrong
        pass
    return node


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
    line = event.start_mark.line + 1
    if depth > MAX_DEPTH:
        raise ValueError(f"line {line}: nested too deeply")
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(event.value, line)
    if isinstance(event, yaml.SequenceStartEvent):
        return Sequence(tuple(_until(yaml.SequenceEndEvent, events, depth)), line)
    nodes = _until(yaml.MappingEndEvent, events, depth)
    pairs = []
    names = set[str]()
    for key in nodes:
        if not isinstance(key, Scalar):
            raise ValueError(f"line {key.line}: a key that is no string")  # noqa: TRY004
        if key.text in names:
            raise ValueError(f"line {key.line}: {key.text!r:.100} is there twice")
        names.add(key.text)
        pairs.append((key, next(nodes)))
    return Table(tuple(pairs), line)


def _until(end: type[yaml.Event], events: Iterator[yaml.Event], depth: int) -> Iterator[Node]:
    for event in events:
        if isinstance(event, end):
            return
        yield _node(event, events, depth + 1)
