"""``explain``, ``why`` and ``diff`` over a store in which an image was built."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from world import RECIPE, is_shown_safely

from ds01build.digest import Key
from ds01build.store import open_store
from ds01build.store.recorded import inputs_of

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

NOTHING = "nothing differs\n"


def answer(world: World, *arguments: str) -> Any:  # noqa: ANN401 (JSON)
    outcome = world.ds01(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.answer


def text(world: World, *arguments: str, code: int = 0) -> str:
    outcome = world.ds01(*arguments)
    assert outcome.code == code, outcome.err
    assert is_shown_safely(outcome.out)
    return outcome.out


def build(world: World, *packages: str) -> None:
    world.ask_for(*packages)
    outcome = world.build()
    assert outcome.code == 0, outcome.err


def update(world: World, *packages: str) -> None:
    """Ask for other packages, and lock."""
    world.ask_for(*packages)
    outcome = world.ds01("lock", "demo.toml")
    assert outcome.code == 0, outcome.err


def row(found: Any, tier: str) -> Any:  # noqa: ANN401 (JSON)
    return next(each for each in found["tiers"] if each["tier"] == tier)


# explain


def test_what_nothing_changed_in_is_as_in_the_last_build(world: World) -> None:
    assert text(world, "explain", "demo.toml") == (
        "demo, compared with generation 1\n"
        "\n"
        "base     reuse  as in generation 1\n"
        "\n"
        "python   reuse  as in generation 1\n"
        "\n"
        "(state)  reuse  as in generation 1\n"
    )


def test_what_an_update_makes_is_explained_by_package(world: World) -> None:
    world.index.offer("app", "2.0", requires=["lib>=1"])
    world.ask_for("app>=2", "other")
    assert world.ds01("lock", "demo.toml").code == 0
    assert text(world, "explain", "demo.toml", "python") == (
        "demo, compared with generation 1\n"
        "\n"
        "python  write  2 of 2 layers to make\n"
        "  write  2 packages, app==2.0 to lib==1.0: differs from generation 1\n"
        "           package app 1.0 -> 2.0\n"
        "  write  other==1.0: generation 1 had no layer like it\n"
        "           package other 1.0 is new\n"
    )
    found = answer(world, "explain", "demo.toml")
    assert (found["schema"], found["generation"], found["gone"]) == ("ds01.explained/1", 1, [])
    (first, _) = row(found, "python")["layers"]
    assert first["causes"] == [{"kind": "package", "name": "app", "before": "1.0", "after": "2.0"}]
    assert (first["place"], first["action"], first["in_engine"]) == ("new", "write", None)
    assert first["was"] != first["key"]
    (state,) = row(found, "(state)")["layers"]
    assert (state["place"], state["action"]) == ("moved", "reuse")


def test_explain_and_plan_agree_on_what_is_done(world: World) -> None:
    update(world, "app", "other")
    plan, found = answer(world, "plan", "demo.toml"), answer(world, "explain", "demo.toml")
    assert [(each["tier"], each["action"]) for each in found["tiers"]] == [
        (each["tier"], each["action"]) for each in plan["tiers"]
    ]


def test_without_a_last_build_the_store_is_explained(world: World) -> None:
    shutil.rmtree(world.store / "roots" / "demo")
    assert text(world, "explain", "demo.toml") == (
        "demo has no last build here: this is what the store has of it\n"
        "\n"
        "base     reuse  all layers are in the store\n"
        "\n"
        "python   reuse  all layers are in the store\n"
        "\n"
        "(state)  reuse  all layers are in the store\n"
    )
    assert answer(world, "explain", "demo.toml")["generation"] is None


def test_what_the_store_lost_is_not_blamed_on_a_change(world: World) -> None:
    (layer,) = row(answer(world, "explain", "demo.toml"), "python")["layers"]
    hexadecimal = Key(layer["key"]).hex
    (world.store / "keys" / hexadecimal[:2] / f"{hexadecimal}.json").unlink()
    assert text(world, "explain", "demo.toml", "python").splitlines()[2:] == [
        "python  write  1 of 1 layer to make",
        (
            "  write  2 packages, app==1.0 to lib==1.0: nothing differs from generation 1,"
            " but the store lacks its layer now"
        ),
    ]


def test_a_layer_that_another_ds01_wrote_is_explained_by_its_row(world: World) -> None:
    (layer,) = row(answer(world, "explain", "demo.toml"), "python")["layers"]
    store = open_store(world.store, uid=os.geteuid())
    made = store.layer(Key(layer["key"]))
    assert made is not None
    ((_, inputs),) = inputs_of(store, {made.digest})
    older = {**inputs, "writer": 0}
    store.record(Key.of(older), made, older)
    hexadecimal = Key(layer["key"]).hex
    (world.store / "keys" / hexadecimal[:2] / f"{hexadecimal}.json").unlink()
    assert text(world, "explain", "demo.toml", "python").splitlines()[3:] == [
        "  write  2 packages, app==1.0 to lib==1.0: differs from generation 1",
        "           ds01's own writer: 0 -> 1",
    ]


def test_a_stale_lock_is_explained_by_the_fields_of_the_recipe(world: World) -> None:
    world.ask_for("app>=1", "other", more='\n[resolve]\nexclude-newer = "2026-11-01"\n')
    outcome = world.ds01("explain", "demo.toml")
    assert outcome.code == 3
    assert outcome.out == (
        "demo.lock was made for the recipe of generation 1; since:\n"
        "  resolve.exclude-newer: + 2026-11-02T00:00:00Z\n"
        "  tiers.python.packages: - app\n"
        "  tiers.python.packages: + app>=1\n"
        "  tiers.python.packages: + other\n"
    )
    assert outcome.complaint == ["error: demo.lock is stale", "hint:  ds01 lock demo.toml"]
    outcome = world.ds01("explain", "demo.toml", "--json")
    lock = outcome.answer["lock"]
    assert (outcome.code, lock["is_fresh"], lock["compared_with"]) == (3, False, 1)
    assert {"field": "tiers.python.packages", "before": "", "after": "other"} in lock["changes"]


def test_the_mode_of_a_file_is_shown_in_octal(world: World) -> None:
    world.write("hi\n", "hi")
    head = '\n[tiers.f]\nkind = "files"\nfiles = [{ from = "hi", to = "/etc/hi"'
    world.write(f"{RECIPE}{head} }}]\n")
    assert world.build().code == 0
    digest = world.ds01("lock", "--json", "demo.toml").answer["digest"]
    world.write(f'{RECIPE}{head}, mode = "0600" }}]\n')
    assert text(world, "explain", "demo.toml", code=3).splitlines()[1:] == [
        "  tiers.f.files./etc/hi.mode: + 0600"
    ]
    assert world.ds01("lock", "--json", "demo.toml").answer["digest"] != digest


def test_a_stale_lock_that_was_never_built_is_compared_with_itself(world: World) -> None:
    update(world, "app", "other")
    world.write(RECIPE.replace('["app"]', '["lib"]') + '\n[image]\nworkdir = "/work"\n')
    outcome = world.ds01("explain", "demo.toml")
    assert outcome.out == (
        "demo.lock was made for another state of the recipe; the lock itself shows:\n"
        "  image.workdir: + /work\n"
        "  tiers.python.packages: - app\n"
        "  tiers.python.packages: - other\n"
        "  tiers.python.packages: + lib\n"
    )
    world.ask_for("app", "other", more='\n[resolve]\noverrides = ["lib<2"]\n')
    assert world.ds01("explain", "demo.toml").out.splitlines()[1:] == [
        "  nothing: what changed is of the kind that no lock keeps, such as [resolve]"
    ]


def test_explain_of_what_is_not_there_says_so(world: World) -> None:
    unknown = "error: demo has no tier 'pyton'; did you mean 'python'?"
    world.refuses(1, "explain", "demo.toml", "pyton", says=[unknown])
    world.lock.unlink()
    absent = ["error: demo.lock does not exist", "hint:  ds01 lock demo.toml"]
    world.refuses(3, "explain", "demo.toml", says=absent)


# why


def test_a_wheel_is_traced_to_its_request(world: World) -> None:
    found = answer(world, "why", "demo.toml", "lib")
    (lib,) = found["found"]
    assert text(world, "why", "demo.toml", "Lib") == (
        f"lib 1.0, a wheel of {lib['size']} B in tier python\n"
        f"  layer    {lib['layer']['place']} of {lib['layer']['total']}, with 1 other;"
        f" key {Key(lib['layer']['key']).hex[:12]}\n"
        "  because  tier python: app -> lib\n"
        "  version  app==1.0: lib>=1\n"
    )
    assert (lib["tier"], lib["needed_by"], lib["asked"]) == ("python", ["app"], [])
    assert lib["chains"] == [{"tier": "python", "line": "app", "names": ["app", "lib"]}]
    assert (found["base"], found["base_unknown"]) == ([], None)


def test_what_those_that_need_a_wheel_ask_of_it_is_told_once_they_are_in_a_layer(
    world: World,
) -> None:
    marked = ["lib!=1.5,>=1", "lib>=7 ; python_version < '3'", "lib>=8 ; extra == 'fast'"]
    world.index.offer("app", "2.0", requires=marked)
    update(world, "app>=2")
    unbound = "nothing in the recipe bounds it: the newest that fitted when it was locked"
    assert text(world, "why", "demo.toml", "lib").splitlines()[3:] == [
        f"  version  {unbound}",
        "  unknown  which versions app==2.0 asks for, until its layer is made here",
    ]
    (lib,) = answer(world, "why", "demo.toml", "lib")["found"]
    assert (lib["bounds"], lib["silent"]) == ([], ["app==2.0"])
    assert world.build().code == 0
    for path in (world.store / "blobs/sha256").iterdir():
        if path.read_bytes()[:2] == b"PK":
            path.unlink()  # the wheel itself is not asked
    assert text(world, "why", "demo.toml", "lib").splitlines()[3:] == [
        "  version  app==2.0: lib!=1.5,>=1"
    ]
    (lib,) = answer(world, "why", "demo.toml", "lib")["found"]
    assert (lib["bounds"], lib["silent"]) == ([{"by": "app==2.0", "says": "lib!=1.5,>=1"}], [])


def test_what_bound_a_version_is_told(world: World) -> None:
    world.write("lib<3\n", "constraints.txt")
    recipe = RECIPE.replace('["app"]', '["app", "lib>=1"]')
    recipe += 'requirements = "requirements.txt"\n'
    world.write("-c constraints.txt\n", "requirements.txt")
    world.write(recipe + '\n[resolve]\noverrides = ["lib<2"]\n')
    assert world.ds01("lock", "demo.toml").code == 0
    assert text(world, "why", "demo.toml", "lib").splitlines()[2:] == [
        "  asked    tier python: lib>=1",
        "  because  tier python: app -> lib",
        "  version  tier python: lib>=1",
        "           a constraint: lib<3",
        "           an override: lib<2",
        "           app==1.0: lib>=1",
    ]


def test_a_deb_is_traced_by_what_debs_need_of_each_other(world: World) -> None:
    (found,) = answer(world, "why", "demo.toml", "libc6")["found"]
    assert (found["kind"], found["tier"], found["is_complete"]) == ("debian", "base", True)
    assert {"tier": "base", "line": "python3", "names": ["python3", "libc6"]} in found["chains"]
    for facts in (world.store / "facts").iterdir():
        facts.unlink()
    found = text(world, "why", "demo.toml", "libc6")
    assert "what .debs need of each other is known once they have been unpacked here" in found


def test_what_debs_ask_of_the_version_of_another_is_told(world: World) -> None:
    world.write(RECIPE + '\n[tiers.tools]\nkind = "apt"\npackages = ["tool"]\n')
    assert world.build().code == 0
    assert text(world, "why", "demo.toml", "libtool").splitlines()[2:] == [
        "  because  tier tools: tool -> libtool",
        "  version  tool=1.0-1: libtool (>= 1.0)",
    ]


def test_a_package_that_is_not_there_is_suggested(world: World) -> None:
    unknown = "error: demo.lock has no package 'libb'; did you mean 'lib'?"
    world.refuses(1, "why", "demo.toml", "libb", says=[unknown])


def test_why_needs_a_fresh_lock(world: World) -> None:
    world.ask_for("app", "other")
    outcome = world.ds01("why", "demo.toml", "lib")
    assert (outcome.code, outcome.out) == (3, "")


# diff


@pytest.mark.parametrize("name", ["demo", "demo@1", "demo.lock", "demo.toml", "./demo.toml"])
def test_an_image_a_generation_a_lock_and_a_recipe_are_the_same(world: World, name: str) -> None:
    assert text(world, "diff", name, "demo@1", "--exit-code") == NOTHING
    assert text(world, "diff", "demo", name) == NOTHING


def test_two_generations_differ_by_package_and_layer(world: World) -> None:
    world.index.offer("app", "2.0", requires=["lib>=1"])
    build(world, "app>=2", "other")
    assert answer(world, "explain", "demo.toml")["generation"] == 2
    found = answer(world, "diff", "demo@1", "demo@2")
    assert (found["schema"], found["differs"]) == ("ds01.diff/1", True)
    told = {
        each["name"]: (each["change"], each["before"], each["after"]) for each in found["packages"]
    }
    assert told["app"][0] == "upgraded"
    assert told["other"][:2] == ("added", None)
    new = [each for each in found["layers"] if each["status"] == "only B"]
    assert found["bytes"]["sent"] == sum(each["size"] for each in new)
    assert all(each["diff_id"] for each in found["layers"])
    outcome = world.ds01("diff", "demo@1", "demo@2", "--exit-code")
    assert outcome.code == 3
    assert outcome.complaint == ["error: demo@1 and demo@2 differ"]
    assert "app      upgraded  1.0 -> 2.0  python" in outcome.out
    assert "  tiers.python.requests: + other" in outcome.out
    back = answer(world, "diff", "demo@2", "demo@1")
    assert {each["change"] for each in back["packages"]} == {"downgraded", "removed"}
    digest = world.images()["demo"]
    assert text(world, "diff", "demo", f"demo@{digest}") == NOTHING


def test_an_image_that_no_generation_names_is_compared_by_its_layers(world: World) -> None:
    build(world, "app", "other")
    (world.store / "roots" / "demo" / "1.json").unlink()
    old = world.built["demo"]
    found = answer(world, "diff", f"demo@{old}", "demo")
    assert [found[each]["has_lock"] for each in "ab"] == [False, True]
    assert (found["packages"], found["settings"]) == ([], [])
    assert {each["status"] for each in found["layers"]} == {"shared", "moved", "only A", "only B"}
    assert {each["tier"] for each in found["layers"]} == {"base", "python", "(state)"}
    told = text(world, "diff", f"demo@{old}", "demo")
    assert "packages are not compared: the store has no lock of one of the two" in told


def test_a_stale_recipe_is_compared_by_its_lock_and_that_is_told(world: World) -> None:
    world.ask_for("app", "other")
    outcome = world.ds01("diff", "demo", "demo.toml")
    assert (outcome.code, outcome.out) == (0, NOTHING)
    assert "demo.lock is stale, and is compared as it is; to renew it: ds01 lock demo.toml" in (
        outcome.err
    )


def test_a_difference_is_markdown_for_a_pull_request(world: World) -> None:
    shutil.copyfile(world.lock, world.lock.with_name("old.lock"))
    update(world, "app", "other")
    found = text(world, "diff", "old.lock", "demo.lock", "--format", "markdown")
    assert found.startswith("### `old.lock` → `demo.lock`\n\nPackages: 1 added. Layers: ")
    assert "\n| `other` | added |  | `1.0` | `python` |" in found


def test_diff_of_what_is_not_there_says_so(world: World) -> None:
    for arguments, says in (
        (("demo@7", "demo"), "error: demo has no generation 7; there are 1"),
        (("demo", "no.lock"), "error: 'no.lock' does not exist"),
    ):
        world.refuses(1, "diff", *arguments, says=[says])
    world.lock.unlink()
    hint = "hint:  ds01 lock demo.toml"
    world.refuses(1, "diff", "demo", "demo.toml", says=["error: demo.lock does not exist", hint])
    unknown = "error: no image is called 'dmo'; there are demo"
    world.refuses(1, "diff", "demo", "dmo", says=[unknown, "hint:  ds01 image list"])


def test_hostile_text_of_a_lock_is_shown_and_not_obeyed(world: World) -> None:
    original = world.lock.read_text(encoding="utf-8")
    assert '"app",\n' in original
    hostile = original.replace('"app",\n', '"app",\n    "|`<b>\\\\",\n', 1)
    world.write(hostile, "\x1b[31m.lock")
    found = text(world, "diff", "demo.lock", "\x1b[31m.lock")
    assert "  tiers.python.requests: + |`<b>\\\n" in found
    found = text(world, "diff", "demo.lock", "\x1b[31m.lock", "--format", "markdown")
    assert found.startswith("### `demo.lock` → <code>&#92;x1b&#91;31m&#46;lock</code>\n")
    assert "|  | <code>&#124;&#96;&#60;b&#62;&#92;</code> |" in found
    world.refuses(
        1,
        "diff",
        "demo",
        "\x1b[31m",
        says=[r"error: no image is called '\x1b[31m'; there are demo", "hint:  ds01 image list"],
    )
