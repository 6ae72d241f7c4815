"""What a project says of itself: its pyproject.toml, with the table ``[tool.ds01]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.fields import load, single_line
from ds01build.grammar import recipe_name
from ds01build.recipe.arrays import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Author", "Project", "declaration", "read"]

_LONGEST = 60  # characters of a type that somebody made up


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who git says that its user is; either may be empty."""

    name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project: ``kind`` is its use case, ``image`` the name of its recipe's image."""

    name: str
    kind: str
    image: str
    description: str = ""  # one line
    author: Author = Author()


def declaration(project: Project) -> str:
    """Return the text of a pyproject.toml (PEP 621): no time, no uid, no package."""
    lines = [
        "# The packages of this project are in recipe.toml, and nowhere else.",
        "[project]",
        f"name = {literal(project.name)}",
        'version = "0.1.0"',
    ]
    if project.description:
        lines.append(f"description = {literal(project.description)}")
    if author := _author(project.author):
        lines.append(f"authors = [{{ {author} }}]")
    own = ["[tool.ds01]", f"type = {literal(project.kind)}", f"image = {literal(project.image)}"]
    return "\n".join([*lines, "", *own, ""])


def _author(author: Author) -> str:
    parts = {"name": author.name, "email": author.email}
    return ", ".join(f"{key} = {literal(value)}" for key, value in parts.items() if value)


def read(text: str) -> Project | None:
    """Return the project that a pyproject.toml declares, None for one without ``[tool.ds01]``.

    It is anybody's to edit, and other tools wrote it, too: what is no name, or no line, reads as
    empty. Raises ValueError for what is not TOML.
    """
    document = load(text)
    own = _table(_table(document).get("tool")).get("ds01")
    if not isinstance(own, dict):
        return None
    about = _table(document.get("project"))
    return Project(
        name=_text(about, "name", single_line),
        kind=_text(own, "type", single_line)[:_LONGEST],
        image=_text(own, "image", recipe_name),
        description=_text(about, "description", single_line),
    )


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(table: Mapping[str, object], key: str, check: Callable[[str], str]) -> str:
    value = table.get(key)
    try:
        return check(value) if isinstance(value, str) else ""
    except ValueError:
        return ""
