"""Edits of a recipe: its text changes in what is asked for, and every other byte stays.

After each the text is read again, and its value must differ in exactly that.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ds01build.errors import Ds01Error
from ds01build.fields import load
from ds01build.grammar import deb, requirement, requirement_name
from ds01build.recipe import arrays
from ds01build.recipe.located import locate
from ds01build.recipe.parse import AptTier, PythonTier, Recipe, parse
from ds01build.recipe.writing import with_key, with_table, with_value, without_tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.recipe.parse import Tier

__all__ = [
    "Kind",
    "Spot",
    "Text",
    "add",
    "careful",
    "checked",
    "name_of",
    "normal",
    "read_from",
    "remove",
]

Kind = Literal["apt", "python"]


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a recipe, and what messages call it."""

    text: str
    source: str

    @property
    def recipe(self) -> Recipe:
        """What it says. Raises RecipeError and CycleError."""
        return parse(self.text, source=self.source)


@dataclass(frozen=True, slots=True)
class Spot:
    """The tier that packages go to, and whether it has yet to be made."""

    tier: str
    kind: Kind
    is_new: bool = False


def normal(kind: Kind, package: str) -> str:
    """Return what a package stands for in a recipe's value. Raises ValueError."""
    return deb(package) if kind == "apt" else requirement(package)


def name_of(kind: Kind, package: str) -> str:
    """Return the name in a package that is written as ``normal`` returns it."""
    return package.partition("=")[0] if kind == "apt" else requirement_name(package)


def add(recipe: Text, spot: Spot, packages: Sequence[str]) -> Text:
    """Return a recipe that asks for ``packages`` in a tier.

    One of the same name is replaced where it stands. Raises RecipeError, Ds01Error.
    """
    wanted = {normal(spot.kind, package): package.strip() for package in packages}
    with careful(recipe):
        new = _written(recipe.text, spot, wanted)
        return checked(recipe, new, _with_packages(recipe.recipe, spot, list(wanted)))


def remove(recipe: Text, spot: Spot, names: Sequence[str]) -> Text:
    """Return a recipe whose tier no longer asks for ``names``, which it did.

    A tier that has nothing left goes too, unless a comment or another tier speaks of it. Raises
    RecipeError, Ds01Error.
    """
    with careful(recipe):
        place = ("tiers", spot.tier, "packages")
        found = locate(recipe.text, place)
        array = recipe.text[found]
        for position in reversed(range(len(arrays.values(array)))):
            if _name_at(array, position, spot.kind) in names:
                array = arrays.removed(array, position)
        text = with_value(recipe.text, place, array)
        left = checked(recipe, text, _without_packages(recipe.recipe, spot, names))
        return _tidied(left, spot)


def read_from(recipe: Text, spot: Spot, path: str) -> Text:
    """Return a recipe whose tier asks for what a requirements file has.

    Raises RecipeError, and Ds01Error where the tier has another file already.
    """
    tiers = {tier.name: tier for tier in recipe.recipe.tiers}
    tier = tiers.get(spot.tier, PythonTier(name=spot.tier))
    assert isinstance(tier, PythonTier), "files of requirements are for Python"
    if tier.requirements not in ("", path):
        raise Ds01Error(
            f"tier {spot.tier!r} of {recipe.source} has the requirements of {tier.requirements}",
            hint=f"add a line to {tier.requirements}: -r {path}",
        )
    if tier.requirements:
        return recipe
    written = arrays.literal(path)
    with careful(recipe):
        if spot.is_new:
            lines = ('kind = "python"', f"requirements = {written}")
            text = with_table(recipe.text, "tiers", spot.tier, lines)
        else:
            text = with_key(recipe.text, ("tiers", spot.tier), "requirements", written)
        wanted = _with_tier(recipe.recipe, replace(tier, requirements=path))
        return checked(recipe, text, wanted)


@contextmanager
def careful(recipe: Text) -> Iterator[None]:
    """Turn the ValueError of a text that cannot be edited into a Ds01Error."""
    try:
        yield
    except ValueError as error:
        raise Ds01Error(
            f"{recipe.source} cannot be edited: {error}",
            hint=f"edit it by hand, then: ds01 lock {recipe.source}",
        ) from error


