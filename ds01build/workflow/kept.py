"""What a store keeps of how an image was made: the lock and the recipe of a generation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build import beneath, lockfile
from ds01build.digest import Digest
from ds01build.errors import Ds01Error
from ds01build.lock import LockedDebian
from ds01build.recipe import DebianBase, ImageBase, Recipe, parse
from ds01build.workflow.preferring import LOCK_LIMIT
from ds01build.workflow.quick import lock_path
from ds01build.workflow.request import Request
from ds01build.workflow.steps import Locked

if TYPE_CHECKING:
    from ds01build.lock import Lock, LockedBase
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation

__all__ = ["Kept", "kept", "recover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A generation of a name."""

    name: str
    generation: Generation

    def __str__(self) -> str:
        return f"generation {self.generation.number} of {self.name}"


def recover(store: DirStore, one: Kept) -> None:
    """Bring the lock and the recipe of a generation back from where its recipe lay.

    Only what is missing, and only if those files have not changed since. Raises StoreError, and
    Ds01Error for a recipe that is lost: the image is whole without it.
    """
    place, generation = Path(one.generation.place), one.generation
    beside = ((generation.lock, lock_path(place)), (generation.recipe, place))
    for digest, path in beside if generation.place else ():
        if digest is not None and not store.has(digest):
            content = _beside(path)
            for candidate in (content, _written_again(content)):
                if candidate and Digest.of(candidate) == digest:
                    store.put(candidate)
    if generation.recipe is not None and not store.has(generation.recipe):
        raise Ds01Error(
            f"the recipe of {one} is lost, and where it lay there is another; the image is whole",
            hint=f"ds01 build {generation.place or 'RECIPE'} && ds01 store gc --keep 1",
        )


def _beside(path: Path) -> bytes:
    try:
        return beneath.read(path.parent, path.name, limit=LOCK_LIMIT)
    except Ds01Error:
        return b""


def _written_again(lock: bytes) -> bytes:
    """Return a lock as a build keeps it, whatever comments were added to its file."""
    try:
        return lockfile.dumps(lockfile.loads(lock.decode(), source="lock")).encode()
    except (Ds01Error, ValueError):
        return b""


def kept(store: DirStore, one: Kept) -> Locked:
    """Return what a generation was built from, its recipe at the place that it had.

    Raises Ds01Error where its lock is not in the store.
    """
    generation = one.generation
    content = _blob(store, generation.lock)
    if content is None:
        raise Ds01Error(f"the lock of {one} is lost")
    lock = lockfile.loads(content.decode(), source=f"the lock of {one}")
    path = Path(generation.place or f"{one.name}.toml")
    text = (_blob(store, generation.recipe) or b"").decode()
    recipe = parse(text, source=str(path)) if text else _stand_in(lock)
    request = Request(
        path=path,
        text=text,
        recipe=recipe,
        packages={},
        constraints=(),
        digests={},
        included={},
        files=lock.files,
        projected={},  # nobody compares it: the lock is the one of that generation
    )
    return Locked(request=request, path=lock_path(path), lock=lock, content=Digest.of(content))


def _blob(store: DirStore, digest: Digest | None) -> bytes | None:
    if digest is None or not store.has(digest):
        return None
    content = store.path(digest).read_bytes()
    return content if Digest.of(content) == digest else None


def _stand_in(lock: Lock) -> Recipe:
    """Return a recipe that says of a lost one what its lock does: not where files come from."""
    return Recipe(name=lock.name, base=_base(lock.base))


def _base(base: LockedBase) -> DebianBase | ImageBase:
    if isinstance(base, LockedDebian):
        return DebianBase(suite=base.suite, packages=base.packages)
    return ImageBase(reference=base.reference)
