"""No byte of a store can change without being found, and none that changed is believed."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest
import store_writer
from store_contract import layer_of
from store_writer import CONTENT, KEY
from test_repair import flip

from ds01build.digest import Digest, Key
from ds01build.errors import StoreError
from ds01build.store import DirStore, open_store, roots
from ds01build.store.audit import examined, verify
from ds01build.store.roots import Generation

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

pytest_plugins = ("world_fixtures",)

UID = os.geteuid()
SEED = 20261101
DOCUMENT = Key.of({"build": 1})


@pytest.fixture
def store(tmp_path: Path) -> DirStore:
    """A small store with everything in it that a store can have."""
    store_writer.write(tmp_path / "store")
    store = open_store(tmp_path / "store", uid=UID)
    store.record_document(DOCUMENT, {"schema": "x", "name": "a"})
    made = Generation(
        image=roots.generations(store.root, "a")[0].image,
        lock=store.put(b"a lock"),
        recipe=store.put(b"a recipe"),
        place="/home/a.toml",
        created="2026-11-01T12:00:00Z",
    )
    roots.append(store.root, "a", made)
    assert list(verify(store)) == []
    return store


def what_is_believed(store: DirStore) -> dict[str, object]:
    """Return all that a build would take a store's word for; None or nothing where it is absent."""
    return {
        "layer": store.layer(KEY),
        "document": store.document(DOCUMENT),
        "names": {tag.name: tag.manifest for tag in store.tags()},
        "generations": roots.generations(store.root, "a"),
    }


def check_believed(store: DirStore, before: dict[str, object], where: str) -> None:
    now = what_is_believed(store)
    for name, absent in (("layer", None), ("document", None), ("names", {})):
        assert now[name] in (before[name], absent), (where, name)
    known = before["generations"]
    assert isinstance(known, tuple)
    assert set(now["generations"]) <= set(known), where  # type: ignore[call-overload]


def changed(path: Path, place: int, byte: int) -> bytes:
    """Change a byte and nothing else that shows; return what the file had in it."""
    whole, mode = path.read_bytes(), path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(b"%b%c%b" % (whole[:place], byte, whole[place + 1 :]))
    path.chmod(mode)
    return whole


def restore(path: Path, whole: bytes) -> None:
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(whole)
    path.chmod(mode)


def is_found(store: DirStore, path: Path) -> bool:
    """Say whether verify names the file, or the store is refused because of it."""
    try:
        looked = examined(store.root, uid=UID)
    except StoreError as error:
        return path.name == "version" and "has format" in str(error)
    where = path.relative_to(store.root).as_posix()
    return where in {finding.path for finding in verify(looked, threads=1)}


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_every_byte_of_the_metadata_that_changes_is_found_and_not_believed(
    store: DirStore, step: int
) -> None:
    layer = store.path(Digest.of(CONTENT))
    files = [path for path in store.root.rglob("*") if path.is_file() and path != layer]
    assert len(files) >= 10
    before = what_is_believed(store)
    chosen = random.Random(SEED)
    tried = 0
    for path in files:
        content = path.read_bytes()
        for place in range(tried % step, len(content), step):
            byte = content[place]
            other = byte ^ chosen.randrange(1, 256)
            whole = changed(path, place, other)
            where = f"{path.name}: byte {place} is {other}"
            assert is_found(store, path), where
            check_believed(store, before, where)
            restore(path, whole)
            tried += 1
    assert tried > 2300 // step
    assert list(verify(store)) == []


def test_every_file_that_is_cut_emptied_or_longer_is_found(store: DirStore) -> None:
    before = what_is_believed(store)
    for path in [path for path in store.root.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        for content in (whole[:-1], whole[1:], whole + b"\n", b"", bytes(len(whole))):
            restore(path, content)
            assert is_found(store, path), (path.name, len(content))
            check_believed(store, before, path.name)
            restore(path, whole)
    assert list(verify(store)) == []


def test_every_file_that_is_gone_is_missed(store: DirStore) -> None:
    key = store.root / "keys"
    for path in [path for path in store.root.rglob("*") if path.is_file()]:
        if key in path.parents or path.parent.parent.name == "roots":
            continue  # what is not known is made again, and nothing says how many there were
        if path.name == "index.copy":
            continue  # made again whenever the store is opened
        whole, mode = path.read_bytes(), path.stat().st_mode
        path.unlink()
        assert list(verify(examined(store.root, uid=UID))), path.name
        path.write_bytes(whole)
        path.chmod(mode)
    assert list(verify(store)) == []


@pytest.mark.parametrize("count", [50, pytest.param(500, marks=pytest.mark.slow)])
def test_random_bits_of_layers_that_flip_are_found(
    world: World, tmp_path: Path, count: int
) -> None:
    shutil.copytree(world.store, tmp_path / "copy")
    store = open_store(tmp_path / "copy", uid=UID)
    layers = [path for path in store.path(Digest.of(b"")).parent.iterdir() if is_layer(path)]
    assert len(layers) == 3
    chosen = random.Random(SEED)
    for _ in range(count):
        path = chosen.choice(layers)
        whole = path.read_bytes()
        place, bit = chosen.randrange(len(whole)), 1 << chosen.randrange(8)
        changed(path, place, whole[place] ^ bit)
        assert is_found(store, path), (path.name, place, bit)
        restore(path, whole)
    flip(layers[0])
    flip(layers[0])
    assert list(verify(store)) == []


def is_layer(path: Path) -> bool:
    return path.read_bytes()[:2] == b"\x1f\x8b"


def test_the_layer_of_a_believed_row_is_there(store: DirStore) -> None:
    assert what_is_believed(store)["layer"] == layer_of(CONTENT)
