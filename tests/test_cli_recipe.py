"""Recipes that are wrong: each is refused with its place, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world import RECIPE

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

NEEDS_ENGINE = "needs a build in an engine, which ds01 does not do yet"
NO_PASSWORDS = (
    "the URL holds credentials: take them out of the recipe and put them into the environment"
)
NASTY = "a\\nb\\u001b[31m$(touch sentinel);`touch sentinel`"


def test_an_unknown_key_is_refused_with_a_suggestion(world: World) -> None:
    world.write(RECIPE + "afer = []\n")
    world.refuses(
        1,
        "build",
        "demo.toml",
        says=["error: demo.toml: tiers.python.afer: unknown key; did you mean 'after'?"],
    )


def test_a_value_of_the_wrong_type_is_refused(world: World) -> None:
    world.write(RECIPE.replace('["app"]', '"app"'))
    world.refuses(
        1,
        "build",
        "demo.toml",
        says=["error: demo.toml: tiers.python.packages: expected an array, found a string"],
    )


def test_every_issue_is_told_at_once(world: World) -> None:
    world.write(RECIPE.replace("schema = 1", "schema = 2").replace('"bookworm"', "12"))
    outcome = world.ds01("build", "demo.toml")
    assert outcome.code == 1
    assert len(outcome.complaint) == 2


def test_a_cycle_is_named(world: World) -> None:
    tier = '\n[tiers.%s]\nkind = "python"\npackages = ["other"]\nafter = ["%s"]\n'
    world.write(RECIPE + tier % ("a", "b") + tier % ("b", "a"))
    world.refuses(1, "build", "demo.toml", says=["error: tiers need each other: a -> b -> a"])


def test_what_is_not_toml_is_refused_with_its_line(world: World) -> None:
    world.write(RECIPE + "[tiers.python\n")
    outcome = world.ds01("build", "demo.toml")
    assert outcome.code == 1
    assert outcome.complaint[0].startswith("error: demo.toml: not TOML: ")
    assert "line 10" in outcome.complaint[0]


def test_a_key_of_forty_kilobytes_is_refused_at_once(world: World) -> None:
    world.write(RECIPE + ".".join(["a"] * 20_000) + " = 1\n")
    world.refuses(
        1,
        "build",
        "demo.toml",
        says=["error: demo.toml: line 10 is longer than 4096 characters"],
    )


def test_a_recipe_that_is_not_there_is_a_usage_error(world: World) -> None:
    world.refuses(
        2,
        "build",
        "nowhere.toml",
        says=["Error: Invalid value for 'RECIPE': File 'nowhere.toml' does not exist."],
    )


@pytest.mark.parametrize(
    ("base", "lacking"),
    [
        ('image = "python:3.12-slim"', "demo needs a container engine: its base is an image"),
        ('framework = "pytorch"', "demo needs a container engine: its base is an image"),
    ],
)
def test_a_base_that_needs_an_engine_is_refused(world: World, base: str, lacking: str) -> None:
    world.write(RECIPE.replace('debian = "bookworm"', base))
    world.refuses(
        4,
        "build",
        "demo.toml",
        says=[f"error: {lacking}", 'hint:  use a native base: [base] debian = "bookworm"'],
    )


def test_a_run_tier_needs_an_engine(world: World) -> None:
    world.write(RECIPE + '\n[tiers.models]\nkind = "run"\ncommands = ["touch sentinel"]\n')
    world.refuses(
        4,
        "build",
        "demo.toml",
        says=[
            "error: demo needs a container engine: tier models runs commands",
            "hint:  remove [tiers.models] to build without an engine",
        ],
    )


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        (
            "app @ git+https://user:hunter2@git.invalid/app.git",
            f"a version control URL {NEEDS_ENGINE}",
        ),
        (
            "app @ https://user:hunter2@web.invalid/app-1.0.zip",
            f"'app' comes from a direct URL, and that {NEEDS_ENGINE}",
        ),
    ],
)
def test_git_and_direct_urls_are_refused_by_name(
    world: World, requirement: str, problem: str
) -> None:
    world.ask_for(requirement)
    outcome = world.refuses(
        1,
        "build",
        "demo.toml",
        says=[f"error: demo.toml: tiers.python.packages[0]: {problem}"],
    )
    assert "hunter2" not in outcome.err


def test_a_password_in_the_recipes_index_url_is_refused_without_showing_it(world: World) -> None:
    world.write(RECIPE + '\n[resolve]\nindex-url = "https://user:hunter2@index.invalid/simple"\n')
    outcome = world.refuses(
        1,
        "build",
        "demo.toml",
        says=[f"error: demo.toml: resolve.index-url: {NO_PASSWORDS}"],
    )
    assert "hunter2" not in outcome.err


NAMES = {
    "name": RECIPE.replace('"demo"', f'"{NASTY}"'),
    "a key": RECIPE + f'\n["{NASTY}"]\na = 1\n',
    "a tier": RECIPE + f'\n[tiers."{NASTY}"]\nkind = "python"\npackages = ["app"]\n',
    "a package": RECIPE.replace('"app"', f'"{NASTY}"'),
    "a .deb": RECIPE + f'\n[tiers.apt]\nkind = "apt"\npackages = ["{NASTY}"]\n',
    "a .deb's option": RECIPE + '\n[tiers.apt]\nkind = "apt"\npackages = ["-oDpkg::Pre=x"]\n',
    "a requirement's option": RECIPE.replace('"app"', '"--index-url=https://evil.invalid"'),
    "a suite": RECIPE.replace('"bookworm"', f'"{NASTY}"'),
    "a destination": RECIPE + f'\n[tiers.f]\nkind="files"\nfiles=[{{from="a",to="/{NASTY}"}}]\n',
    "a source": RECIPE + f'\n[tiers.f]\nkind = "files"\nfiles = [{{from="{NASTY}",to="/a"}}]\n',
    "a label": RECIPE + f'\n[image.labels]\n"{NASTY}" = "a"\n',
    "a label's value": RECIPE + f'\n[image.labels]\na = "{NASTY}"\n',
    "a variable": RECIPE + f'\n[image.env]\n"{NASTY}" = "a"\n',
    "a variable's value": RECIPE + f'\n[image.env]\nA = "{NASTY}"\n',
    "an exclude": RECIPE + f'\n[resolve]\nexclude = ["{NASTY}"]\n',
}


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES.keys())
def test_newlines_escapes_and_options_are_refused_in_every_name(world: World, text: str) -> None:
    world.write(text)
    outcome = world.ds01("build", "demo.toml")
    assert outcome.code == 1, outcome.err
    assert outcome.out == ""
    assert all(line.startswith("error: demo.toml: ") for line in outcome.err.splitlines())
    assert outcome.err.replace("\n", "").isprintable(), ascii(outcome.err)
    assert not (world.recipe.parent / "sentinel").exists()
    assert world.images() == world.built


def test_shell_text_in_values_stays_text(world: World) -> None:
    text = "$(touch sentinel) `touch sentinel` ; touch sentinel"
    world.ask_for("app", more=f'\n[image]\nenv = {{ A = "{text}" }}\nlabels = {{ a = "{text}" }}\n')
    outcome = world.build("--json")
    assert outcome.code == 0, outcome.err
    config = world.blob(outcome.answer["image"]["config_digest"]).decode()
    assert f'"A={text}"' in config
    assert f'"a":"{text}"' in config
    assert not (world.recipe.parent / "sentinel").exists()
