"""Begins projects: what is there already stays as it is, byte for byte."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build import beneath
from ds01build.engine.names import moving_tag
from ds01build.errors import Ds01Error
from ds01build.exporting import devcontainer
from ds01build.fields import load
from ds01build.grammar import recipe_name
from ds01build.project import Project, files, read
from ds01build.project.tree import DECLARATION, DEVCONTAINER, RECIPE
from ds01build.recipe import parse
from ds01build.workflow import repository
from ds01build.workflow.replacing import create_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ds01build.project import Author, Outline
    from ds01build.recipe import Recipe
    from ds01build.workflow.repository import History

__all__ = ["Begun", "Draft", "Entry", "begin", "declared", "draft", "is_there", "recipe_name_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file that a project is to have; one that ``is_there`` stays, whatever is in it."""

    path: str  # below the project
    text: str
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A project before any of its files is written."""

    project: Project
    directory: Path
    entries: tuple[Entry, ...]
    has_git: bool

    def answer(self) -> dict[str, object]:
        """Return the object that ``project-init --json`` prints, but for what git did."""
        return {
            "name": self.project.name,
            "directory": str(self.directory),
            "type": self.project.kind,
            "description": self.project.description,
            "image": self.project.image,
            "recipe": str(self.directory / RECIPE),
            "files": [
                {"path": each.path, "state": "kept" if each.is_there else "written"}
                for each in self.entries
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A project whose files are there, and what has become of its repository."""

    draft: Draft
    history: History

    def answer(self) -> dict[str, object]:
        """Return the object that ``project-init --json`` prints."""
        return {**self.draft.answer(), "git": self.history.answer()}


def is_there(directory: Path) -> bool:
    """Say whether anything lies in a project's directory.

    Raises Ds01Error for a place that no project can have: a link, a file, another user's.
    """
    shown = shlex.quote(str(directory))
    if directory.is_symlink():
        raise Ds01Error(
            f"{directory} is a link, and no container gets one as its workspace",
            hint=f'--dir "$(readlink -f -- {shown})" names where it leads',
        )
    if not os.path.lexists(directory):
        return False
    if not directory.is_dir():
        raise Ds01Error(f"{directory} is no directory", hint="give the project another name")
    try:
        uid, found = directory.stat().st_uid, any(directory.iterdir())
    except OSError as error:
        raise Ds01Error(f"{directory} cannot be read: {error.strerror}") from error
    if uid != os.geteuid():
        raise Ds01Error(f"{directory} belongs to uid {uid}, not to you", hint=f"ls -ld -- {shown}")
    return found


def declared(directory: Path) -> Project | None:
    """Return what the pyproject.toml of a directory says of a project, None where it says nothing.

    Raises Ds01Error for one that cannot be read.
    """
    if not os.path.lexists(directory / DECLARATION):
        return None
    text = beneath.read_text(directory, DECLARATION)
    try:
        return read(text)
    except ValueError as error:
        raise Ds01Error(f"{directory / DECLARATION}: {error}") from error


def recipe_name_in(directory: Path) -> str:
    """Return the name of the image that a project's recipe makes, empty without a recipe.

    Raises Ds01Error for a recipe that cannot be read, or has no name.
    """
    path = directory / RECIPE
    if not os.path.lexists(path):
        return ""
    try:
        name = load(beneath.read_text(directory, RECIPE)).get("name")
        if isinstance(name, str):
            return recipe_name(name)
    except ValueError as error:
        raise Ds01Error(f"{path}: {error}") from error
    raise Ds01Error(f"{path}: has no name", hint=f"ds01 plan {shlex.quote(str(path))}")


def draft(
    outline: Outline, directory: Path, recipe: str, author: Author, who: tuple[int, int]
) -> Draft:
    """Return the project that a whole outline comes to in a directory; no file changes.

    ``recipe`` is the text of its recipe, unless one is there, whose image is then the project's.
    ``who`` are the uid and gid that a devcontainer is for. Raises Ds01Error, RecipeError.
    """
    assert outline.name is not None, "a project has a name"
    assert outline.kind is not None, "it is filled"
    is_there(directory)
    project = Project(
        name=outline.name,
        kind=outline.kind,
        image=recipe_name_in(directory) or outline.name,
        description=outline.description or "",
        author=author,
    )
    texts = files(project, recipe, is_blank=bool(outline.is_blank))
    if outline.has_devcontainer:
        texts[DEVCONTAINER] = _devcontainer(directory, recipe, who)
    there = declared(directory)
    return Draft(
        project=_as_declared(project, there),
        directory=directory,
        entries=tuple(_entries(directory, texts)),
        has_git=outline.has_git is not False,
    )


def _as_declared(project: Project, there: Project | None) -> Project:
    """Return a project by what its pyproject.toml says, which stays as it is."""
    if there is None:
        return project
    name, kind = there.name or project.name, there.kind or project.kind
    return replace(there, name=name, kind=kind, image=project.image)


def _devcontainer(directory: Path, text: str, who: tuple[int, int]) -> str:
    recipe = _recipe(directory, text)
    return devcontainer.of_recipe(recipe, moving_tag(who[0], recipe.name), *who)


def _recipe(directory: Path, text: str) -> Recipe:
    path = directory / RECIPE
    if os.path.lexists(path):
        text = beneath.read_text(directory, RECIPE)
    return parse(text, source=str(path))


def _entries(directory: Path, texts: Mapping[str, str]) -> Iterator[Entry]:
    for path, text in sorted(texts.items()):
        yield Entry(path=path, text=text, is_there=_is_taken(directory, path))


def _is_taken(directory: Path, path: str) -> bool:
    """Say whether something lies where a file goes; below a link nothing is written.

    Raises Ds01Error where a file stands in the way.
    """
    place = directory
    *folders, name = path.split("/")
    for folder in folders:
        place /= folder
        if place.is_symlink():
            return True
        if os.path.lexists(place) and not place.is_dir():
            raise Ds01Error(
                f"{place} is no directory, and stays as it is", hint="--blank makes no directories"
            )
    return os.path.lexists(place / name)


def _written(directory: Path, entry: Entry) -> Entry:
    """Write a file unless it is there, and return what has become of it. Raises Ds01Error."""
    path = directory / entry.path
    try:
        if not entry.is_there:
            create_file(path, entry.text)
    except Ds01Error:
        if not os.path.lexists(path):
            raise
        return replace(entry, is_there=True)  # it came meanwhile
    return entry


def _is_unchanged(directory: Path, entry: Entry) -> bool:
    """Say whether a file is as it was begun, by this run or by one that did not come to its end."""
    if not entry.is_there:
        return True
    try:
        return beneath.read_text(directory, entry.path) == entry.text
    except Ds01Error:
        return False


def begin(drafted: Draft, environment: Mapping[str, str]) -> Begun:
    """Write the files that are not there yet, and begin a repository where that is wanted.

    What lies there by now is left alone. ``environment`` is git's. Raises Ds01Error.
    """
    entries = tuple(_written(drafted.directory, entry) for entry in drafted.entries)
    drafted = replace(drafted, entries=entries)
    own = (each for each in entries if each.path != DEVCONTAINER)
    paths = [each.path for each in own if _is_unchanged(drafted.directory, each)]
    if not drafted.has_git:
        return Begun(draft=drafted, history=repository.History("unwanted"))
    message = f"Begin {drafted.project.name}"
    history = repository.begin(drafted.directory, paths, message, environment)
    return Begun(draft=drafted, history=history)
