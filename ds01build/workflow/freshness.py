"""Whether an image is still what its recipe comes to, by hashes alone: nothing is resolved.

Imports nothing heavy before something has changed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ds01build import beneath
from ds01build.digest import Digest
from ds01build.errors import Ds01Error
from ds01build.workflow.quick import build_key, lock_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.digest import Canonical
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation

__all__ = ["Verdict", "freshness", "is_stale"]

Verdict = Literal[
    "fresh",
    "recipe unknown",
    "recipe gone",
    "recipe unreadable",
    "recipe changed",
    "lock gone",
    "lock unreadable",
    "lock changed",
]


def is_stale(verdict: Verdict) -> bool | None:
    """Say whether a build would come to another image, or to none; None where nobody knows."""
    return None if verdict == "recipe unknown" else verdict != "fresh"


def freshness(store: DirStore, one: Generation, place: str, labels: Mapping[str, str]) -> Verdict:
    """Say whether recipe and lock are what a generation was built from.

    ``place`` is the path of the recipe, empty where nobody knows, and ``labels`` are the image's.
    Another text that means the same is no change; another requirements file is.
    """
    if not place:
        return "recipe unknown"
    recipe = Path(place)
    lock = lock_path(recipe)
    if not os.path.lexists(recipe):
        return "recipe gone"
    if not os.path.lexists(lock):
        return "lock gone"
    try:
        bytes_of = _digest(recipe), _digest(lock)
    except Ds01Error:
        return "recipe unreadable"
    if bytes_of == (one.recipe, one.lock) and _is_known(store, recipe, *bytes_of):
        return "fresh"
    return _by_meaning(recipe, lock, labels, same_lock=bytes_of[1] == one.lock)


def _digest(path: Path) -> Digest:
    return Digest.of(beneath.read(path.parent, path.name))


def _is_known(store: DirStore, recipe: Path, text: Digest, lock: Digest) -> bool:
    """Say whether this ds01 built from those bytes, and from files that are the same by now."""
    try:
        row = store.document(build_key(text, lock))
        included = row.get("included") if row else None
        return isinstance(included, dict) and _are_same(recipe.parent, included)
    except Ds01Error:
        return False


def _are_same(directory: Path, included: Mapping[str, Canonical]) -> bool:
    return all(
        str(Digest.of(beneath.read(directory, path))) == digest for path, digest in included.items()
    )


def _by_meaning(recipe: Path, lock: Path, labels: Mapping[str, str], *, same_lock: bool) -> Verdict:
    """Compare what recipe and lock say, and not how, with what the image was built from."""
    from ds01build import lockfile  # noqa: PLC0415 (only where something has changed)
    from ds01build.workflow.request import read_request  # noqa: PLC0415 (the same)

    try:
        asked = str(read_request(recipe).digest)
    except Ds01Error:
        return "recipe unreadable"
    if asked != labels.get("ds01.recipe"):
        return "recipe changed"
    if same_lock:
        return "fresh"
    try:
        text = beneath.read(lock.parent, lock.name).decode()
        locked = lockfile.loads(text, source=str(lock))
    except (Ds01Error, UnicodeDecodeError):
        return "lock unreadable"
    return "fresh" if str(locked.digest) == labels.get("ds01.lock") else "lock changed"
