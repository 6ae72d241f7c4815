"""What the commands say about themselves, gathered from click and the guide into pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ds01build import guide
from ds01build.cli import lazily
from ds01build.guide.page import Page, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["contexts", "key", "manuals", "markdown", "page", "shared_rows"]


def key(context: click.Context) -> str:
    """Return what the guide calls the command: its words with hyphens, without ``ds01``."""
    return context.command_path.removeprefix("ds01 ").replace(" ", "-")


def contexts(command: click.Command, name: str = "ds01") -> Iterator[click.Context]:
    """Yield the context of a command and of each below it, as they would be called."""
    return _contexts(click.Context(command, info_name=name, **command.context_settings))


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, below in lazily.below(context.command).items():
            yield from _contexts(click.Context(below, info_name=name, parent=context))


def page(context: click.Context) -> Page:
    """Return the reference of a command."""
    command, name = context.command, key(context)
    entry = guide.entry(name)
    typed, spelled = _typed(), _spelled(context)
    summary, *more = _paragraphs(command.help or "")
    pieces = " ".join(command.collect_usage_pieces(context))
    return Page(
        name=spelled,
        other=f"ds01 {name.replace('-', ' ', 1)}" if spelled == name and "-" in name else "",
        usage=f"{spelled} {pieces}",
        summary=summary,
        more=tuple(more),
        options=tuple(_options(context)),
        commands=tuple(_below(context)),
        see=tuple(typed[each] for each in entry.see if each in typed),
        concepts=tuple(guide.concept(each).title for each in entry.concepts),
        entry=entry,
    )


def markdown(command: click.Command) -> str:
    """Return the reference of all commands as one document in Markdown."""
    from ds01build.guide.markdown import document

    pages = [page(context) for context in contexts(command)]
    return document(pages, shared_rows(command), guide.concepts())


def manuals(command: click.Command, version: str) -> dict[str, str]:
    """Return the manual pages of all commands by the names of their files."""
    from ds01build.guide.roff import file_name, manual

    pages = [page(context) for context in contexts(command)]
    return {file_name(each.name): manual(each, version) for each in pages}


def shared_rows(command: click.Command) -> tuple[Row, ...]:
    """Return what every command has among its options."""
    found = [tuple(_options(context)) for context in contexts(command)]
    return tuple(row for row in found[0] if all(row in rows for rows in found))


def _typed() -> dict[str, str]:
    """Return how each command is typed, by what the guide calls it."""
    from ds01build.cli import ds01

    return {key(each): _spelled(each) for each in contexts(ds01)}


def _spelled(context: click.Context) -> str:
    """Return how a command is typed: those that are programs of their own by their one word."""
    name = key(context)
    is_program = "-" in name and context.command.name == name
    return name if is_program else context.command_path


def _options(context: click.Context) -> Iterator[Row]:
    for parameter in context.command.get_params(context):
        if isinstance(parameter, click.Option) and (row := parameter.get_help_record(context)):
            yield row


def _below(context: click.Context) -> Iterator[Row]:
    if isinstance(context.command, click.Group):
        for name, below in lazily.below(context.command).items():
            yield name, _tidy(below.get_short_help_str(limit=200))


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text, without its examples, which the guide has."""
    paragraphs = (each.strip() for each in re.split(r"\n[ \t]*\n", text))
    return [_tidy(" ".join(each.split())) for each in paragraphs if not each.startswith("\b")]


def _tidy(text: str) -> str:
    return text.replace("``", "`")
