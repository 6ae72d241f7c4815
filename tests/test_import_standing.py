"""A container of an image that ds01 made: a recipe has what that image was made of."""

from __future__ import annotations

from ds01build.importing.draft import Draft, Slice
from ds01build.importing.standing import draft_of, stacked
from ds01build.lock import LockedTier
from ds01build.recipe import ImageBase, Recipe
from ds01build.recipe.parse import ResolveSettings

BASE = ImageBase(reference="python:3.12-slim")
RECIPE = Recipe(name="demo", base=BASE)
TIERS = (
    LockedTier(name="system", kind="apt", requests=("git", "tmux=3.3")),
    LockedTier(name="code", kind="python", requests=("tool==1.0", "rich[x]>=1")),
)


def slices(draft: Draft) -> dict[str, tuple[str, ...]]:
    return {each.tier: each.packages for each in draft.slices}


def test_the_base_and_the_tiers_are_those_of_the_image() -> None:
    draft = draft_of(RECIPE, TIERS, "box")
    assert draft.base == BASE
    assert slices(draft) == {"system": ("git", "tmux=3.3"), "code": ("tool==1.0", "rich[x]>=1")}
    assert draft.notes == ()


def test_what_only_its_own_recipe_can_have_is_noted() -> None:
    recipe = Recipe(name="demo", base=BASE, resolve=ResolveSettings(exclude=("x",)))
    tiers = (*TIERS, LockedTier(name="setup", kind="run", commands=("true",)))
    notes = draft_of(recipe, tiers, "box").notes
    assert [note.text for note in notes] == ["the tier setup of kind run", "[resolve]"]
    assert {note.reason for note in notes} == {"copy it from the recipe of the image demo"}


def test_what_was_installed_by_hand_takes_the_place_of_what_was_there() -> None:
    above = Draft(
        name="box",
        slices=(
            Slice(tier="system", kind="apt", packages=("tmux=3.4", "tool=1")),
            Slice(tier="custom", kind="python", packages=("tool==2.0", "more==3.0")),
        ),
    )
    found = stacked(draft_of(RECIPE, TIERS, "box"), above)
    assert found.name == "box"
    assert [(each.tier, each.packages) for each in found.slices] == [
        ("system", ("git", "tmux=3.4")),
        ("code", ("tool==2.0", "rich[x]>=1")),
        ("system", ("tool=1",)),
        ("custom", ("more==3.0",)),
    ]
