"""``image-update`` on a terminal: a menu that shows what an image holds, and changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import SCRIPT
from terminals import ENTER, INTERRUPT, SPACE, terminal

from ds01build.errors import Ds01Error
from ds01build.recipe.bundling import with_bundle, without_bundle
from ds01build.recipe.editing import Spot, Text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from terminals import Terminal
    from world import World

pytest_plugins = ("world_fixtures",)

UPDATE = SCRIPT.with_name("image-update")
HEAD = 'schema = 1\nname = "demo"\n\n[base]\ndebian = "bookworm"\n'
MENU = "What now?"


def at(world: World, *words: str) -> AbstractContextManager[Terminal]:
    return terminal([UPDATE, *words], world.environment, world.recipe.parent)


def test_packages_are_added_and_removed_on_a_menu_and_built_together(world: World) -> None:
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, "2", ENTER)
        shown.answer("Python packages (", "other", ENTER)
        shown.await_text("other")
        shown.press("8", ENTER)
        shown.await_text('+packages = ["app", "other"]')
        shown.answer("Update the image demo?", ENTER)
        assert shown.end() == 0
    assert '"other"' in world.recipe.read_text(), shown.text
    assert "Traceback" not in shown.text


def test_who_cancels_changes_nothing(world: World) -> None:
    before = world.recipe.read_bytes(), world.lock.read_bytes()
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, "2", ENTER)
        shown.answer("Python packages (", "other", ENTER)
        shown.await_text(", other")
        shown.press("9", ENTER)
        assert shown.end() == 0
    assert (world.recipe.read_bytes(), world.lock.read_bytes()) == before
    assert "nothing is changed" in shown.text


def test_who_interrupts_changes_nothing(world: World) -> None:
    before = world.recipe.read_bytes(), world.lock.read_bytes()
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, INTERRUPT)
        assert shown.end() == 130
    assert (world.recipe.read_bytes(), world.lock.read_bytes()) == before


def test_what_cannot_be_done_is_told_and_the_menu_comes_back(world: World) -> None:
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, "5", ENTER)
        shown.answer("Packages to remove", "nothing-of-it", ENTER)
        shown.await_text("does not ask for 'nothing-of-it'")
        shown.press("9", ENTER)
        assert shown.end() == 0


def test_a_package_that_there_is_not_brings_the_menu_back_with_all_changes(world: World) -> None:
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, "2", ENTER)
        shown.answer("Python packages (", "other nosuch-x", ENTER)
        shown.await_text(", nosuch-x")
        shown.press("8", ENTER)
        shown.await_text("the package index has no nosuch-x")
        shown.await_text(MENU, times=3)
        shown.press("5", ENTER)
        shown.answer("Packages to remove", "nosuch-x", ENTER)
        shown.await_text(MENU, times=4)
        shown.press("8", ENTER)
        shown.answer("Update the image demo?", ENTER)
        assert shown.end() == 0
    text = world.recipe.read_text()
    assert '"other"' in text
    assert "nosuch" not in text


def test_who_cancels_after_what_cannot_be_locked_changes_nothing(world: World) -> None:
    before = world.recipe.read_bytes(), world.lock.read_bytes()
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, "2", ENTER)
        shown.answer("Python packages (", "nosuch-x", ENTER)
        shown.await_text(", nosuch-x")
        shown.press("8", ENTER)
        shown.await_text("the package index has no nosuch-x")
        shown.await_text(MENU, times=3)
        shown.press("9", ENTER)
        assert shown.end() == 0
    assert (world.recipe.read_bytes(), world.lock.read_bytes()) == before
    assert "nothing is changed" in shown.text


def test_where_nothing_changes_that_is_told_and_nothing_asked(world: World) -> None:
    with at(world, "demo", "--upgrade") as shown:
        shown.await_text("nothing changes")
        assert shown.end() == 0
    assert "Update the image" not in shown.text
    assert f"demo@{world.built['demo']}" in shown.text.replace("\n", "")


def test_where_nothing_changes_and_the_image_is_not_there_it_is_asked(world: World) -> None:
    (world.store / "blobs/sha256" / world.built["demo"].removeprefix("sha256:")).unlink()
    with at(world, "demo.toml", "--upgrade") as shown:
        shown.await_text("nothing changes")
        shown.answer("Update the image demo?", "n", ENTER)
        assert shown.end() == 0


@pytest.mark.parametrize("when", ["before the diff", "after the diff"])
def test_what_somebody_else_changes_meanwhile_is_told_before_anything_is_built(
    world: World, when: str
) -> None:
    changed = world.recipe.read_text() + "# Mine.\n"
    built = {*world.root.rglob("blobs/sha256/*")}
    assert built
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, "2", ENTER)
        shown.answer("Python packages (", "other", ENTER)
        shown.await_text(", other")
        if when == "before the diff":
            world.recipe.write_text(changed)
        shown.press("8", ENTER)
        if when == "after the diff":
            shown.await_text("Update the image demo?")
            world.recipe.write_text(changed)
            shown.press(ENTER)
        assert shown.end() == 1
    assert "was changed by somebody else in the meantime" in shown.text
    assert "give the command again" in shown.text
    assert world.recipe.read_text() == changed
    assert {*world.root.rglob("blobs/sha256/*")} == built, "nothing more was built"


def test_without_a_name_the_image_is_chosen(world: World) -> None:
    with at(world) as shown:
        shown.answer("Image (", ENTER)
        shown.answer(MENU, "1", ENTER)
        shown.await_text("app 1.0")
        shown.press("9", ENTER)
        assert shown.end() == 0


def test_the_phases_are_asked_again(world: World) -> None:
    with at(world, "demo.toml") as shown:
        shown.answer(MENU, "6", ENTER)
        shown.answer("Install Jupyter Lab", ENTER)
        shown.answer("Install core data science", "3", ENTER)
        shown.answer("Packages (separated", "other", ENTER)
        shown.answer("Select use case", SPACE, ENTER)
        shown.await_text("Use Case (General ML): catboost")
        shown.press("9", ENTER)
        assert shown.end() == 0


def test_without_a_terminal_a_change_has_to_be_named(world: World) -> None:
    outcome = world.ds01("image", "update", "demo")
    assert outcome.code == 2
    assert "say what to change" in outcome.err


@given(
    st.sampled_from(["jupyter", "ml", "nlp"]),
    st.sampled_from(["", '\n[tiers.one]\nkind = "python"\npackages = ["rich"]\n']),
    st.sampled_from(["", "\n# The end.\n"]),
)
def test_a_bundle_that_is_given_and_taken_leaves_the_recipe_as_it_was(
    bundle: str, tier: str, tail: str
) -> None:
    before = Text(HEAD + tier + tail, "demo.toml")
    name = "one" if tier else "two"
    with_it = with_bundle(before, Spot(name, "python", is_new=not tier), bundle)
    tiers = {each.name: each for each in with_it.recipe.tiers}
    assert getattr(tiers[name], "bundle", "") == bundle
    assert without_bundle(with_it, name).recipe == before.recipe


def test_another_bundle_takes_the_place_of_the_first() -> None:
    text = Text(HEAD + '\n[tiers.x]\nkind = "python"\nbundle = "ml"  # ours\n', "demo.toml")
    after = with_bundle(text, Spot("x", "python"), "nlp")
    assert 'bundle = "nlp"  # ours' in after.text


def test_a_tier_with_a_comment_is_not_thrown_away() -> None:
    text = Text(HEAD + '\n[tiers.x]\n# why\nkind = "python"\nbundle = "ml"\n', "demo.toml")
    with pytest.raises(Ds01Error, match="cannot be edited"):
        without_bundle(text, "x")
