"""``ds01 doctor``: whether everything is there that ds01 works with."""

from __future__ import annotations

import os
import re
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from ds01build.cli import options
from ds01build.cli.output import hung, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ds01build.workflow.checked import Checked

__all__ = ["doctor", "rows"]

_SIGNS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM", "unknown": "unknown"}
_SIGN = 9  # columns of a sign, and of the space behind it
_INSIDE = re.compile(r"(?<![,:;]) ")  # a space in a part of a remedy: a command, or a few words
_HELD = "\0"  # a space that is not broken at


@click.command()
@click.option("--offline", is_flag=True, help="Ask no index and no mirror.")
@options.as_json
def doctor(offline: bool, as_json: bool) -> None:
    """Look at engine, store, disk, tools, network and drivers, and say what to do (exit 3).

    A warning is what some commands do without; a problem makes the exit code 3. Nothing is changed.

    \b
    ds01 doctor
    """  # noqa: D301
    from ds01build.cli.output import print_json, print_lines
    from ds01build.errors import CheckFailed
    from ds01build.quantities import counted
    from ds01build.workflow import doctor as looking

    found = tuple(looking.examine(looking.machine(os.environ, Path.home()), offline=offline))
    problems = sum(each.state == "problem" for each in found)
    if as_json:
        answer = [each.answer() for each in found]
        print_json({"schema": "ds01.doctor/1", "ok": not problems, "checks": answer})
    else:
        print_lines(rows(found))
    if problems:
        raise CheckFailed(f"{counted(problems, 'problem')} on this machine")


def rows(found: Iterable[Checked]) -> list[str]:
    """Return a table of what was looked at, with what to do below each row.

    A terminal gets it as wide as it is. No command is broken, so that it can be copied: it gets a
    line of its own, further to the left where there is no room for it.
    """
    lines = []
    for each in found:
        head = f"{_SIGNS[each.state]:<8} {each.topic:<14} "
        for said in each.says.splitlines() or [""]:
            lines += [line.rstrip() for line in hung(head, visible(said))]
            head = " " * len(head)
        lines += _remedy(visible(each.remedy), (len(head), _SIGN)) if each.remedy else []
    return lines


def _remedy(remedy: str, indents: Sequence[int]) -> list[str]:
    """Return what to do, broken between its parts; the first indent that has room for all."""
    whole = _INSIDE.sub(_HELD, remedy)
    tries = [hung(f"{' ' * indent}do: ", whole) for indent in indents]
    width = get_terminal_size().columns
    fitting = (lines for lines in tries if max(map(len, lines)) <= width)
    return [line.replace(_HELD, " ") for line in next(fitting, tries[-1])]
