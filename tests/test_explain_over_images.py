"""``explain`` and ``why`` over image bases: what the base has, and what its engine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from desks import python_tier, run_tier
from standins import recipes

if TYPE_CHECKING:
    from pathlib import Path

    from desks import Desk
    from standin_fixtures import StandIns
    from world import Index

pytest_plugins = ("standin_fixtures", "desk_fixtures")
pytestmark = pytest.mark.network  # stand-ins are made of packages


def explained(desk: Desk, recipe: Path) -> dict[str, Any]:
    ended = desk.place.ds01("explain", "--json", recipe)
    assert ended.code == 0, ended.err
    return {each["tier"]: each for each in ended.answer["tiers"]}


def test_what_an_engine_has_is_told_from_what_is_sent(
    each_desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    desk = each_desk
    offers.offer("one")
    offers.offer("two")
    base = stand_ins.load("owners", desk.host)
    recipe = desk.recipe(base, python_tier("one") + run_tier("echo 1 >/srv/run"))
    desk.build(recipe)
    told = explained(desk, recipe)
    layers = [layer for each in told.values() for layer in each["layers"]]
    assert {layer["in_engine"] for layer in layers} == {True}
    assert {layer["place"] for layer in layers} == {"in place"}
    recipe = desk.recipe(base, python_tier("one", "two") + run_tier("echo 1 >/srv/run"))
    desk.lock(recipe)
    told = explained(desk, recipe)
    assert [cause["name"] for cause in told["code"]["layers"][-1]["causes"]] == ["two"]
    (run,) = told["models"]["layers"]
    assert (run["action"], run["in_engine"]) == ("run", False)
    assert "code" in {each["name"] for each in run["causes"] if each["kind"] == "below"}


def test_what_the_base_holds_is_told_with_who_needs_it(
    desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    offers.offer("part", requires=["numpy"])
    recipe = desk.recipe(stand_ins.load("a-light", desk.host), python_tier("part"))
    desk.lock(recipe)
    numpy = recipes.HELD["numpy"]
    told = desk.place.ds01("why", recipe, "numpy")
    held = f"the base has numpy {numpy} in {recipes.SITE}; it is held: no tier replaces it\n"
    assert (told.code, told.out) == (0, held)
    answer = desk.place.ds01("why", "--json", recipe, "NumPy").answer
    assert (answer["found"], answer["base_unknown"]) == ([], None)
    assert answer["base"] == [
        {"kind": "python", "version": numpy, "directory": recipes.SITE, "is_held": True}
    ]
    ended = desk.place.ds01("why", recipe, "numpi")
    assert (ended.code, ended.out) == (1, "")
    assert "did you mean 'numpy'?" in ended.err
