"""A damaged store is put right: from its roots, the index, the archive and the locks of images."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from servers import status
from straced import ds01, killed, needs_strace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

REPAIR = ("store", "verify", "--repair")


def flip(path: Path, place: int = -1) -> None:
    """Change one bit of a file, and nothing else that shows."""
    content, mode = bytearray(path.read_bytes()), path.stat().st_mode
    content[place if place >= 0 else len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(mode)


def cut(path: Path) -> None:
    mode = path.stat().st_mode
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size // 2)
    path.chmod(mode)


def remove(path: Path) -> None:
    path.unlink()


DAMAGES = (flip, cut, remove)


def blobs(world: World) -> list[Path]:
    return sorted((world.store / "blobs" / "sha256").iterdir())


def state(world: World) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of each file of the store that a repair has to bring back."""
    left_out = ("facts", "quarantine", "logs", "tmp", "locks", "leases")
    files = [path for path in world.store.rglob("*") if path.is_file()]
    names = {path.relative_to(world.store).as_posix(): path for path in files}
    return {
        name: (path.stat().st_mode, path.read_bytes())
        for name, path in names.items()
        if name.partition("/")[0] not in left_out
    }


def repaired(world: World) -> Outcome:
    """Repair the store, which must succeed, and check that it is as good as new."""
    outcome = world.ds01(*REPAIR)
    assert (outcome.code, "Traceback" in outcome.err) == (0, False), outcome.out + outcome.err
    assert world.verified() == ""
    assert world.images() == world.built
    return outcome


@pytest.mark.parametrize("damage", DAMAGES)
def test_all_blobs_at_once_are_put_right(world: World, damage: Callable[[Path], None]) -> None:
    before = state(world)
    for path in blobs(world):
        damage(path)
    assert world.ds01("store", "verify").code == 3
    outcome = repaired(world)
    assert outcome.out.count("repaired: ") >= 6
    after = state(world)
    # Nothing needs what was kept to make layers of: only where bytes were bad it is fetched again.
    lost = {name for name in before.keys() - after.keys() if not name.startswith("keys/")}
    assert not lost or damage is remove
    assert {name: after[name] for name in after} == {name: before[name] for name in after}


def test_bad_bytes_are_kept_in_quarantine(world: World) -> None:
    layer = max(blobs(world), key=lambda path: path.stat().st_size)
    flip(layer)
    bad = layer.read_bytes()
    repaired(world)
    assert (world.store / "quarantine" / layer.name).read_bytes() == bad
    assert layer.read_bytes() != bad


