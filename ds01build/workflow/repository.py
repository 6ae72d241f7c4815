"""The git repository of a project: begun once, with the first files in it.

git runs as its user has set it up: his configuration, his hooks, his name.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.errors import Unavailable
from ds01build.fields import single_line
from ds01build.process import run
from ds01build.project import Author

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ds01build.process import Completed

__all__ = ["History", "author", "begin"]

State = Literal["committed", "begun", "there", "unwanted", "missing", "failed"]

_SECONDS = 60.0  # a hook may look at every file
_SHOWN = 300  # characters of what git says
_EMAIL = re.compile(r"[^\s<>\"\\@]{1,100}@[^\s<>\"\\@]{1,200}")
_NOBODY = "nobody has told it who you are: git config --global user.name, and user.email"
# What git sets for its hooks: whoever starts ds01 in one does not mean that repository.
_OTHERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


@dataclass(frozen=True, slots=True)
class History:
    """What has become of a repository. ``problem`` is what git says where that is not all."""

    state: State
    problem: str = ""

    def answer(self) -> dict[str, object]:
        """Return the object that commands print."""
        return {"state": self.state, "problem": self.problem or None}


def author(environment: Mapping[str, str], directory: Path) -> Author:
    """Return who git says that its user is; empty where it does not know, or is not there."""
    name, email = (_setting(f"user.{key}", environment, directory) for key in ("name", "email"))
    try:
        named = single_line(name)
    except ValueError:
        named = ""
    return Author(name=named, email=email if _EMAIL.fullmatch(email) else "")


def begin(
    directory: Path, paths: Sequence[str], message: str, environment: Mapping[str, str]
) -> History:
    """Make a repository of a directory, and commit ``paths`` below it.

    One that is there, around the directory too, is left as it is. What fails is told, and the
    files are there without it.
    """
    if os.path.lexists(directory / ".git"):
        return History("there")
    try:
        if _git(directory, environment, "rev-parse", "--is-inside-work-tree").code == 0:
            return History("there")
        made = _git(directory, environment, "init", "--quiet")
        if made.code != 0:
            return History("failed", _said(made))
        return _commit(directory, paths, message, environment)
    except Unavailable as error:
        return History("missing", str(error))


def _commit(
    directory: Path, paths: Sequence[str], message: str, environment: Mapping[str, str]
) -> History:
    if not paths:
        return History("begun")
    # An author who is made up of a login and the name of a machine is nobody's choice.
    known = ("-c", "user.useConfigOnly=true")
    for words in (("add", "--", *paths), (*known, "commit", "--quiet", "--message", message)):
        done = _git(directory, environment, *words)
        if done.code != 0:
            who = author(environment, directory)
            return History("begun", _said(done) if who.name and who.email else _NOBODY)
    return History("committed")


def _setting(name: str, environment: Mapping[str, str], directory: Path) -> str:
    there = next(each for each in (directory, *directory.parents) if each.is_dir())
    try:
        return _git(there, environment, "config", "--get", name).stdout.strip()
    except Unavailable:
        return ""


def _git(directory: Path, environment: Mapping[str, str], *words: str) -> Completed:
    """Run git, which asks nobody. Raises Unavailable without one."""
    own = {name: value for name, value in environment.items() if name not in _OTHERS}
    return run(
        ["git", *words],
        environment={**own, "GIT_TERMINAL_PROMPT": "0"},
        cwd=directory,
        seconds=_SECONDS,
    )


def _said(done: Completed) -> str:
    """Return the last thing that git says, on one line."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return (lines[-1] if lines else f"git ended with {done.code}")[:_SHOWN]
