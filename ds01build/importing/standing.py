"""What an image of ds01 was made of, as a draft that what came on top of it is added to.

A registry need not have such an image: a recipe cannot stand on it, but on what that stands on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.grammar import requirement_name
from ds01build.importing.draft import Draft, Slice, noted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.importing.draft import Kind, Note
    from ds01build.lock import LockedTier
    from ds01build.recipe import Recipe

__all__ = ["draft_of", "stacked"]

_KINDS: dict[str, Kind] = {"apt": "apt", "python": "python"}


def draft_of(recipe: Recipe, tiers: Sequence[LockedTier], source: str) -> Draft:
    """Return what an image's recipe and the tiers of its lock come to.

    Tiers have what their files of requirements said. ``source`` is what notes call the container.
    """
    slices = (
        Slice(tier=tier.name, kind=_KINDS[tier.kind], packages=tier.requests)
        for tier in tiers
        if tier.kind in _KINDS
    )
    return Draft(
        name=recipe.name,
        base=recipe.base,
        slices=tuple(slices),
        image=recipe.image,
        notes=tuple(_left(recipe, tiers, source)),
    )


def _left(recipe: Recipe, tiers: Sequence[LockedTier], source: str) -> Iterator[Note]:
    for tier in tiers:
        if tier.kind not in _KINDS:
            reason = f"copy it from the recipe of the image {recipe.name}"
            yield noted("dropped", source, 0, f"the tier {tier.name} of kind {tier.kind}", reason)
    if recipe.resolve != type(recipe.resolve)():
        reason = f"copy it from the recipe of the image {recipe.name}"
        yield noted("dropped", source, 0, "[resolve]", reason)


def stacked(below: Draft, above: Draft) -> Draft:
    """Return ``below`` with what ``above`` asks for, in the place of what it asked for before."""
    newer = {
        (each.kind, _name(each.kind, package)): package
        for each in above.slices
        for package in each.packages
    }
    there = {(each.kind, _name(each.kind, p)) for each in below.slices for p in each.packages}
    slices = [
        *(
            replace(
                each,
                packages=tuple(
                    newer.get((each.kind, _name(each.kind, p)), p) for p in each.packages
                ),
            )
            for each in below.slices
        ),
        *(
            replace(
                each,
                packages=tuple(
                    p for p in each.packages if (each.kind, _name(each.kind, p)) not in there
                ),
            )
            for each in above.slices
        ),
    ]
    return replace(
        below,
        name=above.name,
        slices=tuple(each for each in slices if each.packages),
        notes=(*below.notes, *above.notes),
    )


def _name(kind: Kind, package: str) -> str:
    return package.partition("=")[0] if kind == "apt" else requirement_name(package)
