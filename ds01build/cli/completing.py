"""Answers the Tab key.

A shell's script (``completion.bash`` and the others beside this file) calls the program with the
line up to the cursor in ``_DS01_COMPLETE_LINE``, and gets a line for each completion: its kind,
its value and what it is, with tabs between. Kinds are click's ``plain``, ``file`` and ``dir``, and
``toml`` for files of that name.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from click.shell_completion import ShellComplete, split_arg_string

from ds01build.cli.output import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

__all__ = ["answer", "script"]

# A shell takes what it gets into its command line as it is, and a recipe may be a stranger's.
_HARMLESS = re.compile(r"[A-Za-z0-9._+@:/-]+")


def script(shell: str, program: str) -> str:
    """Return the script that lets a shell complete the words of a program."""
    text = files("ds01build.cli").joinpath(f"completion.{shell}").read_text(encoding="utf-8")
    function = f"_{program.replace('-', '_')}_completion"
    return text.replace("@PROGRAM@", program).replace("@FUNCTION@", function)


def answer(command: click.Command, program: str, line: str) -> Iterator[str]:
    """Yield a row for each completion of the last word of ``line``, which begins with a program."""
    words = split_arg_string(line)
    incomplete = "" if line[-1:].isspace() or not words else words.pop()
    words[:1] = [program]  # it may have been called by a path
    asked = ShellComplete(command, {"obj": words}, program, "")  # what completers look into
    for item in asked.get_completions(words[1:], incomplete):
        if item.type != "plain":
            yield f"{item.type}\t-\t"
        elif _HARMLESS.fullmatch(item.value):
            yield f"plain\t{item.value}\t{visible(item.help or '')}"
