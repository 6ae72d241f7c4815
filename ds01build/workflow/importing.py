"""Makes a recipe from files that people have, and writes it over nobody's."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build import beneath
from ds01build.errors import Ds01Error, RecipeError, UsageError
from ds01build.grammar import recipe_name
from ds01build.importing import merged, recipe_of, recipe_text
from ds01build.importing.bases import DEFAULT, base_named
from ds01build.importing.conda import read_environment
from ds01build.importing.dockerfile import read_dockerfile
from ds01build.importing.draft import name_from, noted
from ds01build.importing.pylock import TEXT_LIMIT, read_pylock
from ds01build.importing.requirements import read_project, read_requirements
from ds01build.recipe import ImageSettings, PythonTier
from ds01build.recipe.requirements import expand
from ds01build.workflow.edits import Goal, adding, together
from ds01build.workflow.replacing import Replacement, refuse_replacing, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from ds01build.importing import Draft, Included, Note, Slice
    from ds01build.recipe import Recipe
    from ds01build.workflow.editing import Edit

__all__ = [
    "Imported",
    "Sources",
    "Wishes",
    "additions",
    "import_drafts",
    "left_by_adding",
    "read_sources",
    "write_recipe",
]

_KINDS = (
    (r"pyproject\.toml", "project"),
    (r"pylock(?:\.[^.]+)?\.toml", "pylock"),
    (r".+\.ya?ml", "conda"),
    (r"(?:.+\.)?(?:dockerfile|containerfile)|(?:dockerfile|containerfile)\..+", "dockerfile"),
    (r".+\.(?:txt|in)", "requirements"),
)
_HEADED = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is asked of an import. ``name`` and ``base`` are empty where the sources decide.

    With ``copies`` no file of requirements is named in the recipe.
    """

    name: str = ""
    base: str = ""
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    copies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What each source asks for, and the files that were read for it, those included among them."""

    drafts: tuple[Draft, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A recipe that was made, its text, and what became of what it has no place for."""

    recipe: Recipe
    text: str
    notes: tuple[Note, ...]


def read_sources(sources: Sequence[Path], directory: Path, wishes: Wishes) -> Sources:
    """Return what sources ask for, for a recipe that is to lie in ``directory``.

    A requirements file below it is named in the recipe, so that what is changed in it later counts.
    Raises UsageError for a source of no known kind, RecipeError and Ds01Error.
    """
    kinds = [_kind(source) for source in sources]
    if kinds.count("dockerfile") > 1:
        raise UsageError("an image has one Dockerfile: import them one by one")
    for given, kind in ((wishes.extras, "--extra"), (wishes.groups, "--group")):
        if given and "project" not in kinds:
            raise UsageError(f"{kind} has no meaning without a pyproject.toml")
    drafts, files = [], dict.fromkeys(sources)
    for source, kind in zip(sources, kinds, strict=True):
        place = source.resolve().parent
        draft, names = _draft(source, kind, wishes)
        drafts.append(_settled(draft, place, directory, wishes))
        files |= dict.fromkeys(place / name for name in names)
    return Sources(drafts=tuple(drafts), files=tuple(files))


def import_drafts(
    drafts: Sequence[Draft], wishes: Wishes, names: Sequence[str], otherwise: str
) -> Imported:
    """Return the recipe of drafts; ``otherwise`` is its name where neither they nor a wish say it.

    ``names`` are those of what it is made from. Raises UsageError without a name, Ds01Error where
    there is nothing to import, RecipeError.
    """
    base = base_named(wishes.base) if wishes.base else None
    draft = merged([replace(each, base=None) for each in drafts] if base else drafts)
    if draft.base is None and not any(each.packages or each.included for each in draft.slices):
        raise Ds01Error(f"there is nothing in {', '.join(names)} that a recipe could ask for")
    name = wishes.name or name_from(draft.name) or name_from(otherwise)
    try:
        recipe_name(name)
    except ValueError as error:
        raise UsageError(f"{error}", hint="--name NAME") from error
    recipe = recipe_of(draft, name, base or draft.base or DEFAULT)
    return Imported(recipe=recipe, text=recipe_text(recipe, _heading(names)), notes=draft.notes)


def additions(drafts: Sequence[Draft]) -> tuple[Edit, ...]:
    """Return the edit of an existing recipe that asks for what drafts do; none for nothing."""
    draft = merged(drafts)
    edits = [
        adding(each.packages, Goal(kind=each.kind, fallback=_fallback(each)))
        for each in draft.slices
        if each.packages
    ]
    return (together(*edits),) if edits else ()


