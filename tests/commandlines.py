"""Command lines that texts mention, held against the commands that there are."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click

from ds01build.cli import ds01, lazily, programs

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = re.compile(
    r"(?:^|[\s\"'(`$])((?:ds01|(?:image|container|project|user)-[a-z]+)(?: [^`)|;>]+)?)"
)
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def commands(root: click.Command = ds01, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command by its words with hyphens, the root as ``ds01``."""
    yield path or "ds01", root
    if isinstance(root, click.Group):
        for name, below in lazily.below(root).items():
            yield from commands(below, f"{path}-{name}".lstrip("-"))


def flags(command: click.Command) -> set[str]:
    """Return the options of a command as they are typed."""
    typed = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return {*typed, "--help", "-h"}


def mentioned(text: str) -> Iterator[str]:
    """Yield the command lines of ds01 in ``text``, which is one command line itself."""
    for match in _PROGRAM.finditer(text):
        yield match[1].strip().rstrip("\"'")


def problem(line: str, ahead: set[str]) -> str:
    """Say what is wrong with a command line; ``ahead`` are programs and words that come later."""
    words = shlex.split(line.replace("'", "").replace('"', ""))
    program, *rest = words
    if program in ahead or (program == "ds01" and rest and _key(rest) in ahead):
        return ""
    command = programs().get(program)
    if command is None:
        return f"{program} is no program"
    while rest and isinstance(command, click.Group) and not rest[0].startswith("-"):
        below = lazily.below(command).get(rest.pop(0))
        if below is None:
            return f"{line}: there is no such command"
        command = below
    wrong = {word for word in rest if re.match(r"--?[a-z]", word)} - flags(command)
    return f"{line}: {', '.join(sorted(wrong))}" if wrong else ""


def _key(words: list[str]) -> str:
    return words[0] if words[0] in ("import", "export") else "-".join(words[:2])
