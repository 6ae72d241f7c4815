"""The last build of a name: its generation, its lock, and what its layers were made from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ds01build import graph, lockfile, spec
from ds01build.digest import Digest
from ds01build.errors import Ds01Error
from ds01build.explanation import Last
from ds01build.store import roots
from ds01build.store.durable import read_own
from ds01build.store.recorded import inputs_of, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ds01build.digest import Canonical, Key
    from ds01build.lock import Lock
    from ds01build.spec import LayerSpec
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation

__all__ = ["blob", "last_build", "lock_of"]

_LIMIT = 32 * 1024 * 1024  # bytes of a lock, recipe or manifest


def last_build(name: str, store: DirStore) -> Last | None:
    """Return the last build of ``name`` whose lock the store has, None where there is none."""
    found = reversed(roots.generations(store.root, name))
    for generation, lock in ((each, lock_of(each, store)) for each in found):
        if lock is not None:
            made = graph.of(lock)
            return Last(
                number=generation.number,
                lock=lock,
                graph=made,
                recorded=_otherwise(made.stack, generation, store),
            )
    return None


def lock_of(generation: Generation, store: DirStore) -> Lock | None:
    """Return the lock of a generation, None where it has none that this ds01 can read."""
    content = blob(generation.lock, store) if generation.lock else None
    try:
        return lockfile.loads(content.decode(), source=str(generation.lock)) if content else None
    except (Ds01Error, UnicodeDecodeError):
        return None


def blob(digest: Digest, store: DirStore) -> bytes | None:
    """Return a small blob of the store, None where it is missing or damaged."""
    content = read_own(store.path(digest), uid=store.uid, limit=_LIMIT)
    return content if content is not None and Digest.of(content) == digest else None


def _otherwise(
    stack: Sequence[tuple[str, LayerSpec]], generation: Generation, store: DirStore
) -> dict[Key, Mapping[str, Canonical]]:
    """Return the inputs of layers that were written otherwise than this ds01 would.

    Such a layer is in the image, and another key than the one that this ds01 would give it came
    out as it.
    """
    wanted: dict[Digest, LayerSpec] = {}
    for (_, layer), digest in zip(stack, _layers(generation, len(stack), store), strict=False):
        known = recorded(store, spec.key(layer))
        if known is None or known.digest != digest:
            wanted[digest] = layer
    found = inputs_of(store, wanted.keys()) if wanted else ()
    return {
        spec.key(wanted[digest]): inputs
        for digest, inputs in found
        if "seen" not in inputs and inputs != spec.inputs(wanted[digest])
    }


def _layers(generation: Generation, count: int, store: DirStore) -> Iterator[Digest]:
    """Yield the layers of a generation's image that lie above its base."""
    content = blob(generation.image, store)
    rows = json.loads(content)["layers"] if content is not None else []
    yield from (Digest(row["digest"]) for row in rows[len(rows) - count :])
