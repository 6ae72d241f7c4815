"""A change to a recipe fetches and writes what it touches, and nothing else.

What a build says of itself is compared with the blobs that have come into the store.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import tomli
import tomli_w
from images import actions, read_lock, total, written

from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from images import Answer, Gallery, Shipped

    from ds01build.lock import Lock
    from ds01build.pin import DebPin, WheelPin

    Change = Callable[[dict[str, Any]], None]

pytestmark = pytest.mark.network


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A build of a changed recipe; ``new`` are the blobs that the store has since, by digest."""

    recipe: Path
    lock: Lock
    answer: Answer
    new: dict[str, int]

    def pins_but(self, lock: Lock) -> list[WheelPin | DebPin]:
        """Return what this lock names and ``lock`` does not."""
        return [*set(self.lock.wheels) - set(lock.wheels), *set(self.lock.debs) - set(lock.debs)]


@pytest.fixture(scope="module")
def image(gallery: Gallery) -> Shipped:
    return gallery.built("quickstart")


def change(image: Shipped, gallery: Gallery, edit: Change) -> Changed:
    """Build a copy of ``image``'s recipe, with its lock, after ``edit``."""
    recipe = gallery.copy("quickstart")
    tables = tomli.loads(recipe.read_text())
    edit(tables)
    recipe.write_text(tomli_w.dumps(tables))
    shutil.copyfile(lock_path(image.recipe), lock_path(recipe))
    before = image.place.blobs()
    answer = image.place.build(recipe)
    after = image.place.blobs()
    assert before.items() <= after.items(), "a change must take nothing away"
    return Changed(
        recipe=recipe,
        lock=read_lock(recipe),
        answer=answer,
        new={digest: after[digest] for digest in set(after) - set(before)},
    )


def check(changed: Changed, image: Shipped, tiers: list[str]) -> list[WheelPin | DebPin]:
    """Check that one layer of each of ``tiers`` was written, and return the pins that are new."""
    layers = written(changed.answer)
    assert sorted(layer["tier"] for layer in layers) == sorted(tiers)
    assert actions(changed.answer) == {"reused", "written"}
    pins = changed.pins_but(image.lock)
    assert changed.answer["bytes"]["downloaded"] == total(pins)
    assert changed.answer["bytes"]["written"] == sum(layer["size"] for layer in layers)
    documents = 4  # manifest, configuration, lock, recipe
    of_layers = {layer["digest"]: layer["size"] for layer in layers}
    of_pins = {str(pin.digest): pin.size for pin in pins}
    assert of_layers.items() <= changed.new.items()
    rest = set(changed.new) - set(of_layers)
    assert len(rest - set(of_pins)) == documents
    return pins


def holder(lock: Lock, kind: str, name: str) -> tuple[str, ...]:
    """Return the names that share a layer with ``name``."""
    (names,) = (layer.names for layer in lock.layers if layer.kind == kind and name in layer.names)
    return names


def test_a_small_package_more_writes_a_layer_of_its_own(image: Shipped, gallery: Gallery) -> None:
    def edit(tables: dict[str, Any]) -> None:
        tables["tiers"]["data-science"]["packages"].append("toolz")

    changed = change(image, gallery, edit)
    (pin,) = check(changed, image, ["data-science"])
    assert pin.name == "toolz"
    (layer,) = written(changed.answer)
    assert holder(changed.lock, "wheels", "toolz") == ("toolz",)
    assert layer == changed.answer["layers"][-2], "on top of what is unchanged, below the state"
    assert layer["size"] < 1.1 * pin.size


def test_another_version_of_a_large_package_writes_its_own_layer(
    image: Shipped, gallery: Gallery
) -> None:
    (had,) = (pin for pin in image.lock.wheels if pin.name == "matplotlib")

    def edit(tables: dict[str, Any]) -> None:
        packages = tables["tiers"]["data-science"]["packages"]
        packages[packages.index("matplotlib")] = f"matplotlib<{had.version}"

    changed = change(image, gallery, edit)
    (pin,) = check(changed, image, ["data-science"])
    assert (pin.name, pin.version != had.version) == ("matplotlib", True)
    assert holder(changed.lock, "wheels", "matplotlib") == ("matplotlib",)
    (layer,) = written(changed.answer)
    assert layer == changed.answer["layers"][-2], "on top of what is unchanged, below the state"
    assert str(pin.digest) not in changed.new, "its layer holds these bytes now"


def test_one_more_deb_touches_no_python_layer(image: Shipped, gallery: Gallery) -> None:
    def edit(tables: dict[str, Any]) -> None:
        tables["tiers"]["system"]["packages"] = ["tree"]

    changed = change(image, gallery, edit)
    (pin,) = check(changed, image, ["system", "(state)"])
    assert pin.name == "tree"
    assert "tree" in holder(changed.lock, "debs", "tree")


def test_another_name_of_a_tier_writes_no_layer(image: Shipped, gallery: Gallery) -> None:
    def edit(tables: dict[str, Any]) -> None:
        tables["tiers"] = {
            "plots" if name == "data-science" else name: tier
            for name, tier in tables["tiers"].items()
        }

    changed = change(image, gallery, edit)
    assert "plots" in {layer["tier"] for layer in changed.answer["layers"]}
    assert_nothing_but_documents(changed)


def test_another_order_of_tiers_and_packages_writes_no_layer(
    image: Shipped, gallery: Gallery
) -> None:
    def edit(tables: dict[str, Any]) -> None:
        tables["tiers"]["data-science"]["packages"].reverse()
        tables["tiers"] = dict(reversed(tables["tiers"].items()))

    assert_nothing_but_documents(change(image, gallery, edit))


def test_a_second_build_writes_and_downloads_nothing(image: Shipped) -> None:
    before = image.place.blobs()
    answer = image.place.build(image.recipe)
    assert actions(answer) == {"reused"}
    assert answer["bytes"] == {"downloaded": 0, "written": 0, "sent": 0}
    assert answer["image"] == image.answer["image"]
    assert image.place.blobs() == before


def assert_nothing_but_documents(changed: Changed) -> None:
    assert actions(changed.answer) == {"reused"}
    assert changed.answer["bytes"] == {"downloaded": 0, "written": 0, "sent": 0}
    assert len(changed.new) <= 4, "manifest, configuration, lock and recipe"
