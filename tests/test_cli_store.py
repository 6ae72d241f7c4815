"""Stores that are full, read-only, shared, foreign or damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from test_repair import flip
from wheels import File

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from world import World

pytest_plugins = ("world_fixtures",)

BUILD = ("build", "demo.toml")
WHY = "who could change what your builds use"
ELSEWHERE = "hint:  DS01_STORE=DIRECTORY selects another place"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount and give away")


@pytest.fixture
def disk(world: World) -> Iterator[Path]:
    """A file system of its own, of 64 MiB until a test says otherwise."""
    directory = world.root / "disk"
    directory.mkdir(mode=0o700)
    mount("-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", directory)
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def moved(world: World, disk: Path) -> World:
    """Return the world with its store on ``disk``."""
    shutil.copytree(world.store, disk / "store", symlinks=True)
    shutil.rmtree(world.store)
    world.store.symlink_to(disk / "store")
    return world


@needs_root
@pytest.mark.parametrize("room", [0, 96, 352])
def test_a_disk_that_fills_up_loses_nothing_and_works_once_there_is_room(
    world: World, disk: Path, room: int
) -> None:
    world.index.offer("large", "1.0", File(name=b"large.bin", content=os.urandom(200_000)))
    world.ask_for("app", "large")
    assert world.ds01("lock", "demo.toml").code == 0
    world = moved(world, disk)
    status = os.statvfs(disk)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize // 1024
    mount("-o", f"remount,size={used + room}k", disk)
    outcome = world.ds01(*BUILD)
    if outcome.code != 0:
        assert outcome.code == 1, outcome.err
        said = ("the file system is full", "disk is full", "the build needs about")
        assert any(words in outcome.complaint[0] for words in said), outcome.err
        assert outcome.out == ""
        assert world.images() == world.built
    mount("-o", "remount,size=64m", disk)
    assert world.build().code == 0
    assert world.verified() == ""


@needs_root
def test_a_disk_without_room_for_the_plan_is_refused_before_anything_is_fetched(
    world: World, disk: Path
) -> None:
    world.index.offer("large", "1.0", File(name=b"large.bin", content=os.urandom(3_000_000)))
    world.ask_for("app", "large")
    assert world.ds01("lock", "demo.toml").code == 0
    world = moved(world, disk)
    mount("-o", "remount,size=2m", disk)
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0].startswith("error: the build needs about ")
    assert outcome.complaint[1:] == [ELSEWHERE]
    assert world.index.fetched("large-1.0-py3-none-any.whl") == 0


@needs_root
def test_a_read_only_store_is_refused(world: World, disk: Path) -> None:
    world = moved(world, disk)
    mount("-o", "remount,ro", disk)
    world.ask_for("app", "other")
    world.refuses(1, *BUILD, says=[f"error: the store {disk}/store is read-only", ELSEWHERE])


@pytest.mark.parametrize("part", ["", "blobs/sha256", "facts"])
def test_a_store_that_others_can_write_is_refused(world: World, part: str) -> None:
    directory = world.store / part
    directory.chmod(0o777)
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert world.images() == world.built
    assert outcome.complaint == [
        f"error: {directory} can be written by others (mode 0777), {WHY}",
        f"hint:  chmod go-w {directory}",
    ]


@needs_root
def test_a_store_of_another_user_is_refused(world: World) -> None:
    os.chown(world.store, 12345, 12345)
    world.refuses(
        1,
        *BUILD,
        says=[f"error: {world.store} belongs to uid 12345, not to you (uid 0)", ELSEWHERE],
    )


def test_a_directory_that_is_no_store_is_refused(world: World) -> None:
    foreign = world.root / "foreign"
    foreign.mkdir(mode=0o700)
    (foreign / "thesis.doc").write_text("text")
    elsewhere = replace(world, variables={"DS01_STORE": str(foreign)})
    outcome = elsewhere.ds01(*BUILD)
    assert outcome.code == 1
    assert outcome.complaint == [
        f"error: {foreign} is not a store: it holds 'thesis.doc'",
        ELSEWHERE,
    ]
    assert [path.name for path in foreign.iterdir()] == ["thesis.doc"]


def test_a_damaged_layer_is_found_and_a_missing_one_made_anew(world: World) -> None:
    manifest = world.built["demo"].partition(":")[2]
    layers = [
        path
        for path in (world.store / "blobs" / "sha256").iterdir()
        if path.read_bytes()[:2] == b"\x1f\x8b" and path.name != manifest
    ]
    layer = min(layers)
    layer.chmod(0o600)
    layer.write_bytes(layer.read_bytes()[:-1] + b"!")
    outcome = world.ds01("store", "verify")
    assert outcome.code == 3
    assert f"blobs/sha256/{layer.name}: corrupt: " in outcome.out
    layer.unlink()
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    assert world.images() == world.built
    assert world.verified() == ""


@pytest.mark.parametrize("damage", [b"", b"[]"])
def test_an_image_with_a_damaged_manifest_is_no_bug(world: World, damage: bytes) -> None:
    manifest = world.store / "blobs" / "sha256" / world.built["demo"].partition(":")[2]
    whole = manifest.read_bytes()
    manifest.chmod(0o600)
    manifest.write_bytes(damage.ljust(len(whole)) if damage else damage)
    listed = world.ds01("image", "list", "--json")
    assert listed.code == 0, listed.err
    assert listed.answer["images"] == []
    exported = world.ds01("image", "export", "demo", "--oci-archive", "demo.tar")
    assert exported.code == 1, exported.err
    assert not (world.recipe.parent / "demo.tar").exists()
    assert world.ds01("store", "verify").code == 3


@pytest.mark.parametrize("name", ["index.json", "facts/cache.db", "version"])
def test_a_damaged_file_of_the_store_is_no_bug(world: World, name: str) -> None:
    (world.store / name).write_bytes(b"\0garbage")
    world.ask_for("app", "other")
    outcome = world.ds01(*BUILD)
    assert "bug" not in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.code in {0, 1}, outcome.err


def test_without_the_whole_store_the_lock_gives_the_same_image(world: World) -> None:
    shutil.rmtree(world.store)
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    assert world.images() == world.built


@pytest.mark.parametrize("part", [0.3, 0.9])
@pytest.mark.parametrize("how", [["--docker-archive"], ["--recompress", "--oci-archive"]])
def test_a_damaged_layer_is_named_by_an_export_that_unpacks_it(
    world: World, how: list[str], part: float
) -> None:
    layer = json.loads(world.blob(world.built["demo"]))["layers"][-1]["digest"]
    blob = world.store / "blobs/sha256" / layer.partition(":")[2]
    flip(blob, int(part * blob.stat().st_size))
    outcome = world.ds01("image", "export", "demo", *how, "demo.tar")
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0].startswith(f"error: layer {layer}: is damaged: ")
    assert outcome.complaint[1:] == ["hint:  ds01 store verify --repair"]
    assert {path.name for path in world.recipe.parent.iterdir()} == {"demo.toml", "demo.lock"}


def test_a_directory_in_the_place_of_a_layer_is_told_with_what_mends_it(world: World) -> None:
    layer = json.loads(world.blob(world.built["demo"]))["layers"][-1]["digest"]
    blob = world.store / "blobs/sha256" / layer.partition(":")[2]
    size = blob.stat().st_size
    blob.unlink()
    blob.mkdir()
    outcome = world.build()
    assert outcome.code == 1, outcome.err
    assert outcome.complaint == [
        f"error: cannot write {blob} ({size} bytes): is a directory",
        "hint:  ds01 store verify --repair",
    ]
    world.ds01("store", "verify", "--repair")
    assert world.build().code == 0
    assert world.images() == world.built


@pytest.mark.parametrize("name", ["nosuch", "sha256:" + "0" * 64])
def test_an_unknown_image_is_named(world: World, name: str) -> None:
    outcome = world.ds01("image", "export", name, "--oci-archive", "x.tar")
    assert outcome.code == 1, outcome.err
    assert len(outcome.complaint) <= 2
    assert name[:20] in outcome.complaint[0]
    assert not (world.recipe.parent / "x.tar").exists()
