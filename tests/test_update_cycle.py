"""With real packages: an update changes one pin and one layer, and its inverse takes it back."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from images import actions, read_lock, written

from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from pathlib import Path

    from images import Answer, Gallery, Shipped

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def image(gallery: Gallery) -> Shipped:
    return gallery.built("quickstart")


@pytest.fixture
def recipe(image: Shipped, gallery: Gallery) -> Path:
    """A copy of the recipe, with the lock that the image was built from."""
    copy = gallery.copy("quickstart")
    shutil.copyfile(lock_path(image.recipe), lock_path(copy))
    return copy


def built(image: Shipped, *words: str | Path) -> Answer:
    """Run a command that builds, and return what it says of the build."""
    ended = image.place.ds01(*words, "--json", "--quiet")
    assert ended.code == 0, ended.err
    answer: Answer = ended.answer["built"]
    return answer


@pytest.mark.parametrize(
    ("tier", "package"), [("jupyter", "sortedcontainers"), ("data-science", "blinker")]
)
def test_an_update_and_its_inverse_return_to_the_same_image(
    image: Shipped, recipe: Path, tier: str, package: str
) -> None:
    was = lock_path(recipe).read_bytes()
    added = built(image, "add", recipe, "--tier", tier, package, "--build")
    lock = read_lock(recipe)
    (pin,) = set(lock.wheels) - set(image.lock.wheels)
    assert set(image.lock.wheels) < set(lock.wheels)
    assert lock.debs == image.lock.debs
    assert (pin.name, pin.tier) == (package, tier)
    assert lock.layers[:-1] == image.lock.layers
    assert (lock.layers[-1].tier, lock.layers[-1].names) == (tier, (package,))
    (layer,) = written(added)
    assert layer["tier"] == tier
    removed = built(image, "remove", recipe, package, "--build")
    assert actions(removed) == {"reused"}
    reordered = image.place.ds01("lock", "--reorder", recipe)
    assert reordered.code == 0, reordered.err
    again = image.place.build(recipe)
    assert again["image"]["digest"] == image.digest
    assert lock_path(recipe).read_bytes() == was


def test_a_version_is_kept_until_it_is_upgraded_by_name(image: Shipped, recipe: Path) -> None:
    (had,) = (pin for pin in image.lock.wheels if pin.name == "pandas")
    pinned = built(image, "add", recipe, f"pandas<{had.version}", "--build")
    assert written(pinned)
    back = built(image, "add", recipe, "pandas", "--build")
    assert actions(back) == {"reused"}, "versions are kept"
    older = read_lock(recipe)
    assert next(pin for pin in older.wheels if pin.name == "pandas").version != had.version
    built(image, "upgrade", recipe, "pandas", "--build")
    newest = next(pin for pin in read_lock(recipe).wheels if pin.name == "pandas")
    assert newest.version >= had.version
    assert {pin for pin in older.wheels if pin.name != "pandas"} <= set(read_lock(recipe).wheels)
