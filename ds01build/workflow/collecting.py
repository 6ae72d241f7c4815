"""Collects garbage: what neither a generation, a name, a build nor an engine needs any more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ds01build import lockfile
from ds01build.digest import Digest, Key
from ds01build.errors import LockError
from ds01build.events import Note
from ds01build.image import BASE_LAYERS
from ds01build.lock import LockedImage
from ds01build.store.durable import read_own
from ds01build.store.gc import Deletion, plan
from ds01build.store.leases import Leases
from ds01build.store.reach import reached
from ds01build.store.sealed import parse_json
from ds01build.store.sweep import look, sweep
from ds01build.workflow.engine_use import Unasked, use_of
from ds01build.workflow.generations import LIMIT, current, pinned

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.engine.api import Engine
    from ds01build.events import Report
    from ds01build.lock import Lock
    from ds01build.store import DirStore
    from ds01build.store.gc import Policy
    from ds01build.store.roots import Generation
    from ds01build.workflow.engine_use import Use

__all__ = ["Collected", "Wish", "collect", "freed", "sources"]

_HEX = re.compile(r"\b[0-9a-f]{64}\b")  # locks write most digests without their algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for: only to find garbage, unless ``delete``."""

    policy: Policy
    keep_sources: bool = False
    delete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was deleted in store and engine, or is to be."""

    deletion: Deletion
    engine: tuple[str, ...]  # tags, and ids of what has none

    def answer(self) -> dict[str, object]:
        """Return the object that ``ds01 store gc --json`` prints, but for what was asked."""
        deletion = self.deletion
        return {
            "generations": [
                {
                    "name": one.name,
                    "number": one.number,
                    "digest": str(one.image),
                    "created": one.created,
                }
                for one in deletion.generations
            ],
            "names": list(deletion.tags),
            "blobs": list(map(str, deletion.blobs)),
            "keys": list(map(str, deletion.rows)),
            "quarantined": list(deletion.quarantined),
            "logs": list(deletion.logs),
            "engine": list(self.engine),
            "bytes": deletion.size,
        }


def collect(
    store: DirStore, engine: Engine | Unasked, wish: Wish, report: Report, now: float
) -> Collected:
    """Delete what is garbage, or only find it, and return it.

    ``now`` is in seconds since the epoch. Raises StoreError where a root is damaged, and what the
    engine raises.
    """
    one_at_a_time = store.lock(
        Key.of({"collection": 1}), lambda holder: report(Note(f"waiting for {holder}"))
    )
    busy = store.leases() != Leases()
    with one_at_a_time, store.lease(()):
        report(Note("looking through store and engine"))
        use = use_of(engine, store.uid)
        scene = look(
            store,
            lambda _, one: _reach(store, one, keep_sources=wish.keep_sources),
            _reason(store, use),
        )
        planned = plan(scene, wish.policy)
        if wish.policy.min_free is not None and planned == Deletion():
            return Collected(deletion=planned, engine=())
        stay = [one for one in scene.generations if one not in planned.generations]
        unused = use.unused(store, planned.generations, stay, None if busy else now)
        if not wish.delete:
            return Collected(deletion=planned, engine=unused)
        report(Note(f"deleting {len(planned.blobs)} blobs"))
        # From the engine first: what is still there when this is interrupted has a generation.
        gone = tuple(name for name in unused if use.remove(name))
        return Collected(deletion=sweep(store, scene, planned), engine=gone)


def freed(store: DirStore, without: frozenset[str], policy: Policy) -> int:
    """Return how many bytes a collection would free once those names are gone.

    Raises StoreError where a root that stays is damaged.
    """
    with store.lease(()):
        scene = look(
            store, lambda _, one: _reach(store, one, keep_sources=False), lambda *_: "", without
        )
        return plan(scene, policy).size


def _reason(store: DirStore, use: Use) -> Callable[[str, Generation], str]:
    now, pins = cache(lambda name: current(store, name)), cache(lambda name: pinned(store, name))

    def reason(name: str, one: Generation) -> str:
        if one == now(name):
            return "current"
        if one.number in pins(name):
            return "pinned"
        return use.reason(store, name, one.image)

    return reason


def _reach(store: DirStore, one: Generation, *, keep_sources: bool) -> frozenset[Digest] | None:
    """Return the blobs that a generation needs, None where that is not known."""
    image = reached(store, one.image)
    if image is None:
        return None
    parts = {digest for digest in (one.lock, one.recipe) if digest is not None}
    text = read_own(store.path(one.lock), uid=store.uid, limit=LIMIT) if one.lock else None
    whole = _is_whole(store, one.image)
    found = sources((text or b"").decode(errors="replace"), every=keep_sources or not whole)
    return image | parts | found


def _is_whole(store: DirStore, image: Digest) -> bool:
    """Say whether all layers of an image are there, but for those of its base."""
    document = parse_json(store.path(image).read_bytes())
    assert isinstance(document, dict), "it was read as one"
    notes, layers = document.get("annotations"), document.get("layers")
    count = notes.get(BASE_LAYERS, "0") if isinstance(notes, dict) else "0"
    own = layers[int(str(count)) :] if isinstance(layers, list) else []
    return all(store.has(Digest(str(one["digest"]))) for one in own if isinstance(one, dict))


def sources(text: str, *, every: bool) -> frozenset[Digest]:
    """Return what a lock's image is made from, as far as it has to stay.

    A file with a layer of its own can go, since the layer holds its bytes; what shares one is small
    and makes the next layer, and what was built here nobody else has. All that the text names stays
    if ``every``, and where an earlier ds01 wrote it.
    """
    try:
        lock = None if every else lockfile.loads(text, source="lock")
    except LockError:
        lock = None
    if lock is None:
        return frozenset(Digest(f"sha256:{each}") for each in _HEX.findall(text))
    return frozenset(_kept(lock))


def _kept(lock: Lock) -> set[Digest]:
    alone = {
        (layer.kind, layer.names[0])
        for layer in lock.layers
        if len(layer.names) == 1 and layer.kind in ("wheels", "debs")
    }
    kept = {pin.digest for pin in lock.wheels if pin.is_built or ("wheels", pin.name) not in alone}
    kept |= {pin.digest for pin in lock.debs if ("debs", pin.name) not in alone}
    if isinstance(lock.base, LockedImage):
        kept |= {lock.base.manifest, lock.base.config}
    return kept
