"""Finds what people compare: locks, recipes by their locks, images and generations of the store."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build import graph, spec
from ds01build.difference import Side, compare
from ds01build.digest import Digest
from ds01build.errors import Ds01Error, StoreError
from ds01build.events import Note
from ds01build.placed import Placed, stack_of
from ds01build.store import roots
from ds01build.store.recorded import recorded
from ds01build.workflow.lastbuild import blob, lock_of
from ds01build.workflow.quick import lock_path
from ds01build.workflow.request import read_request
from ds01build.workflow.steps import read_lock
from ds01build.workflow.stored import Stored, find

if TYPE_CHECKING:
    from ds01build.difference import Difference
    from ds01build.events import Report
    from ds01build.image import Image
    from ds01build.lock import Lock
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation

__all__ = ["difference", "side"]

_NUMBERED = re.compile(r"([a-z0-9]+(?:[._-][a-z0-9]+)*)@([1-9][0-9]{0,8})")


def difference(a: str, b: str, store: DirStore, report: Report) -> Difference:
    """Return what ``b`` has different from ``a``; see ``side`` for what they may be."""
    return compare(side(a, store, report), side(b, store, report))


def side(text: str, store: DirStore, report: Report) -> Side:
    """Return what ``text`` means: a .lock file, a recipe, or an image of the store.

    An image is called as for ``stored.find``; NAME@N is generation N of NAME. Of the lock of a
    stale recipe that is told. Raises LockError, RecipeError, and Ds01Error where there is nothing
    of that name.
    """
    path = Path(text)
    if path.suffix == ".toml":
        return _of_recipe(path, store, report)
    if path.suffix == ".lock" or path.is_file():
        return _of_lock(text, path, store)
    return _of_image(text, store)


def _of_recipe(path: Path, store: DirStore, report: Report) -> Side:
    request, where = read_request(path), lock_path(path)
    found, _ = read_lock(where)
    if found is None:
        raise Ds01Error(f"{where} does not exist", hint=f"ds01 lock {path}")
    if found.recipe != request.digest:
        report(Note(f"{where} is stale, and is compared as it is; to renew it: ds01 lock {path}"))
    return Side(name=str(path), lock=found, stack=_stack(found, store))


def _of_lock(text: str, path: Path, store: DirStore) -> Side:
    found, _ = read_lock(path)
    if found is None:
        raise Ds01Error(f"{text!r:.200} does not exist")
    return Side(name=text, lock=found, stack=_stack(found, store))


def _stack(lock: Lock, store: DirStore) -> tuple[Placed, ...]:
    keys = [spec.key(layer) for _, layer in graph.of(lock).stack]
    made = {key: recorded(store, key) for key in keys}
    return stack_of(lock, {key: layer for key, layer in made.items() if layer is not None})


def _of_image(text: str, store: DirStore) -> Side:
    numbered = _NUMBERED.fullmatch(text)
    generation = _generation(numbered[1], int(numbered[2]), store) if numbered else None
    if generation is not None and numbered is not None:
        manifest = blob(generation.image, store)
        if manifest is None:
            raise StoreError(f"{generation.image} of {text} is not in the store")
        found = Stored(name=numbered[1], manifest=manifest, path=store.path)
    else:
        found = find(store, text)
        generation = _named(found, store)
    lock = lock_of(generation, store) if generation else None
    return Side(name=text, lock=lock, stack=_placed(found, lock))


def _generation(name: str, number: int, store: DirStore) -> Generation:
    every = {each.number: each for each in roots.generations(store.root, name)}
    if number not in every:
        there = ", ".join(map(str, sorted(every))) or "none"
        raise Ds01Error(f"{name} has no generation {number}; there are {there}")
    return every[number]


def _named(found: Stored, store: DirStore) -> Generation | None:
    """Return the newest generation that is this image, if its name has one."""
    digest = Digest.of(found.manifest)
    every = roots.generations(store.root, found.name)
    return next((each for each in reversed(every) if each.image == digest), None)


def _placed(found: Stored, lock: Lock | None) -> tuple[Placed, ...]:
    """Return the layers of an image, with keys and titles of its lock where it has one."""
    image = found.image()
    made = stack_of(lock, {}) if lock else ()
    base = found.base()
    count = len(base.layers) if base else 0
    if len(made) != len(image.layers):
        made = _from_history(image, count)
    return tuple(
        Placed(
            tier=each.tier,
            title=each.title,
            size=layer.size,
            key=each.key,
            diff_id=layer.diff_id,
        )
        for each, layer in zip(made, image.layers, strict=True)
    )


def _from_history(image: Image, base: int) -> tuple[Placed, ...]:
    """Return what the configuration of an image says of its layers (OCI image-spec, config.md)."""
    rows = json.loads(image.config).get("history", [])
    if len(rows) != len(image.layers):
        rows = [{} for _ in image.layers]
    return tuple(
        Placed(
            tier="base" if place < base else str(row.get("created_by", "")).removeprefix("ds01 "),
            title="of the base image" if place < base else str(row.get("comment", "")),
            size=layer.size,
        )
        for place, (row, layer) in enumerate(zip(rows, image.layers, strict=True))
    )