def left_by_adding(sources: Sequence[Path], drafts: Sequence[Draft]) -> Iterator[Note]:
    """Yield what of the drafts of ``sources`` no edit adds: base and settings."""
    for source, draft in zip(sources, drafts, strict=True):
        parts = {"its base": draft.base, "settings": draft.image != ImageSettings()}
        for part, there in parts.items():
            if there:
                reason = "the recipe that is added to keeps its own"
                yield noted("dropped", source.name, 0, part, reason)


def write_recipe(path: Path, text: str, *, force: bool, keep: Iterable[Path] = ()) -> bool:
    """Write a recipe; False where it was there already with this text.

    Raises Ds01Error where there is another one, unless by ``force``; by that, too, where it is one
    of those that were read (``keep``), a link, or no regular file.
    """
    if force or not path.is_file():  # what is no file may never end
        refuse_replacing(path, keep)
    try:
        before: bytes | None = path.read_bytes()
    except FileNotFoundError:
        before = None
    except OSError as error:
        raise Ds01Error(f"{path} cannot be read: {error.strerror}") from error
    if before == text.encode():
        return False
    if os.path.lexists(path) and not force:
        raise Ds01Error(
            f"there is a recipe {path} already", hint="--force replaces it, -o names another"
        )
    with staged([Replacement(path=path, before=before, text=text)]) as commit:
        commit()
    return True


def _fallback(each: Slice) -> str:
    return "system" if each.kind == "apt" else "custom"


def _kind(source: Path) -> str:
    name = source.name.lower()
    for pattern, kind in _KINDS:
        if re.fullmatch(pattern, name):
            return kind
    raise UsageError(
        f"{source}: of what kind it is cannot be told from its name",
        hint="requirements.txt, pyproject.toml, environment.yml, Dockerfile or pylock.toml",
    )


def _draft(source: Path, kind: str, wishes: Wishes) -> tuple[Draft, Iterable[str]]:
    """Return what a source asks for, and the files beneath its directory that were read."""
    real = source.resolve()
    names: dict[str, None] = {}

    def read(path: str) -> str:
        text = beneath.read_text(real.parent, path)
        names[path] = None
        return text

    if kind == "project":
        return read_project(real.name, read, wishes.extras, wishes.groups), names
    if kind == "pylock":
        return read_pylock(real.name, _long_text(real)), names
    readers = {"conda": read_environment, "dockerfile": read_dockerfile}
    return readers.get(kind, read_requirements)(real.name, read), names


def _long_text(path: Path) -> str:
    try:
        return beneath.read(path.parent, path.name, limit=TEXT_LIMIT).decode()
    except UnicodeDecodeError as error:
        raise Ds01Error(f"{path.name!r:.200} is not UTF-8 text") from error


def _settled(draft: Draft, source: Path, directory: Path, wishes: Wishes) -> Draft:
    """Decide for each file that a draft includes whether the recipe names it, or has a copy."""
    slices: list[Slice] = []
    notes = list(draft.notes)
    for each in draft.slices:
        file = each.included
        if file is None:
            slices.append(each)
            continue
        path = "" if wishes.copies else _named(file, source, directory)
        if path:
            slices.append(replace(each, included=replace(file, path=path)))
        else:
            packages = tuple(dict.fromkeys((*each.packages, *file.packages)))
            slices.append(replace(each, packages=packages, included=None))
            notes += file.notes
    return replace(draft, slices=tuple(slices), notes=tuple(dict.fromkeys(notes)))


def _named(file: Included, source: Path, directory: Path) -> str:
    """Return how a recipe in ``directory`` names a file, empty where it cannot."""
    path, bracket, extras = file.path.partition("[")
    try:
        inside = (source / path).relative_to(directory.resolve()).as_posix()
    except ValueError:
        return ""
    name = f"{inside}{bracket}{extras}"
    try:
        expand(PythonTier(name="imported", requirements=name), _reader(directory.resolve()))
    except (RecipeError, Ds01Error):
        return ""
    return name if file.whole else ""


def _reader(directory: Path) -> Callable[[str], str]:
    return lambda path: beneath.read_text(directory, path)


def _heading(names: Sequence[str]) -> str:
    """Return the comment that a recipe begins with; names that are odd are left out of it."""
    shown = [name if _HEADED.fullmatch(name) else "a file" for name in names]
    return f"Imported from {', '.join(dict.fromkeys(shown))}."
