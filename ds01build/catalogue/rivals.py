"""Rivals: distributions that write the same modules, read from rivals.toml beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ds01build.errors import RecipeError
from ds01build.fields import Fields, Issues, load
from ds01build.grammar import package_name

__all__ = ["Rivals", "rivals"]


@dataclass(frozen=True, slots=True)
class Rivals:
    """Distributions of which an environment can have one; ``modules`` is what they all write."""

    modules: str
    names: tuple[str, ...]


@cache
def rivals() -> tuple[Rivals, ...]:
    """Return what ds01 knows of rivals."""
    text = files("ds01build.catalogue").joinpath("rivals.toml").read_text(encoding="utf-8")
    issues = Issues()
    found = tuple(_rivals(table) for _, table in Fields(load(text), "", issues).sections())
    if issues.found():
        raise RecipeError(source="rivals.toml", issues=issues.found())
    return found


def _rivals(table: Fields) -> Rivals:
    read = Rivals(table.required("modules", str), table.texts("names", package_name))
    table.close()
    return read