def checked(before: Text, text: str, wanted: Recipe) -> Text:
    """Return an edited recipe if it says what is ``wanted``. Raises RecipeError, ValueError."""
    load(text)
    edited = Text(text, before.source)
    if edited.recipe != wanted:
        raise ValueError("more would change than what is asked for")
    return edited


def _written(text: str, spot: Spot, wanted: dict[str, str]) -> str:
    if spot.is_new:
        array = arrays.appended("[]", list(wanted.values()))
        return with_table(
            text, "tiers", spot.tier, (f'kind = "{spot.kind}"', f"packages = {array}")
        )
    place = ("tiers", spot.tier, "packages")
    tables = load(text)["tiers"]
    assert isinstance(tables, dict), "the recipe has been read"
    if "packages" not in tables[spot.tier]:
        return with_key(text, place[:-1], "packages", arrays.appended("[]", list(wanted.values())))
    array = text[locate(text, place)]
    for package, written in wanted.items():
        array = _with_package(array, spot.kind, package, written)
    return with_value(text, place, array)


def _with_package(array: str, kind: Kind, package: str, written: str) -> str:
    """Put a package into the place of those of its name, or behind all others."""
    name = name_of(kind, package)
    same = [at for at in range(len(arrays.values(array))) if _name_at(array, at, kind) == name]
    if not same:
        return arrays.appended(array, [written])
    for position in reversed(same[1:]):
        array = arrays.removed(array, position)
    if normal(kind, arrays.values(array)[same[0]]) == package:
        return array
    return arrays.replaced(array, same[0], written)


def _name_at(array: str, position: int, kind: Kind) -> str:
    return name_of(kind, normal(kind, arrays.values(array)[position]))


def _tidied(recipe: Text, spot: Spot) -> Text:
    text = without_tier(recipe.text, spot.tier, spot.kind)
    if text == recipe.text:
        return recipe
    gone = [tier for tier in recipe.recipe.tiers if tier.name != spot.tier]
    try:
        tidied = Text(text, recipe.source).recipe
    except Ds01Error:  # another tier names it
        return recipe
    # What follows from the order of tiers, such as the chain of apt tiers, closes up.
    same = [replace(tier, after=()) for tier in gone] == [
        replace(tier, after=()) for tier in tidied.tiers
    ]
    return Text(text, recipe.source) if same else recipe


def _with_packages(recipe: Recipe, spot: Spot, wanted: Sequence[str]) -> Recipe:
    """Return the value with ``wanted`` in the places of those of their names, or at the end."""
    tier = _tier(recipe, spot)
    packages = list(tier.packages)
    for package in wanted:
        name = name_of(spot.kind, package)
        same = [at for at, each in enumerate(packages) if name_of(spot.kind, each) == name]
        first = same[0] if same else len(packages)
        others = [each for at, each in enumerate(packages) if at not in same]
        packages = [*others[:first], package, *others[first:]]
    return _with_tier(recipe, replace(tier, packages=tuple(packages)))


def _without_packages(recipe: Recipe, spot: Spot, names: Sequence[str]) -> Recipe:
    tier = _tier(recipe, spot)
    left = tuple(each for each in tier.packages if name_of(spot.kind, each) not in names)
    return _with_tier(recipe, replace(tier, packages=left))


def _tier(recipe: Recipe, spot: Spot) -> AptTier | PythonTier:
    """Return the tier of a spot; an empty one behind the others where it has yet to be made."""
    for tier in recipe.tiers:
        if tier.name == spot.tier and isinstance(tier, (AptTier, PythonTier)):
            return tier
    if spot.kind == "python":
        return PythonTier(name=spot.tier)
    before = [tier.name for tier in recipe.tiers if isinstance(tier, AptTier)]
    return AptTier(name=spot.tier, after=tuple(before[-1:]))


def _with_tier(recipe: Recipe, tier: Tier) -> Recipe:
    known = tier.name in [each.name for each in recipe.tiers]
    tiers = [tier if each.name == tier.name else each for each in recipe.tiers]
    return replace(recipe, tiers=tuple(tiers if known else [*tiers, tier]))
