"""``ds01 doctor``: whether everything is there that ds01 works with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.workflow.checked import Checked

__all__ = ["doctor", "rows"]

_SIGNS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}


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
    """Return a table of what was looked at, with what to do below each row."""
    lines = []
    for each in found:
        lines.append(f"{_SIGNS[each.state]:<8} {each.topic:<14} {each.says}".rstrip())
        if each.remedy:
            lines.append(f"{'':<8} {'':<14} do: {each.remedy}")
    return lines
