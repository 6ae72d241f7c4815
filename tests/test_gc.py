"""What a collection of garbage may delete, by a plan that is a value, and by the sweep."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_contract import TICK, layer_of

from ds01build.digest import Digest, Key, canonical
from ds01build.errors import StoreError
from ds01build.image import MANIFEST_TYPE
from ds01build.store import roots
from ds01build.store.audit import verify
from ds01build.store.gc import Blob, Deletion, Policy, Reached, Scene, plan
from ds01build.store.leases import Leases
from ds01build.store.reach import reached
from ds01build.store.roots import Generation
from ds01build.store.sweep import look, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from ds01build.digest import Canonical
    from ds01build.store import DirStore

pytest_plugins = ("store_fixtures",)

UID = os.geteuid()
EVERYTHING = Policy(before="9999-01-01T00:00:00Z")


# --- the plan

DIGESTS = [Digest.of(b"%d" % number) for number in range(12)]
KEYS = [Key.of({"number": number}) for number in range(12)]
digests = st.sampled_from(DIGESTS)
subsets = st.frozensets(digests)


logs = st.builds(Blob, size=st.integers(0, 50), changed=st.integers(0, 12))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    there = draw(st.frozensets(digests, min_size=4))
    blobs = {
        one: Blob(size=draw(st.integers(0, 50)), changed=draw(st.integers(0, 9))) for one in there
    }
    generations = []
    for name in ("a", "b"):
        for number in range(1, draw(st.integers(0, 5)) + 1):
            image, rest = draw(digests), draw(subsets)
            generations.append(
                Reached(
                    name=name,
                    number=number,
                    created=f"2026-01-{draw(st.integers(1, 9)):02}T00:00:00Z",
                    image=image,
                    blobs=rest | {image},
                    reason=draw(st.sampled_from(["", "", "current"])),
                )
            )
    return Scene(
        blobs=blobs,
        rows={one: (key,) for one, key in zip(DIGESTS, KEYS, strict=True) if draw(st.booleans())},
        generations=tuple(generations),
        tagged=draw(subsets),
        tags=tuple((f"{one.name}@{one.image}", one.name, one.image) for one in generations),
        leases=Leases(digests=draw(subsets), since=draw(st.integers(5, 12))),
        quarantined=draw(st.dictionaries(st.sampled_from("xyz"), st.integers(0, 50))),
        free=draw(st.integers(0, 400)),
        logs=draw(st.dictionaries(st.sampled_from("xyz"), logs)),
    )


policies = st.builds(
    Policy,
    keep=st.none() | st.integers(1, 4),
    before=st.none() | st.integers(1, 9).map(lambda day: f"2026-01-{day:02}T00:00:00Z"),
    min_free=st.none() | st.integers(0, 1200),
    logs=st.integers(0, 12),
)


@settings(max_examples=150)
@given(scenes(), policies)
def test_nothing_goes_that_a_root_or_a_lease_reaches(scene: Scene, policy: Policy) -> None:
    planned = plan(scene, policy)
    gone = set(planned.blobs)
    stay = set(scene.generations) - set(planned.generations)
    for one in stay:
        assert one.blobs is not None
        assert not gone & one.blobs
        assert f"{one.name}@{one.image}" not in planned.tags
    assert not gone & scene.tagged
    assert not gone & scene.leases.digests
    assert all(scene.blobs[one].changed < scene.leases.since for one in gone)
    lost = scene.rows.keys() - scene.blobs.keys() if planned != Deletion() else set()
    assert sorted(planned.rows) == sorted(k for d in gone | lost for k in scene.rows.get(d, ()))


@settings(max_examples=150)
@given(scenes(), policies)
def test_current_and_newest_generations_and_those_asked_to_be_kept_stay(
    scene: Scene, policy: Policy
) -> None:
    for one in plan(scene, policy).generations:
        newer = [g for g in scene.generations if g.name == one.name and g.number > one.number]
        assert not one.reason
        assert len(newer) >= (policy.keep or 1)
        assert policy.before is None or one.created < policy.before
        blob = scene.blobs.get(one.image)
        assert blob is None or not scene.leases.keep(one.image, blob.changed)


@settings(max_examples=150)
@given(scenes(), policies)
def test_all_garbage_goes_unless_room_is_all_that_is_asked_for(
    scene: Scene, policy: Policy
) -> None:
    planned = plan(scene, replace(policy, min_free=None))
    stay = set(scene.generations) - set(planned.generations)
    marked = scene.tagged.union(*(one.blobs or () for one in stay))
    for digest, blob in scene.blobs.items():
        is_needed = digest in marked or scene.leases.keep(digest, blob.changed)
        assert (digest in planned.blobs) != is_needed


@settings(max_examples=150)
@given(scenes(), policies, st.integers(0, 1200))
def test_no_more_goes_than_the_room_that_is_asked_for_takes(
    scene: Scene, policy: Policy, min_free: int
) -> None:
    planned = plan(scene, replace(policy, min_free=min_free))
    needed = min_free - scene.free
    if needed <= 0:
        assert planned == Deletion()
        return
    droppable = plan(scene, replace(policy, min_free=1 << 60))
    assert planned.size >= min(needed, droppable.size)
    assert set(planned.blobs) <= set(droppable.blobs)
    if planned.generations:  # one fewer would not have been enough
        oldest = sorted(planned.generations, key=lambda g: (g.created, g.name, g.number))
        left = set(scene.generations) - set(oldest[:-1])
        marked = scene.tagged.union(*(one.blobs or () for one in left))
        size = sum(
            blob.size
            for digest, blob in scene.blobs.items()
            if digest not in marked and not scene.leases.keep(digest, blob.changed)
        )
        size += sum(scene.logs[name].size for name in planned.logs)
        assert size + sum(scene.quarantined.values()) < needed


@settings(max_examples=150)
@given(scenes(), policies)
def test_old_logs_go_but_for_those_of_builds_under_way(scene: Scene, policy: Policy) -> None:
    planned = plan(scene, policy)
    if planned == Deletion() and policy.min_free is not None:
        return  # there is room
    before = min(policy.logs, scene.leases.since)
    assert planned.logs == tuple(sorted(n for n, log in scene.logs.items() if log.changed < before))


@given(scenes())
def test_without_a_policy_every_generation_stays(scene: Scene) -> None:
    assert plan(scene, Policy()).generations == ()


def test_what_a_damaged_generation_needs_is_not_guessed() -> None:
    image = DIGESTS[0]
    damaged = Reached(name="a", number=1, created="2026", image=image, blobs=None, reason="current")
    scene = Scene(
        blobs={DIGESTS[1]: Blob(size=1, changed=0)},
        rows={},
        generations=(damaged,),
        tagged=frozenset(),
        tags=(),
        leases=Leases(),
        quarantined={},
        free=0,
    )
    with pytest.raises(StoreError) as caught:
        plan(scene, EVERYTHING)
    assert str(caught.value) == (
        "what a@1 needs is not known, since its manifest is damaged or missing: nothing was removed"
    )
    assert caught.value.hint == "ds01 store verify"


# --- the sweep


def add_layer(store: DirStore, content: bytes) -> Digest:
    digest = store.put(content)
    store.record(Key.of({"of": content.decode()}), layer_of(content), {"of": content.decode()})
    return digest


def add_image(store: DirStore, name: str, *layers: bytes) -> Digest:
    """Publish an image of layers as a build does, and return its digest."""
    config = store.put(canonical({"of": [layer.decode() for layer in layers]}))
    rows: list[Canonical] = [
        {"digest": str(add_layer(store, one)), "size": len(one)} for one in layers
    ]
    manifest = canonical(
        {
            "mediaType": MANIFEST_TYPE,
            "config": {"digest": str(config), "size": store.source(config).size},
            "layers": rows,
        }
    )
    image = store.put(manifest)
    for tag in (f"{name}@{image}", name):
        store.tag(tag, manifest=image, size=len(manifest), media_type=MANIFEST_TYPE, annotations={})
    made = Generation(image=image, lock=None, created="2026-11-01T12:00:00Z")
    roots.append(store.root, name, made)
    return image


def seen(store: DirStore) -> Scene:
    def reason(name: str, one: Generation) -> str:
        latest = roots.latest(store.root, name)
        return "current" if latest and latest.number == one.number else ""

    return look(store, lambda _, one: reached(store, one.image), reason)


def collect(store: DirStore, policy: Policy = Policy()) -> Deletion:  # noqa: B008 (frozen)
    """Plan and sweep, and check that the one did what the other said."""
    time.sleep(TICK)
    with store.lease(()):
        scene = seen(store)
        planned = plan(scene, policy)
        assert sweep(store, scene, planned) == planned
    return planned


def there(store: DirStore) -> set[Digest]:
    return {Digest(f"sha256:{path.name}") for path in (store.root / "blobs/sha256").iterdir()}


def test_what_nothing_names_goes_with_its_rows_and_the_rest_stays(store: DirStore) -> None:
    image = add_image(store, "a", b"one", b"two")
    kept = reached(store, image) or frozenset()
    garbage = {add_layer(store, b"old"), store.put(b"source")}
    (store.root / "quarantine" / "ff").write_bytes(b"lies")
    planned = collect(store)
    assert set(planned.blobs) == garbage
    assert planned.rows == (Key.of({"of": "old"}),)
    assert planned.quarantined == ("ff",)
    assert planned.size == len(b"oldsourcelies")
    assert there(store) == kept
    assert store.layer(Key.of({"of": "one"})) == layer_of(b"one")
    assert not list(store.root.glob(f"keys/??/{Key.of({'of': 'old'}).hex}.json"))
    assert [list((store.root / n).iterdir()) for n in ("tmp", "quarantine", "leases")] == [[]] * 3
    assert list(verify(store)) == []
    assert collect(store) == Deletion()


def test_logs_go_at_their_age_and_all_else_below_logs_stays(store: DirStore) -> None:
    directory = store.root / "logs"
    for name, seconds in (("old.log", 100), ("young.log", 300)):
        (directory / name).write_bytes(b"failed")
        os.utime(directory / name, (seconds, seconds))
    (directory / "link").symlink_to(directory / "young.log")
    os.utime(directory / "link", (1, 1), follow_symlinks=False)
    (directory / "more").mkdir()
    assert collect(store) == Deletion()
    planned = collect(store, Policy(logs=200 * 10**9))
    assert (planned.logs, planned.size) == (("old.log",), len(b"failed"))
    assert {path.name for path in directory.iterdir()} == {"young.log", "link", "more"}
    (directory / "now.log").write_bytes(b"under way")
    assert collect(store, Policy(logs=1 << 62)).logs == ("now.log", "young.log")
    with store.lease(()):
        (directory / "now.log").write_bytes(b"under way")
        assert collect(store, Policy(logs=1 << 62)).logs == ()


def test_a_dropped_generation_takes_its_names_and_what_it_alone_needs(store: DirStore) -> None:
    first = add_image(store, "a", b"base", b"old")
    add_image(store, "a", b"base", b"new")
    assert collect(store).generations == ()
    planned = collect(store, Policy(keep=1))
    assert [str(one) for one in planned.generations] == ["a@1"]
    assert planned.tags == (f"a@{first}",)
    assert Digest.of(b"old") in planned.blobs
    assert Digest.of(b"base") not in planned.blobs
    assert [one.number for one in roots.generations(store.root, "a")] == [2]
    assert list(verify(store)) == []


def test_images_of_other_tools_and_pins_stay_with_all_that_they_need(store: DirStore) -> None:
    image = add_image(store, "a", b"theirs")
    index = canonical({"schemaVersion": 2, "manifests": [{"digest": str(image), "size": 1}]})
    listed = store.put(index)
    size = len(index)
    store.tag("skopeo/copy:1", manifest=listed, size=size, media_type="x", annotations={})
    add_image(store, "a", b"ours")
    planned = collect(store, EVERYTHING)
    assert [str(one) for one in planned.generations] == ["a@1"]
    assert planned.blobs == ()
    assert store.has(Digest.of(b"theirs"))


def test_rows_of_blobs_that_are_lost_go(store: DirStore) -> None:
    digest = add_layer(store, b"lost")
    store.remove(digest)
    assert collect(store).rows == (Key.of({"of": "lost"}),)
    assert list(verify(store)) == []


def test_a_document_goes_with_the_blob_that_it_is_of(store: DirStore) -> None:
    image = add_image(store, "a", b"old")
    store.record_document(Key.of({"build": 1}), {"digest": str(image), "included": {}})
    store.record_document(Key.of({"other": 1}), {"text": "no blob"})
    add_image(store, "a", b"new")
    assert Key.of({"build": 1}) in collect(store, Policy(keep=1)).rows
    assert store.document(Key.of({"build": 1})) is None
    assert store.document(Key.of({"other": 1})) == {"text": "no blob"}


def test_what_is_found_after_the_plan_was_made_stays(store: DirStore) -> None:
    old = add_image(store, "a", b"again", b"never")
    add_image(store, "a", b"new")
    time.sleep(TICK)
    with store.lease(()):
        scene = seen(store)
        planned = plan(scene, Policy(keep=1))
        assert Digest.of(b"again") in planned.blobs
        with store.lease(()):  # a build that begins and ends meanwhile
            assert store.layer(Key.of({"of": "again"})) is not None
            add_image(store, "b", b"again")
        done = sweep(store, scene, planned)
    assert Digest.of(b"again") not in done.blobs
    assert Digest.of(b"never") in done.blobs
    assert [str(one) for one in done.generations] == ["a@1"]
    assert not store.has(old)
    assert list(verify(store)) == []


def test_a_generation_that_is_named_again_after_the_plan_stays_whole(store: DirStore) -> None:
    old = add_image(store, "a", b"again", b"more")
    add_image(store, "a", b"new")
    time.sleep(TICK)
    with store.lease(()):
        scene = seen(store)
        planned = plan(scene, Policy(keep=1))
        assert store.renew(old)  # as a rollback does
        done = sweep(store, scene, planned)
    assert (done.generations, done.tags, done.blobs) == ((), (), ())
    needed = reached(store, old)
    assert needed is not None
    assert there(store) >= needed
    assert list(verify(store)) == []


def test_what_a_lease_names_or_saw_stays(store: DirStore) -> None:
    named, found, neither = (store.put(each) for each in (b"named", b"found", b"neither"))
    time.sleep(TICK)
    with store.lease([named]):
        assert store.renew(found)
        assert collect(store).blobs == (neither,)
    assert set(collect(store).blobs) == {named, found}


@pytest.mark.parametrize("path", ["index.json", "roots/a/1.json"])
def test_a_store_with_a_damaged_root_loses_nothing(store: DirStore, path: str) -> None:
    add_image(store, "a", b"layer")
    add_image(store, "a", b"other")
    store.put(b"garbage")
    (store.root / path).write_bytes(b"{}")
    before = there(store)
    with pytest.raises(StoreError, match=r"is damaged, and what it (needs|names) is not known"):
        seen(store)
    assert there(store) == before


@pytest.mark.parametrize("row", [{}, {"digest": "sha512:" + "0" * 128}, {"digest": 1}])
def test_what_another_tool_names_in_a_way_that_is_not_known_loses_nothing(
    store: DirStore, row: dict[str, Canonical]
) -> None:
    add_image(store, "a", b"layer")
    index = store.root / "index.json"
    index.write_text(json.dumps({"schemaVersion": 2, "manifests": [row]}))
    with pytest.raises(StoreError, match=r"index\.json names .*, which is not known here"):
        seen(store)


def test_a_missing_manifest_is_no_licence_to_delete_its_layers(store: DirStore) -> None:
    image = add_image(store, "a", b"layer")
    store.remove(image)
    with pytest.raises(StoreError, match="what a needs is not known"):
        seen(store)


def test_builds_wait_for_milliseconds_only(store: DirStore) -> None:
    for number in range(2000):
        path = store.path(Digest.of(b"%d" % number))
        path.write_bytes(b"%d" % number)
    held: list[float] = []
    guarded = type(store).guard
    time.sleep(TICK)
    with pytest.MonkeyPatch.context() as patch, store.lease(()):
        patch.setattr(type(store), "guard", lambda self: _timed(guarded(self), held))
        scene = seen(store)
        sweep(store, scene, plan(scene, Policy()))
    assert there(store) == set()
    assert len(held) > 3
    assert sorted(held)[len(held) * 3 // 4] < 0.1  # of CPU time that other tests want too


@contextlib.contextmanager
def _timed(guard: AbstractContextManager[None], held: list[float]) -> Iterator[None]:
    with guard:
        begin = time.monotonic()
        yield
        held.append(time.monotonic() - begin)


@pytest.mark.slow
def test_ten_thousand_blobs_take_seconds(store: DirStore) -> None:
    garbage = set()
    for number in range(10_000):
        content = b"%d" % number
        path = store.path(Digest.of(content))
        path.write_bytes(content)
        garbage.add(Digest.of(content))
    image = add_image(store, "a", *(b"%d" % number for number in range(0, 400, 4)))
    kept = reached(store, image) or frozenset()
    os.sync()
    time.sleep(TICK)
    begin = time.process_time()
    planned = collect(store)
    assert set(planned.blobs) == garbage - kept
    assert there(store) == kept
    assert time.process_time() - begin < 5
