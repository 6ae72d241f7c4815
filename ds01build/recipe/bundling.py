"""Gives a tier a bundle, or takes it away: the rest of the recipe's text stays."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.recipe import arrays
from ds01build.recipe.editing import Text, careful
from ds01build.recipe.parse import AptTier, PythonTier
from ds01build.recipe.writing import with_key, with_table, with_value, without_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.recipe.editing import Spot
    from ds01build.recipe.parse import Recipe, Tier

__all__ = ["with_bundle", "without_bundle"]


def with_bundle(recipe: Text, spot: Spot, bundle: str) -> Text:
    """Return a recipe whose tier has a bundle, in the place of the one that it had.

    Raises RecipeError, Ds01Error.
    """
    written, place, value = arrays.literal(bundle), ("tiers", spot.tier), recipe.recipe
    with careful(recipe):
        if spot.is_new:
            lines = (f'kind = "{spot.kind}"', f"bundle = {written}")
            text = with_table(recipe.text, "tiers", spot.tier, lines)
            kinds = {"apt": AptTier, "python": PythonTier}
            made = kinds[spot.kind](name=spot.tier, bundle=bundle)
            return _checked(recipe, text, [*value.tiers, made])
        tier = _tier(value, spot.tier)
        if tier.bundle:
            text = with_value(recipe.text, (*place, "bundle"), written)
        else:
            text = with_key(recipe.text, place, "bundle", written)
        changed = replace(tier, bundle=bundle)
        return _checked(recipe, text, [changed if each is tier else each for each in value.tiers])


def without_bundle(recipe: Text, name: str) -> Text:
    """Return a recipe whose tier has no bundle; a tier that has nothing else goes with it.

    Raises RecipeError, and Ds01Error where something that is written there stands in the way.
    """
    value = recipe.recipe
    tier = _tier(value, name)
    with careful(recipe):
        if tier.packages or (isinstance(tier, PythonTier) and tier.requirements):
            text = without_key(recipe.text, ("tiers", name, "bundle"))
            changed = replace(tier, bundle="")
            left = [changed if each is tier else each for each in value.tiers]
        else:
            text = _without_table(recipe.text, name)
            left = [each for each in value.tiers if each is not tier]
        return _checked(recipe, text, left)


def _checked(before: Text, text: str, tiers: Sequence[Tier]) -> Text:
    """Return an edited recipe if it has these tiers, and all else as before.

    What follows from the order of tiers, such as the chain of apt tiers, may close up.
    """
    edited = Text(text, before.source)
    after = edited.recipe
    same = [replace(each, after=()) for each in after.tiers]
    if same != [replace(each, after=()) for each in tiers] or replace(after, tiers=()) != replace(
        before.recipe, tiers=()
    ):
        raise ValueError("more would change than what is asked for")
    return edited


def _tier(recipe: Recipe, name: str) -> AptTier | PythonTier:
    tier = next(each for each in recipe.tiers if each.name == name)
    assert isinstance(tier, (AptTier, PythonTier)), "others have no bundles"
    return tier


def _without_table(text: str, tier: str) -> str:
    """Return ``text`` without the table of a tier that has no comments, and a blank line before."""
    head = rf"^(?:[ \t]*\r?\n)?\[tiers\.{re.escape(tier)}\][ \t]*\r?\n"
    body, end = r"(?:[a-z][^\[\r\n]*(?:\r?\n|\Z))*", r"(?=[ \t]*(?:\r?\n|\Z)|\[)"
    found = re.search(rf"(?m){head}{body}{end}", text)
    if found is None:
        raise ValueError(f"the tier {tier} is written in an unusual way")
    return text[: found.start()] + text[found.end() :]