@pytest.mark.parametrize("name", ["index.json", "version", "oci-layout"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_files_of_a_store_are_written_again(
    world: World, name: str, damage: Callable[[Path], None]
) -> None:
    before = state(world)
    damage(world.store / name)
    assert world.ds01("store", "verify").code == 3
    repaired(world)
    assert state(world) == before


def test_all_metadata_at_once_is_put_right_from_the_roots(world: World) -> None:
    rows = list((world.store / "keys").rglob("*.json"))
    for path in [*rows, *(world.store / name for name in ("index.json", "version", "oci-layout"))]:
        cut(path)
    repaired(world)
    assert world.ds01("image", "list", "--json").answer["images"][0]["generation"] == 1
    outcome = world.build()  # the layers are made again, to the same digests
    assert (outcome.code, world.images()) == (0, world.built), outcome.err


@pytest.mark.parametrize("place", [0, 40, -2])
def test_a_generation_with_one_wrong_byte_is_put_right(world: World, place: int) -> None:
    path = world.store / "roots" / "demo" / "1.json"
    whole = path.read_bytes()
    flip(path, place % len(whole))
    repaired(world)
    assert path.read_bytes() == whole


def test_a_generation_that_was_cut_short_goes_and_its_image_stays(world: World) -> None:
    cut(world.store / "roots" / "demo" / "1.json")
    repaired(world)
    assert not (world.store / "roots" / "demo" / "1.json").exists()
    assert (world.store / "quarantine" / "1.json").exists()


def test_what_is_foreign_is_moved_and_never_deleted(world: World) -> None:
    (world.store / "thesis.doc").write_text("text")
    (world.store / "blobs" / "sha256" / "more").mkdir()
    (world.store / "blobs" / "sha256" / "more" / "text").write_text("2")
    (world.store / "keys" / "x.json").write_text("3")
    (world.store / "tmp" / "y").mkdir()
    repaired(world)
    found = {path.name for path in (world.store / "quarantine").iterdir()}
    assert found == {"thesis.doc", "more", "x.json", "y"}
    assert (world.store / "quarantine" / "more" / "text").read_text() == "2"


def test_modes_are_put_right(world: World) -> None:
    before = state(world)
    row = next((world.store / "keys").rglob("*.json"))
    generation = world.store / "roots" / "demo" / "1.json"
    for path in (row, row.parent, generation, generation.parent, world.store / "index.json"):
        path.chmod(0o777)
    blobs(world)[0].chmod(0o644)
    outcome = world.ds01("store", "verify")
    assert (outcome.code, len(outcome.out.splitlines())) == (3, 6), outcome.out
    repaired(world)
    assert state(world) == before
    assert row.parent.stat().st_mode & 0o777 == 0o700


def test_a_missing_directory_is_made_and_filled_again(world: World) -> None:
    shutil.rmtree(world.store / "blobs")
    shutil.rmtree(world.store / "keys")
    repaired(world)


def test_a_dry_run_says_what_a_repair_would_do_and_changes_nothing(world: World) -> None:
    flip(blobs(world)[0])
    (world.store / "thesis.doc").write_text("text")
    before = state(world)
    outcome = world.ds01(*REPAIR, "--dry-run")
    assert outcome.code == 3
    assert "thesis.doc: foreign: not part of a store; moved to quarantine" in outcome.out
    assert state(world) == before
    assert world.ds01("store", "verify", "--dry-run").code == 2
    answer = world.ds01(*REPAIR, "--json").answer
    assert (answer["schema"], answer["findings"]) == ("ds01.verified/2", [])
    assert {"path", "kind", "problem", "remedy"} == answer["repaired"][0].keys()
    assert [row["path"] for row in answer["quarantined"]] == ["thesis.doc"]


def second(world: World) -> dict[str, str]:
    """Build another image with a package that only this world's index has."""
    world.index.offer("rare")
    world.ask_for("app", "rare")
    assert world.build().code == 0
    found: dict[str, str] = json.loads((world.store / "roots" / "demo" / "2.json").read_bytes())
    return found


def blob(world: World, digest: str) -> Path:
    return world.store / "blobs" / "sha256" / digest.partition(":")[2]


def test_what_cannot_be_repaired_is_said_with_what_to_do(world: World) -> None:
    generation = second(world)
    world.ask_for("app", "other")  # another recipe, and another lock, where they were
    assert world.ds01("lock", "demo.toml").code == 0
    for digest in (generation["lock"], generation["image"]):
        blob(world, digest).unlink()
    outcome = world.ds01(*REPAIR)
    assert outcome.code == 3
    left = [line for line in outcome.out.splitlines() if not line.startswith("repaired: ")]
    assert left == [
        f"roots/demo/2.json: missing: no lock {generation['lock']}",
        f"roots/demo/2.json: missing: no manifest {generation['image']}",
    ]
    said = "not repaired: generation 2 of demo: the lock of generation 2 of demo is lost"
    assert f"{said} (ds01 build {world.recipe})" in outcome.err.splitlines()
    assert (world.store / "roots" / "demo" / "2.json").exists()
    assert world.ds01(*REPAIR).code == 3  # again, to the same end
    assert world.images()["demo"] == world.built["demo"]


def test_a_lost_recipe_is_named_with_the_way_to_be_rid_of_it(world: World) -> None:
    assert world.build().code == 0  # which is when this world's own recipe is remembered
    (generation,) = (world.store / "roots/demo").glob("*.json")
    recipe = json.loads(generation.read_bytes())["recipe"]
    (world.store / "blobs/sha256" / recipe.removeprefix("sha256:")).unlink()
    world.write(f"{world.recipe.read_text()}# another by now\n")
    outcome = world.ds01(*REPAIR)
    assert outcome.code == 3
    way = f"ds01 build {world.recipe} && ds01 store gc --keep 1"
    told = "the recipe of generation 1 of demo is lost, and where it lay there is another"
    assert f"not repaired: {told}; the image is whole ({way})" in outcome.err.splitlines()
    assert world.ds01("build", "--upgrade", world.recipe).code == 0
    assert world.ds01("store", "gc", "--keep", "1").code == 0
    assert world.verified() == ""


def test_a_wheel_that_nobody_has_any_more_is_named(world: World) -> None:
    second(world)
    for path in blobs(world):
        if path.read_bytes()[:2] in (b"\x1f\x8b", b"PK"):
            path.unlink()
    world.index.route("files/rare-1.0-py3-none-any.whl", status(404, {}))
    outcome = world.ds01(*REPAIR)
    assert outcome.code == 3, outcome.err
    why = "no package index offers the locked file of rare==1.0 any more"
    assert f"not repaired: generation 2 of demo: {why}" in outcome.err
    assert "Traceback" not in outcome.err
    answer = world.ds01(*REPAIR, "--json").answer
    assert len(answer["findings"]) == 1  # all else is there again
    assert answer["reasons"][0]["problem"] == f"generation 2 of demo: {why}"
    assert answer["reasons"][0]["hint"].startswith("ds01 lock --upgrade-package rare ")


@needs_strace
@pytest.mark.parametrize(("call", "number"), [("rename", 3), ("rename", 40), ("fsync", 60)])
def test_a_repair_that_is_killed_loses_nothing(world: World, call: str, number: int) -> None:
    before = state(world)
    for path in blobs(world):
        flip(path)
    flip(world.store / "index.json")
    repair = ds01(*REPAIR, cwd=world.recipe.parent, environment=world.environment)
    assert killed(repair, world.root / "strace.log", call, number)
    repaired(world)
    after = state(world)
    assert {name: after[name] for name in after} == {name: before[name] for name in after}


def test_what_of_an_index_nobody_knows_any_more_is_said(world: World) -> None:
    index = world.store / "index.json"
    whole = index.read_bytes()
    flip(index, 100)
    (world.store / "index.copy").unlink()  # an earlier ds01 made none
    outcome = repaired(world)
    told = "which generation a name stood for, which were pinned, and what other tools named"
    assert f"lost: index.json: {told}" in outcome.out.splitlines()
    assert outcome.err.splitlines()[-1] == "the store is whole, but for what is lost"
    index.write_bytes(b"{" + whole)  # perhaps of another tool
    answer = world.ds01(*REPAIR, "--json").answer
    told = "what other tools have named since ds01 wrote it last"
    assert answer["lost"] == [f"index.json: {told}"]
    flip(index, 100)
    outcome = repaired(world)
    assert "lost" not in outcome.out + outcome.err
    assert index.read_bytes() == whole


def test_a_generation_that_cannot_be_put_right_is_not_called_repaired(world: World) -> None:
    second(world)
    path = world.store / "roots" / "demo" / "2.json"
    for place in (20, 30):
        flip(path, place)
    outcome = world.ds01(*REPAIR)
    assert outcome.code == 0
    moved = "roots/demo/2.json: corrupt: not a generation that ds01 wrote"
    assert outcome.out.splitlines() == [
        f"moved to quarantine: {moved}",
        "lost: generation 2 of demo; what it came to stays while a name stands for it",
    ]
    assert outcome.err.splitlines()[-1] == "the store is whole, but for what is lost"


def test_a_blob_that_nobody_can_bring_back_is_not_called_repaired(world: World) -> None:
    layer = blob(world, json.loads(world.blob(second(world)["image"]))["layers"][-2]["digest"])
    world.index.route("files/rare-1.0-py3-none-any.whl", status(404, {}))
    for path in blobs(world):
        if path == layer:
            flip(path)
        elif path.read_bytes()[:2] == b"PK":
            path.unlink()
    outcome = world.ds01(*REPAIR)
    assert outcome.code == 3
    said = [line for line in outcome.out.splitlines() if f"blobs/sha256/{layer.name}" in line]
    assert [line.partition(":")[0] for line in said] == ["moved to quarantine"], outcome.out
    assert f"no sha256:{layer.name}" in outcome.out
