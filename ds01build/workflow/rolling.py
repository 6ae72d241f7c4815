"""Lets a name stand for an earlier generation: no network, no build, nothing made anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.errors import StoreError
from ds01build.events import Warned
from ds01build.image import MANIFEST_TYPE
from ds01build.store import roots
from ds01build.workflow.generations import current
from ds01build.workflow.loading import InEngine, engine_for, load_stored
from ds01build.workflow.restoring import restoration, staged
from ds01build.workflow.stored import find

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.digest import Digest
    from ds01build.engine.api import Engine
    from ds01build.image import Image
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation
    from ds01build.workflow.loading import Load
    from ds01build.workflow.restoring import Restoration
    from ds01build.workflow.steps import Edges
    from ds01build.workflow.stored import Stored

__all__ = ["Rollback", "preview", "roll_back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """What a name stood for, and stands for now; None where it stood for no generation.

    ``tag`` is empty where no engine has the image; ``restored`` are files that were written, or
    would be.
    """

    name: str
    before: int | None
    number: int
    image: Digest
    tag: str = ""
    sent: int = 0  # bytes
    restored: tuple[str, ...] = ()

    def reference(self, store: Path) -> str:
        """Return the image's tag in the engine, else that of tools that read OCI layouts."""
        return self.tag or f"oci:{store}:{self.name}@{self.image}"

    def answer(self, store: Path, *, is_done: bool) -> dict[str, object]:
        """Return the object that ``ds01 image rollback --json`` prints."""
        return {
            "schema": "ds01.rollback/1",
            "name": self.name,
            "from": self.before,
            "to": self.number,
            "digest": str(self.image),
            "reference": self.reference(store),
            "sent": self.sent,
            "restored": list(self.restored),
            "done": is_done,
        }


def preview(store: DirStore, name: str, to: Generation, *, restore: bool, force: bool) -> Rollback:
    """Return what going back to a generation would change in the store, and of files.

    Raises Ds01Error where a file would be lost, or cannot be written.
    """
    files = restoration(store, name, to, force=force) if restore else None
    return _planned(store, name, to, files)


def _planned(store: DirStore, name: str, to: Generation, files: Restoration | None) -> Rollback:
    now = current(store, name)
    return Rollback(
        name=name,
        before=now.number if now else None,
        number=to.number,
        image=to.image,
        restored=tuple(str(path) for path, _ in files.files) if files else (),
    )


def roll_back(
    name: str, to: Generation, edges: Edges, load: Load, *, restore: bool, force: bool
) -> Rollback:
    """Let ``name`` stand for a generation, in the engine where one answers, and in the store.

    With ``restore``, its recipe and lock are put back too, over changes only by ``force``. Raises
    Ds01Error where a file would be lost, StoreError for an image that is whole in neither store nor
    engine or an index that is damaged, and what loading raises; the name of the store has not moved
    then.
    """
    store = edges.store
    store.named()  # before the engine's tag moves
    with store.lease([]):
        stored = find(store, f"{name}@{to.number}")
        lost = _lost(store, stored, to)
        files = restoration(store, name, to, force=force) if restore else None
        done = _planned(store, name, to, files)
        with staged(files):
            engine = engine_for(load, edges)
            there = _in_engine(engine, stored, edges, can_load=not lost) if engine else None
            if lost and there is None:
                raise _not_whole(name, to, lost[0])
            store.tag(
                name,
                manifest=to.image,
                size=len(stored.manifest),
                media_type=MANIFEST_TYPE,
                annotations={roots.CURRENT: str(to.number)},
            )
    if lost:
        told = f"{lost[0]} is missing; the engine has it"
        edges.report(Warned(f"{name}@{to.number} is not whole in the store: {told}"))
    return replace(done, tag=there.tag if there else "", sent=there.sent if there else 0)


def _lost(store: DirStore, stored: Stored, to: Generation) -> list[Digest]:
    """Return the layers of an image that only an engine may have by now; all other blobs stay.

    Layers of its base are not among them: their registry has them too. Raises StoreError where
    more than layers is lost.
    """
    base = stored.base()
    own = {stored.config(), *stored.layers()[len(base.layers) if base else 0 :]}
    for digest in stored.layers():
        store.renew(digest)
    missing = sorted(d for d in {to.image, *own} if not store.renew(d))
    for digest in missing:
        if digest not in stored.layers():
            raise _not_whole(stored.name, to, digest)
    for part in (to.lock, to.recipe):
        if part is not None:
            store.renew(part)
    return missing


def _not_whole(name: str, to: Generation, missing: Digest) -> StoreError:
    return StoreError(
        f"{name}@{to.number} is not whole: {missing} is not in the store",
        hint="ds01 store verify --repair",
    )


def _in_engine(engine: Engine, stored: Stored, edges: Edges, *, can_load: bool) -> InEngine | None:
    """Make the engine's moving tag stand for an image: by its fixed one, or loaded anew.

    None where it has to be loaded and cannot be.
    """
    uid, image = edges.store.uid, stored.image()
    fixed = fixed_tag(uid, stored.name, image.config_digest)
    found = engine.inspect(fixed)
    if found is None or not _is(image, found.config_digest, found.diff_ids):
        return load_stored(stored, edges) if can_load else None
    moving = moving_tag(uid, stored.name)
    engine.tag(found.engine_id, moving)
    return InEngine(tag=moving, engine_id=found.engine_id, sent=0)


def _is(image: Image, config: Digest | None, diff_ids: tuple[object, ...]) -> bool:
    """Say whether what an engine describes is ``image``; some do not tell the configuration."""
    same = diff_ids == tuple(layer.diff_id for layer in image.layers)
    return same and config in (None, image.config_digest)
