"""Reads the texts strictly: what is missing, unknown or too wide is an error that names it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, RecipeError
from ds01build.fields import Fields, Issues, did_you_mean, load, single_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    T = TypeVar("T")

__all__ = [
    "WIDTH",
    "Concept",
    "Entry",
    "Example",
    "concept",
    "concepts",
    "entries",
    "entry",
    "read_concepts",
    "read_entries",
    "text",
    "topics",
]

WIDTH = 80  # columns of the narrowest terminal that people use
_CONCEPTS = "concepts.toml"
_COMMANDS = (
    "groups.toml",
    "recipes.toml",
    "editing.toml",
    "images.toml",
    "image-create.toml",
    "image-update.toml",
    "store.toml",
    "jupyter.toml",
    "exchange.toml",
    "containers.toml",
    "gpus.toml",
    "limits.toml",
    "container-life.toml",
    "making.toml",
    "projects.toml",
)


@dataclass(frozen=True, slots=True)
class Concept:
    """One idea behind the commands, in plain words. ``text`` has no line wider than ``WIDTH``."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A command line, and what it is for."""

    command: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What there is to say about one command.

    ``concepts`` and ``see`` are keys of other texts; ``exits`` says what an exit code means for
    this command, where that is not what it means for all. ``topics`` are told while it runs.
    """

    about: str
    advice: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    writes: tuple[str, ...] = ()
    exits: Mapping[str, str]
    see: tuple[str, ...] = ()
    topics: Mapping[str, str]


def text(topic: str) -> str:
    """Return the text of a topic, ``COMMAND.TOPIC``. Raises Ds01Error where there is none."""
    return _named(topics(), topic, "topic of the guide")


def entry(command: str) -> Entry:
    """Return what there is to say about a command, whose words are joined by hyphens."""
    return _named(entries(), command, "command of the guide")


def concept(name: str) -> Concept:
    """Return the concept of that name."""
    return _named(concepts(), name, "concept of the guide")


@cache
def topics() -> Mapping[str, str]:
    """Return every text that is told while a command runs, by ``COMMAND.TOPIC``."""
    return MappingProxyType(
        {
            f"{command}.{topic}": told
            for command, one in entries().items()
            for topic, told in one.topics.items()
        }
    )


@cache
def entries() -> Mapping[str, Entry]:
    """Return what there is to say about each command, in the order of the files."""
    found: dict[str, Entry] = {}
    for name in _COMMANDS:
        found.update(read_entries(_content(name), name))
    return MappingProxyType(found)


@cache
def concepts() -> Mapping[str, Concept]:
    """Return the concepts, those first that others build on."""
    return MappingProxyType(read_concepts(_content(_CONCEPTS), _CONCEPTS))


def read_entries(content: str, source: str) -> dict[str, Entry]:
    """Read a file of commands. Raises RecipeError with everything that is wrong with it."""
    return _read(content, source, _entry)


def read_concepts(content: str, source: str) -> dict[str, Concept]:
    """Read a file of concepts. Raises RecipeError with everything that is wrong with it."""
    return _read(content, source, _concept)


def _read(content: str, source: str, parse: Callable[[Fields], T]) -> dict[str, T]:
    issues = Issues()
    found = {}
    with issues.noting(""):
        for name, table in Fields(load(content), "", issues).sections():
            found[name] = parse(table)
            table.close()
    if issues.found():
        raise RecipeError(source=source, issues=issues.found())
    return found


def _concept(table: Fields) -> Concept:
    return Concept(table.required("title", str), _prose(table, "text"))


def _entry(table: Fields) -> Entry:
    told = table.table("topics")
    return Entry(
        about=_prose(table, "about"),
        advice=table.texts("advice", str),
        concepts=table.texts("concepts", str),
        examples=table.items("examples", _example),
        writes=table.texts("writes", str),
        exits=MappingProxyType(dict(table.pairs("exits", _code, str))),
        see=table.texts("see", str),
        topics=MappingProxyType({name: _prose(told, name) for name in told.names()}),
    )


def _prose(table: Fields, key: str) -> str:
    """Return the text of several lines at ``key``, which must be there."""
    if key not in table:
        table.report("required", key)
    return table.value(key, _lines)


def _lines(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a string")  # noqa: TRY004 (what a check raises)
    if not value.strip():
        raise ValueError("is empty")
    lines = value.strip("\n").split("\n")
    for number, line in enumerate(lines, 1):
        single_line(line)
        if len(line) > WIDTH:
            raise ValueError(f"line {number} is wider than {WIDTH} columns")
    return "\n".join(lines)


def _example(value: object) -> Example:
    if isinstance(value, list) and len(value) == len(("command", "says")):
        command, says = value
        if isinstance(command, str) and isinstance(says, str):
            return Example(single_line(command), single_line(says))
    raise ValueError("expected a command and what it is for")


def _code(text: str) -> str:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("expected an exit code")
    return text


def _content(name: str) -> str:
    return files("ds01build.guide").joinpath(name).read_text(encoding="utf-8")


def _named(found: Mapping[str, T], name: str, what: str) -> T:
    try:
        return found[name]
    except KeyError as error:
        raise Ds01Error(f"no {what} is {name!r:.100}{did_you_mean(name, found)}") from error
