"""A recipe is built again from nothing, and what differs from the store is named."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from test_repair import flip

from ds01build.digest import DiffId, Digest, Key
from ds01build.layer import Layer
from ds01build.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import World

    from ds01build.store import DirStore

pytest_plugins = ("world_fixtures",)


def opened(world: World) -> DirStore:
    return open_store(world.store, uid=world.store.stat().st_uid)


def python_layer(world: World) -> tuple[Key, Layer]:
    """Return the key of the layer of wheels, and that layer."""
    for path in (world.store / "keys").rglob("*.json"):
        row = json.loads(path.read_bytes())
        if row.get("inputs", {}).get("kind") == "wheels":
            layer = row["layer"]
            made = Layer(
                digest=Digest(layer["digest"]),
                diff_id=DiffId(layer["diff_id"]),
                size=layer["size"],
            )
            return Key(row["key"]), made
    pytest.fail("no layer of wheels")


def replaced(world: World, change: Callable[[tarfile.TarInfo, bytes], bytes | None]) -> None:
    """Let the key of the layer of wheels stand for another, whose members are changed."""
    store = opened(world)
    key, layer = python_layer(world)
    plain = gzip.decompress(store.path(layer.digest).read_bytes())
    other = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(plain)) as old,
        tarfile.open(fileobj=other, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in old:
            stream = old.extractfile(member) if member.isreg() else None
            body = change(member, stream.read() if stream else b"")
            if body is not None:
                member.size = len(body)
                new.addfile(member, io.BytesIO(body))
    record(store, key, other.getvalue())


def record(store: DirStore, key: Key, plain: bytes, level: int = 6) -> None:
    packed = gzip.compress(plain, level, mtime=0)
    digest = store.put(packed)
    diff_id = DiffId(Digest.of(plain).value)
    store.record(key, Layer(digest=digest, diff_id=diff_id, size=len(packed)), {"kind": "wheels"})


def rows(answer: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    return {row["tier"]: row for row in answer["layers"]}


def test_what_was_built_comes_out_again_and_nothing_stays(world: World) -> None:
    before = {path: path.read_bytes() for path in world.store.rglob("*.json")}
    world.index.server.requests.clear()
    outcome = world.ds01("verify", "--json", "demo.toml")
    assert outcome.code == 0, outcome.err
    answer = outcome.answer
    assert (answer["schema"], answer["name"], answer["equal"]) == (
        "ds01.reproduced/1",
        "demo",
        True,
    )
    assert {row["outcome"] for row in [*answer["layers"], answer["image"]]} == {"equal"}
    assert [row["tier"] for row in answer["layers"]] == ["base", "python", "(state)"]
    assert answer["image"]["made"] == world.built["demo"]
    fetched = [path for path in world.index.server.paths() if path.endswith((".whl", ".deb"))]
    assert len(fetched) == len(set(fetched)) > 30
    assert {path: path.read_bytes() for path in world.store.rglob("*.json")} == before
    assert {path.name for path in world.root.iterdir()} == {"home", "project", "store"}
    assert world.ds01("verify", "demo.toml").out.splitlines()[0].split() == [
        *("TIER", "LAYER", "OUTCOME", "WHY"),
    ]


def test_what_differs_is_named_file_by_file(world: World) -> None:
    def change(member: tarfile.TarInfo, body: bytes) -> bytes | None:
        if member.name.endswith("/app.py"):
            member.mode, member.uid, member.mtime = 0o600, 7, 5
            return body + b"#\n"
        if member.name.endswith("/lib.py"):
            member.name += "c"
        return None if member.name.endswith("app-1.0.dist-info/INSTALLER") else body

    replaced(world, change)
    outcome = world.ds01("verify", "--json", "demo.toml")
    assert outcome.code == 3, outcome.err
    assert outcome.complaint[-1] == "error: demo does not come out as the store has it"
    row = rows(outcome.answer)["python"]
    assert (row["outcome"], outcome.answer["equal"]) == ("different", False)
    found = {one["path"].rpartition("/")[2]: one["problem"] for one in row["differences"]}
    assert found.keys() == {"app.py", "lib.py", "lib.pyc", "INSTALLER"}
    assert (found["lib.pyc"], found["lib.py"]) == ("is only stored", "is new")
    assert found["INSTALLER"] == "is new"
    said = "mode 0600, made again 0644, owner 7:0, made again 0:0, size 12, made again 10, content "
    assert found["app.py"].startswith(said)
    assert found["app.py"].endswith("time 5.000000000, made again 315619200.000000000")
    assert outcome.answer["image"]["outcome"] == "equal"  # of what is made again
    text = world.ds01("verify", "demo.toml").out
    assert "/lib.pyc: is only stored" in text


def test_a_tar_that_is_compressed_otherwise_is_told_apart(world: World) -> None:
    store, (key, layer) = opened(world), python_layer(world)
    record(store, key, gzip.decompress(store.path(layer.digest).read_bytes()))
    outcome = world.ds01("verify", "--json", "demo.toml")
    row = rows(outcome.answer)["python"]
    assert (outcome.code, row["outcome"]) == (3, "different")
    assert (row["reason"], row["differences"]) == ("the same tar, compressed otherwise", [])


def test_a_stored_layer_that_is_damaged_is_not_taken_for_a_difference(world: World) -> None:
    flip(opened(world).path(python_layer(world)[1].digest))
    outcome = world.ds01("verify", "--json", "demo.toml")
    row = rows(outcome.answer)["python"]
    assert (outcome.code, row["outcome"]) == (3, "damaged")
    assert row["reason"].endswith("ds01 store verify --repair")


def test_what_the_store_lacks_is_not_compared(world: World) -> None:
    opened(world).path(python_layer(world)[1].digest).unlink()
    outcome = world.ds01("verify", "--json", "demo.toml")
    row = rows(outcome.answer)["python"]
    assert (outcome.code, row["outcome"]) == (0, "not compared"), outcome.err
    assert row["reason"] == "it is not in the store"


def test_without_a_build_there_is_nothing_to_compare_with(world: World) -> None:
    for path in (world.store / "keys").rglob("*.json"):
        path.unlink()
    problem = "no layer of demo is in the store: there is nothing to compare with"
    says = [f"error: {problem}", "hint:  ds01 build demo.toml"]
    world.refuses(1, "verify", "demo.toml", says=says)


def test_a_stale_lock_is_refused(world: World) -> None:
    world.ask_for("app", "other")
    assert world.ds01("verify", "demo.toml").code == 3


def test_offline_takes_files_from_the_store_alone(world: World) -> None:
    lost = [
        path for path in (world.store / "blobs/sha256").iterdir() if path.read_bytes()[:2] == b"PK"
    ]
    world.index.server.requests.clear()
    outcome = world.ds01("verify", "--offline", "--json", "demo.toml")
    assert outcome.code == 0, outcome.err
    assert world.index.server.paths() == []
    lost[0].unlink()
    outcome = world.ds01("verify", "--offline", "demo.toml")
    assert outcome.code == 4
    assert outcome.complaint[0].startswith("error: 1 files are not in the store, and --offline ")
    assert outcome.complaint[1] == "hint:  ds01 verify demo.toml"


def test_a_build_goes_where_it_is_asked_to_and_leaves_nothing(world: World) -> None:
    place = world.root / "scratch"
    place.mkdir()
    old = place / "ds01-scratch-old"
    old.mkdir()
    young = place / "ds01-scratch-young"
    young.mkdir()
    os.utime(old, (1, 1))
    assert world.ds01("verify", "--scratch", place, "demo.toml").code == 0
    assert [path.name for path in place.iterdir()] == ["ds01-scratch-young"]
