"""Puts a recipe on another base: image, framework or suite, and nothing else of it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.catalogue import LATEST, frameworks
from ds01build.errors import UsageError
from ds01build.fields import load
from ds01build.grammar import image_reference, suite
from ds01build.recipe import arrays
from ds01build.recipe.editing import careful, checked
from ds01build.recipe.located import locate
from ds01build.recipe.parse import DebianBase, FrameworkBase, ImageBase
from ds01build.recipe.writing import renamed_key, with_key, with_value, without_key

if TYPE_CHECKING:
    from ds01build.recipe.editing import Text
    from ds01build.recipe.parse import Base

__all__ = ["base_of", "rebased"]


def base_of(name: str, present: Base) -> Base:
    """Return what ``name`` means: FRAMEWORK, FRAMEWORK:VERSION, an image, or a suite.

    A single word is a suite in a recipe that stands on one. Raises UsageError.
    """
    framework, _, version = name.partition(":")
    if framework.lower() in {each.name.lower() for each in frameworks()}:
        kept = present.architecture if isinstance(present, FrameworkBase) else ""
        return FrameworkBase(
            framework=framework.lower(), version=version or LATEST, architecture=kept
        )
    try:
        if isinstance(present, DebianBase) and not {":", "/", "@"}.intersection(name):
            return replace(present, suite=suite(name))
        return ImageBase(reference=image_reference(name))
    except ValueError as error:
        raise UsageError(
            f"--to {name!r:.200}: {error}", hint="--to IMAGE, FRAMEWORK[:VERSION] or SUITE"
        ) from error


def rebased(recipe: Text, base: Base) -> Text:
    """Return the recipe on another base. Raises RecipeError, Ds01Error."""
    if recipe.recipe.base == base:
        return recipe
    with careful(recipe):
        text = _with_main(recipe.text, *_main(base))
        wanted = _others(base)
        table = load(text)["base"]
        assert isinstance(table, dict), "the recipe has been read"
        for key in ("version", "arch", "packages"):
            if key in table and key not in wanted:
                text = without_key(text, ("base", key))
        for key, value in wanted.items():
            text = _with_other(text, key, value)
        return checked(recipe, text, replace(recipe.recipe, base=base))


def _main(base: Base) -> tuple[str, str]:
    """Return the key that says what kind of base it is, and its value."""
    if isinstance(base, DebianBase):
        return "debian", base.suite
    if isinstance(base, ImageBase):
        return "image", base.reference
    return "framework", base.framework


def _others(base: Base) -> dict[str, str | None]:
    """Return the other keys that may stay, with the values that they must have; None for any."""
    if isinstance(base, DebianBase):
        return {"packages": None}
    if isinstance(base, ImageBase):
        return {}
    return {"version": base.version, "arch": None}


def _with_main(text: str, key: str, value: str) -> str:
    table = load(text)["base"]
    assert isinstance(table, dict), "the recipe has been read"
    (old,) = {"debian", "image", "framework"} & table.keys()
    place = locate(text, ("base", old))
    changed = with_value(text, ("base", old), arrays.literal(value, text[place]))
    return changed if old == key else renamed_key(changed, ("base", old), key)


def _with_other(text: str, key: str, value: str | None) -> str:
    table = load(text)["base"]
    assert isinstance(table, dict), "the recipe has been read"
    if value is None or value == table.get(key, LATEST):
        return text
    if key not in table:
        return with_key(text, ("base",), key, arrays.literal(value))
    place = ("base", key)
    return with_value(text, place, arrays.literal(value, text[locate(text, place)]))
