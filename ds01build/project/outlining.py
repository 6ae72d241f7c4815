"""What a person says of a project to be: by flags, by prompts, or by the defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.asking import Option
from ds01build.fields import did_you_mean, single_line
from ds01build.wizard import screens
from ds01build.wizard.answers import Picked, image_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.asking import Asker
    from ds01build.project.declaring import Project

__all__ = ["KINDS", "Outline", "ask", "bundles_of", "described", "fill", "kind_of"]

CUSTOM = "custom"  # a type without a bundle
KINDS = (*screens.use_cases(), CUSTOM)
_LONGEST = 400  # characters of a description
_SCIENCE, _BLANK = "science", "blank"
_TERMINAL, _EDITOR = "terminal", "editor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A project to be; None is what nobody has answered yet."""

    name: str | None = None
    kind: str | None = None
    description: str | None = None
    is_blank: bool | None = None  # without directories for data, models and the like
    has_git: bool | None = None
    has_devcontainer: bool | None = None


def kind_of(text: str) -> str:
    """Return the type that is meant. Raises ValueError for one that there is not."""
    word = text.strip().lower()
    if word not in KINDS:
        near = did_you_mean(word, KINDS)
        raise ValueError(f"no type {text!r:.60}; there are {', '.join(KINDS)}{near}")
    return word


def bundles_of(outline: Outline) -> tuple[Picked, ...]:
    """Return what the type of a project lets its image have, as answers of image-create."""
    return () if outline.kind in (None, CUSTOM) else (Picked(bundle=outline.kind or ""),)


def described(text: str) -> str:
    """Return a description: one line. Raises ValueError."""
    line = single_line(text.strip())
    if len(line) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST} characters")
    return line


def ask(outline: Outline, asker: Asker, claim: Callable[[str], Project | None]) -> Outline:
    """Return an outline with what a person says to the rest.

    ``claim`` gets the name, and returns the project that is there by it, which answers for itself;
    it raises Ds01Error for a name that is not to be had.
    """
    outline = _named(outline, asker)
    there = claim(outline.name or "")
    if there is not None:
        outline = _like(outline, there)
    for each in (_kind, _description, _structure, _git, _editing):
        outline = each(outline, asker)
    return outline


def fill(outline: Outline) -> Outline:
    """Return an outline with the defaults of what nobody was asked for; it has a name."""
    return replace(
        outline,
        kind=outline.kind or KINDS[0],
        description=outline.description or "",
        is_blank=bool(outline.is_blank),
        has_git=outline.has_git is not False,
        has_devcontainer=bool(outline.has_devcontainer),
    )


def _like(outline: Outline, there: Project) -> Outline:
    """Return an outline with what a pyproject.toml says that stays as it is."""
    kind = there.kind if there.kind in KINDS else None
    said = there.description if outline.description is None else outline.description
    return replace(outline, kind=outline.kind or kind, description=said)


def _named(outline: Outline, asker: Asker) -> Outline:
    if outline.name is not None:
        return outline
    asker.explain("project-init.name")
    return replace(outline, name=asker.text("Name of the project", image_name))


def _kind(outline: Outline, asker: Asker) -> Outline:
    if outline.kind is not None:
        return outline
    asker.explain("project-init.type")
    cases = screens.use_cases()
    options = [
        *(Option(value=name, title=f"{case.title} - {case.use}") for name, case in cases.items()),
        Option(value=CUSTOM, title="Custom - No packages of a use case"),
    ]
    return replace(outline, kind=asker.choose("Type of the project", options, KINDS[0]))


def _description(outline: Outline, asker: Asker) -> Outline:
    if outline.description is not None:
        return outline
    question = "Description (one line, or Enter to skip)"
    return replace(outline, description=asker.text(question, described))


def _structure(outline: Outline, asker: Asker) -> Outline:
    if outline.is_blank is not None:
        return outline
    asker.explain("project-init.structure")
    options = [
        Option(value=_SCIENCE, title="Data science - data, models, notebooks, scripts, outputs"),
        Option(value=_BLANK, title="Blank - No directories"),
    ]
    return replace(outline, is_blank=asker.choose("Structure", options, _SCIENCE) == _BLANK)


def _git(outline: Outline, asker: Asker) -> Outline:
    if outline.has_git is not None:
        return outline
    asker.explain("project-init.git")
    return replace(outline, has_git=asker.confirm("Keep it in a git repository?", default=True))


def _editing(outline: Outline, asker: Asker) -> Outline:
    if outline.has_devcontainer is not None:
        return outline
    asker.explain("project-init.environment")
    options = [
        Option(value=_TERMINAL, title="Terminal - project-launch opens a container"),
        Option(value=_EDITOR, title="VS Code - also a devcontainer.json for the image"),
    ]
    chosen = asker.choose("Where do you work?", options, _TERMINAL)
    return replace(outline, has_devcontainer=chosen == _EDITOR)
