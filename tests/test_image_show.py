"""``image-show``: one image in full, by name, by generation, by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import served_images as served
from images import read_lock
from served_images import Shelf
from test_image_list import build
from tools_image import tools
from world import NUMBERS

from ds01build.lock import LockedImage

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

SHOW = ("image", "show", "--no-engine")


def shown(world: World, image: str) -> Any:  # noqa: ANN401 (JSON)
    outcome = world.ds01(*SHOW, image, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.answer["schema"] == "ds01.image/1"
    return outcome.answer


@pytest.fixture
def two(world: World) -> World:
    """A world whose image has two generations, and another image with the same base."""
    world.ask_for("app", "other")
    assert world.build("--no-load").code == 0
    build(world, "second", "other")
    return world


def test_an_image_is_shown_with_what_its_tiers_ask_for_and_what_is_locked(two: World) -> None:
    found = shown(two, "demo")
    base, python = found["tiers"]
    assert (base["tier"], base["kind"], base["wheels"]) == ("base", "base", 0)
    assert base["debs"] > len(base["asked"]) > 0
    assert python["asked"] == ["app", "other"]
    assert (python["tier"], python["kind"]) == ("python", "python")
    assert (python["wheels"], python["debs"]) == (3, 0)
    assert found["recipe"] == str(two.recipe)
    assert found["stale"] is False
    assert [(each["number"], each["current"]) for each in found["history"]] == [
        (2, True),
        (1, False),
    ]


def test_a_layer_says_who_shares_it(two: World) -> None:
    layers = shown(two, "demo")["layers"]
    assert {each["tier"]: each["shared_with"] for each in layers} == {
        "base": ["second"],
        "python": [],
        "(state)": ["second"],
    }
    assert sum(each["size"] for each in layers) < shown(two, "demo")["size"]
    assert layers[0]["title"].startswith("37 packages, base-files=12.4")
    assert all(each["in_store"] for each in layers)


def test_an_earlier_generation_is_shown_by_its_number_and_by_its_digest(two: World) -> None:
    first = shown(two, "demo@1")
    assert (first["generation"], first["current"]) == (1, False)
    assert first["tiers"][1]["asked"] == ["app"]
    assert shown(two, first["digest"]) == first
    assert shown(two, first["digest"].partition(":")[2][:12]) == first
    assert shown(two, "demo")["generation"] == 2
    out = two.ds01(*SHOW, "demo@1").out
    assert out.splitlines()[0] == "demo@1"
    assert "recipe changed" in out


def test_the_screen_has_tiers_layers_and_generations(two: World) -> None:
    assert two.ds01("store", "pin", "demo@1").code == 0
    lines = two.ds01(*SHOW, "demo").out.splitlines()
    headings = [line for line in lines if line.isupper()]
    assert [line.split()[0] for line in headings] == ["TIER", "LAYER", "GENERATION"]
    assert next(line for line in lines if line.startswith("demo@1")).endswith("pinned")
    assert next(line for line in lines if line.startswith("demo@2")).endswith("current")
    assert any(line.startswith("python  python  3 wheels") for line in lines)


def test_what_is_not_there_is_said_with_what_is(two: World) -> None:
    for image in ("dmeo", "ds01-1/demo:latest", "../demo"):
        outcome = two.ds01(*SHOW, image)
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.complaint == [
            f"error: no image is called {image!r}; there are demo, second",
            "hint:  ds01 image list",
        ]
    outcome = two.ds01(*SHOW, "demo@9")
    assert outcome.complaint[0] == "error: 'demo' has no generation 9; there are 1, 2"


def test_an_image_whose_manifest_is_damaged_is_an_error_with_what_helps(two: World) -> None:
    digest = two.images()["demo"].partition(":")[2]
    blob = two.store / "blobs/sha256" / digest
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes() + b" ")
    outcome = two.ds01(*SHOW, "demo")
    assert outcome.code == 1
    assert outcome.complaint[-1] == "hint:  ds01 store verify"
    names = [
        each["name"] for each in two.ds01("image", "list", "--no-engine", "--json").answer["images"]
    ]
    assert names == ["second"]


def test_tiers_are_unknown_where_the_lock_cannot_be_read(two: World) -> None:
    digest = shown(two, "demo")["digest"]
    rows = [path.read_text() for path in (two.store / "roots/demo").iterdir()]
    lock = next(text for text in rows if digest in text).split('"lock":"sha256:')[1][:64]
    (two.store / "blobs/sha256" / lock).unlink()
    assert shown(two, "demo")["tiers"] is None


def test_an_image_over_an_image_says_by_digest_what_it_stands_on(world: World) -> None:
    shelf = Shelf(world.index.server, f"tools/{next(NUMBERS)}")
    shelf.show(served.packed([tools()]))
    world.write("of the user\n", "data")
    recipe = world.write(
        f'schema = 1\nname = "over"\n\n[base]\nimage = "{shelf.reference}"\n\n'
        '[tiers.data]\nkind = "files"\nfiles = [{ from = "data", to = "/etc/data" }]\n',
        "over.toml",
    )
    outcome = world.ds01("build", "--no-load", recipe)
    assert outcome.code == 0, outcome.err
    found = shown(world, "over")
    locked = read_lock(recipe).base
    assert isinstance(locked, LockedImage)
    assert found["base"] == {"reference": locked.reference, "digest": str(locked.manifest)}
    assert [(each["tier"], each["title"]) for each in found["layers"]] == [
        ("base", "of the base image"),
        ("data", "/etc/data"),
    ]
    assert found["tiers"][1]["files"] == 1
    assert f"{locked.reference}@{locked.manifest}" in world.ds01(*SHOW, "over").out
