"""Recipes that are wrong: each is refused with its place, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world import RECIPE, is_shown_safely

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

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


def test_a_run_tier_needs_an_engine(world: World) -> None:
    world.write(RECIPE + '\n[tiers.models]\nkind = "run"\ncommands = ["touch sentinel"]\n')
    outcome = world.ds01("build", "demo.toml")
    assert outcome.code == 4
    assert "error: tier models is executed in a container engine, and no engine" in outcome.err
    assert outcome.complaint[-1].startswith("hint:  DOCKER_HOST names a socket that is not there: ")


@pytest.mark.parametrize(
    "requirement",
    [
        "app @ git+https://user:hunter2@git.invalid/app.git",
        "app @ https://user:hunter2@web.invalid/app-1.0.zip",
    ],
)
def test_a_direct_url_with_credentials_is_refused(world: World, requirement: str) -> None:
    world.ask_for(requirement)
    outcome = world.refuses(
        1,
        "build",
        "demo.toml",
        says=[
            (
                "error: demo.toml: tiers.python.packages[0]: the URL holds credentials: take them "
                "out of the recipe and put them into the environment"
            )
        ],
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


NASTY_RECIPE = f"""\
schema = 1
name = "{NASTY}"
"{NASTY}" = 1

[base]
debian = "{NASTY}"

[tiers."{NASTY}"]
kind = "python"
packages = ["app"]

[tiers.apt]
kind = "apt"
packages = ["{NASTY}", "-oDpkg::Pre-Invoke=x", "vim-"]

[tiers.python]
kind = "python"
packages = ["{NASTY}", "--index-url=https://evil.invalid"]

[tiers.files]
kind = "files"
files = [{{ from = "a", to = "/{NASTY}" }}, {{ from = "{NASTY}", to = "/a" }}]

[image]
workdir = "/{NASTY}"
labels = {{ "{NASTY}" = "a", a = "{NASTY}" }}
env = {{ "{NASTY}" = "a", A = "{NASTY}" }}

[resolve]
exclude = ["{NASTY}"]
"""
SHOWN_KEY = repr(NASTY.encode().decode("unicode_escape"))
REFUSED = (
    "name",
    SHOWN_KEY,
    "base.debian",
    f"tiers.{SHOWN_KEY}",
    "tiers.apt.packages[0]",
    "tiers.apt.packages[1]",
    "tiers.apt.packages[2]",
    "tiers.python.packages[0]",
    "tiers.python.packages[1]",
    "tiers.files.files[0].to",
    "tiers.files.files[1].from",
    "image.workdir",
    f"image.labels.{SHOWN_KEY}",
    "image.labels.a",
    f"image.env.{SHOWN_KEY}",
    "image.env.A",
    "resolve.exclude[0]",
)


def test_newlines_escapes_and_options_are_refused_in_every_name(world: World) -> None:
    world.write(NASTY_RECIPE)
    outcome = world.ds01("build", "demo.toml")
    assert outcome.code == 1, outcome.err
    assert outcome.out == ""
    issues = [line.removeprefix("error: demo.toml: ") for line in outcome.err.splitlines()]
    for place in REFUSED:
        assert [issue for issue in issues if issue.startswith(f"{place}: ")], place
    assert is_shown_safely(outcome.err), ascii(outcome.err)
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


def test_a_link_and_a_lock_are_refused_with_the_file_to_name(world: World) -> None:
    link = world.recipe.with_name("link.toml")
    link.symlink_to(world.recipe)
    world.refuses(
        1,
        *("build", link),
        says=[
            f"error: '{link}' is a symbolic link, and a recipe is read where it lies",
            f"hint:  name the file itself: {world.recipe}",
        ],
    )
    world.refuses(
        1,
        *("explain", "demo.lock"),
        says=["error: 'demo.lock' is a lock, and no recipe", "hint:  name its recipe: demo.toml"],
    )


def test_a_byte_order_mark_is_named(world: World) -> None:
    world.write(f"\ufeff{world.recipe.read_text()}")
    outcome = world.ds01("lock", "demo.toml")
    assert outcome.complaint == [
        "error: demo.toml: not TOML: it begins with a byte order mark; save it as UTF-8 without one"
    ]
