"""Begins a project from flags, prompts and defaults: what project-init and project-launch share."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ds01build.cli import completers, creation, terminal
from ds01build.cli.phases import short, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.asking import Asker
    from ds01build.project import Outline, Project
    from ds01build.wizard import Answers
    from ds01build.workflow.projects import Begun, Draft

__all__ = ["base_options", "begun", "drafted", "launching", "outlined", "read", "show", "tell"]

F = TypeVar("F", bound="Callable[..., Any]")
T = TypeVar("T")

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_BASE = (
    click.option(
        "--framework",
        "-f",
        metavar="NAME",
        shell_complete=completers.frameworks,
        help="What the image stands on: pytorch otherwise; as image-create takes it.",
    ),
    *creation.BASE,
    click.option(
        "--dir", "directory", type=_DIRECTORY, metavar="DIR", help="Where; ~/workspace/NAME else."
    ),
)
# Answers of image-create that a new project does not ask for: image-update changes them later.
_REST = ("types", "jupyter", "data_science", "packages", "system", "requirements", "bundles")
_HISTORY = {
    "committed": "begun, with a first commit",
    "begun": "begun, without a commit",
    "there": "is there already, and stays as it is",
    "unwanted": "none",
    "missing": "none: git is not installed",
    "failed": "none",
}


def base_options(function: F) -> F:
    """Add the options for what an image stands on, and for where a project lies."""
    for option in reversed(_BASE):
        function = option(function)
    return function


def launching(directory: Path) -> str:
    """Return the command that launches the project of a directory."""
    if directory.parent == Path.home() / "workspace":
        return f"project-launch {shlex.quote(directory.name)}"
    return f"project-launch --dir {shlex.quote(str(directory))}"


def read(flag: str, check: Callable[[str], T], text: str) -> T:
    """Return what ``check`` makes of a flag's value. Raises UsageError."""
    try:
        return check(text)
    except ValueError as error:
        raise click.UsageError(f"{flag}: {error}") from error


def outlined(given: Outline, rest: dict[str, Any], asker: Asker) -> Outline:
    """Return a whole outline, after asking for what is not given. Raises Ds01Error, UsageError."""
    from ds01build.project import ask, fill

    if given.name is None and not terminal.is_there():
        raise click.UsageError("nothing is asked without a terminal: give NAME")

    def claim(name: str) -> Project | None:
        return _claimed(_place(name, rest), asker)

    return fill(ask(given, asker, claim))


def _claimed(directory: Path, asker: Asker) -> Project | None:
    """Ask whether a directory with something in it is the project's. Raises Ds01Error."""
    from ds01build.asking import Option
    from ds01build.errors import Ds01Error
    from ds01build.workflow import projects

    if not projects.is_there(directory):
        return None
    there = projects.declared(directory)
    asker.explain("project-init.existing")
    options = [
        Option(value="use", title="Use it - what lies there stays, what lacks is added"),
        Option(value="cancel", title="Cancel"),
    ]
    question = f"{short(directory, Path.home())} exists"
    if asker.choose(question, options, "use") == "cancel":
        raise Ds01Error(
            f"{directory} exists, and nothing is changed", hint="project-init with another name"
        )
    return there


def _place(name: str, rest: dict[str, Any]) -> Path:
    from ds01build.workflow import creating

    given: Path | None = rest["directory"]
    return given.absolute() if given else creating.project_of(name, Path.home())


def drafted(outline: Outline, rest: dict[str, Any]) -> Draft:
    """Return the project that an outline comes to; nothing is written. Raises Ds01Error."""
    from ds01build.workflow import projects, repository

    assert outline.name is not None, "it is whole"
    directory = _place(outline.name, rest)
    return projects.draft(
        outline,
        directory,
        _recipe(outline, directory, rest),
        repository.author(os.environ, directory),
        (os.geteuid(), os.getegid()),
    )


def _recipe(outline: Outline, directory: Path, rest: dict[str, Any]) -> str:
    """Return the recipe that image-create would write for such an image."""
    from dataclasses import replace

    from ds01build.cli import answering, wiring
    from ds01build.cli.telling import tell as tell_event
    from ds01build.recipe import FrameworkBase
    from ds01build.workflow import creating, steps

    unasked = {**dict.fromkeys(_REST), "types": ()}
    given: Answers = answering.given(outline.name, {**rest, **unasked})
    given = replace(given, base=given.base or FrameworkBase(framework="pytorch"))
    bases = wiring.edges(tell_event, steps.Choices(load="never")).bases
    base = creation.pinned(given, bases).base
    assert base is not None, "it was there before it was pinned"
    return creating.project_recipe(outline, directory, base)


def begun(draft: Draft) -> Begun:
    """Write what a project lacks. Raises Ds01Error."""
    from ds01build.workflow import projects

    return projects.begin(draft, os.environ)


def show(found: Begun, rest: dict[str, Any]) -> None:
    """Tell what was written, what was there, and what git did."""
    draft, history = found.draft, found.history
    kept = ".gitkeep"
    lines = [
        f"{short(draft.directory, Path.home())}:",
        *(
            f"  {'kept' if each.is_there else 'written':<8}{each.path}"
            for each in draft.entries
            if not each.path.endswith(kept)
        ),
    ]
    folders = [each.path.partition("/")[0] for each in draft.entries if each.path.endswith(kept)]
    if folders:
        lines.append(f"  {'tree':<8}{', '.join(dict.fromkeys(folders))}")
    lines.append(f"  {'git':<8}{_HISTORY[history.state]}")
    if history.problem and history.state != "missing":
        lines.append(f"          git says: {history.problem}")
    tell("\n".join(lines), rest)
