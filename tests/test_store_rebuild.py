"""What is lost from a store is made again from the lock, and what is damaged is found."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from images import Place, actions, total, written

from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from pathlib import Path

    from images import Gallery, Shipped

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def image(gallery: Gallery) -> Shipped:
    return gallery.built("slim")


@pytest.fixture
def place(image: Shipped, gallery: Gallery) -> Place:
    """A copy of the session's store, with the image in it, that a test may damage."""
    place = Place(root=gallery.directory())
    place.home.mkdir()
    wanted = {
        image.digest,
        image.answer["image"]["config_digest"],
        *(layer["digest"] for layer in image.answer["layers"]),
        *image.pins,
    }
    shutil.copytree(
        image.place.store,
        place.store,
        ignore=lambda directory, names: [
            name
            for name in names
            if directory.endswith("blobs/sha256") and f"sha256:{name}" not in wanted
        ],
    )
    return place


def test_a_lost_store_is_built_again_to_the_same_digest(place: Place, image: Shipped) -> None:
    shutil.rmtree(place.store)
    shutil.rmtree(place.home)
    answer = place.build(image.recipe, "--locked")
    assert answer["bytes"]["downloaded"] == total(image.pins.values())
    assert actions(answer) == {"written"}
    assert answer["image"]["digest"] == image.digest
    layers = {layer["digest"] for layer in answer["layers"]}
    documents = {answer["image"]["digest"], answer["image"]["config_digest"]}
    kept = set(place.blobs()) - layers - documents - set(image.pins)
    assert {place.path(digest).read_bytes() for digest in kept} == {
        lock_path(image.recipe).read_bytes(),
        image.recipe.read_bytes(),
    }


@pytest.mark.parametrize("tier", ["base", "python", "(state)"])
def test_a_lost_layer_is_made_again_alone(tier: str, place: Place, image: Shipped) -> None:
    lost = next(layer for layer in image.answer["layers"] if layer["tier"] == tier)
    place.path(lost["digest"]).unlink()
    answer = place.build(image.recipe, "--locked")
    assert [layer["digest"] for layer in written(answer)] == [lost["digest"]]
    assert answer["bytes"] == {"downloaded": 0, "written": lost["size"], "sent": 0}
    assert answer["image"]["digest"] == image.digest
    assert place.path(lost["digest"]).stat().st_size == lost["size"]


@pytest.mark.parametrize("document", ["digest", "config_digest"])
def test_a_lost_document_is_written_again(document: str, place: Place, image: Shipped) -> None:
    lost = place.path(image.answer["image"][document])
    before = lost.read_bytes()
    lost.unlink()
    answer = place.build(image.recipe, "--locked")
    assert answer["image"]["digest"] == image.digest
    assert answer["bytes"] == {"downloaded": 0, "written": 0, "sent": 0}
    assert lost.read_bytes() == before


def test_a_flipped_byte_is_found(place: Place, image: Shipped) -> None:
    layer = place.path(image.answer["layers"][0]["digest"])
    flip(layer)
    ended = place.ds01("store", "verify")
    assert ended.code == 3
    assert [line for line in ended.out.splitlines() if layer.name in line], ended.out
    assert "Traceback" not in ended.err
    report = place.ds01("store", "verify", "--json")
    assert report.code == 3
    assert f"blobs/sha256/{layer.name}" in {row["path"] for row in report.answer["findings"]}


def flip(path: Path) -> None:
    """Change one bit in the middle of a file, and nothing else that shows."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(0o444)
