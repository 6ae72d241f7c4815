"""Deletes images: from the engine, then their Dockerfile, then their names and generations.

In this order, so that what is interrupted can be done again. A recipe, its lock and what lies
beside them stay; blobs stay until they are collected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ds01build.engine.dependants import stop_and_remove
from ds01build.engine.holdings import Holdings, is_given, named
from ds01build.errors import Ds01Error, StoreError
from ds01build.fields import did_you_mean
from ds01build.store import roots
from ds01build.workflow.builds import occupants, tags_of
from ds01build.workflow.discarding import Generated, discard, generated
from ds01build.workflow.inventory import asker, known
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ds01build.engine.api import Engine
    from ds01build.engine.holdings import Holding
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation
    from ds01build.workflow.builds import Occupant
    from ds01build.workflow.engine_use import Unasked
    from ds01build.workflow.inventory import Known

__all__ = ["Deleted", "Doomed", "Scene", "delete", "doomed", "every_name", "outlook", "scene"]

# What image-delete --json says of every name, whatever came of it.
_KEYS = ("generations", "names", "tags", "containers", "files", "left")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What store and engine have, looked at once; ``holdings`` is None without an engine."""

    store: DirStore
    engine: Engine | Unasked = field(repr=False)
    known: Known = field(repr=False)
    holdings: Holdings | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """All that goes with an image. ``given`` are tags that people gave it, and that stay."""

    name: str
    generations: tuple[int, ...]
    names: tuple[str, ...]  # of index.json
    tags: tuple[str, ...]  # in the engine
    given: tuple[str, ...]
    containers: tuple[Occupant, ...]
    dockerfile: Generated
    recipe: str  # which stays; empty where nobody knows its path

    def answer(self) -> dict[str, object]:
        """Return the object that ``image-delete --json`` prints of it."""
        return {
            "generations": list(self.generations),
            "names": list(self.names),
            "tags": list(self.tags),
            "containers": [each.answer() for each in self.containers],
            "files": list(map(str, self.dockerfile.files)),
            "left": [*self.given, *map(str, self.dockerfile.left)],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What came of one name that was given."""

    name: str
    outcome: Literal["deleted", "skipped", "failed"]
    doomed: Doomed | None = None
    reason: str = ""
    hint: str = ""

    def answer(self) -> dict[str, object]:
        """Return the object that ``image-delete --json`` prints."""
        nothing = {key: list[str]() for key in _KEYS}
        gone = self.doomed.answer() if self.doomed else nothing
        return {"name": self.name, "outcome": self.outcome, "reason": self.reason, **gone}


def scene(store: DirStore, engine: Engine | Unasked, there: Holdings | None) -> Scene:
    """Look at a store and what its engine has.

    Raises StoreError where index.json is damaged, so that names would be lost.
    """
    if store.descriptors() is None:
        raise StoreError(
            f"{store.root / 'index.json'} is damaged: nothing is deleted",
            hint="ds01 store verify --repair",
        )
    return Scene(store=store, engine=engine, known=known(store), holdings=there)


def every_name(at: Scene) -> tuple[str, ...]:
    """Return the names of all images of the user, of the store and of the engine alone."""
    held = {tag.name for tag in at.store.tags() if roots.fits(tag.name)}
    found = (named(tag) for each in _images(at) for tag in each.tags if not is_given(tag))
    only = {parts[1] for parts in found if parts and parts[0] == at.store.uid}
    return tuple(sorted({*held, *at.known.past, *only}))


def doomed(at: Scene, text: str, dockerfiles: Path | None) -> Doomed | Deleted:
    """Return what would go with the image that is called ``text``, short or as the engine has it.

    ``dockerfiles`` is the directory of Dockerfiles, None to keep what is there. Where there is no
    such image, that is what came of it.
    """
    parts = named(text)
    name = parts[1] if parts and parts[0] == at.store.uid else text
    names = [each.name for each in at.store.tags() if each.name.partition("@")[0] == name]
    past = roots.generations(at.store.root, name) if roots.fits(name) else ()
    tags = tags_of(at.holdings, at.store.uid, name) if at.holdings else ()
    own = tuple(tag for tag in tags if not is_given(tag))
    if not (names or past or own):
        return _unknown(at, text)
    try:
        dockerfile = _generated(dockerfiles, name, past)
    except Ds01Error as error:
        return Deleted(name=name, outcome="failed", reason=str(error), hint=error.hint)
    who, builds = (at.store.uid, name), at.known.builds(at.store, name)
    return Doomed(
        name=name,
        generations=tuple(one.number for one in past),
        names=tuple(names),
        tags=own,
        given=tuple(tag for tag in tags if tag not in own),
        containers=occupants(at.holdings, who, builds, asker(at.engine)) if at.holdings else (),
        dockerfile=dockerfile,
        recipe=next((one.place for one in reversed(past) if one.place), ""),
    )


def _generated(directory: Path | None, name: str, past: Sequence[Generation]) -> Generated:
    if directory is None:
        return Generated()
    places = {Path(one.place) for one in past if one.place}
    return generated(directory, name, places | set(map(lock_path, places)))


def outlook(gone: Doomed | Deleted, *, force: bool) -> Deleted:
    """Return what would come of an image if nothing goes wrong."""
    if isinstance(gone, Deleted):
        return gone
    if gone.containers and not force:
        return _in_use(gone)
    return Deleted(name=gone.name, outcome="deleted", doomed=gone)


def delete(at: Scene, gone: Doomed, *, force: bool) -> Deleted:
    """Delete an image, and with ``force`` the containers that were made from it, which are stopped.

    What goes wrong is what came of it; what has gone by then stays so.
    """
    foreseen = outlook(gone, force=force)
    if foreseen.outcome != "deleted":
        return foreseen
    try:
        if not isinstance(at.engine, str):
            for each in gone.containers:
                stop_and_remove(at.engine, each.container.container_id)
            _untag(at.engine, gone.tags)
        discard(gone.dockerfile)
        at.store.untag(lambda tag: tag.name.partition("@")[0] == gone.name)
        if roots.fits(gone.name):
            roots.discard(at.store.root, gone.name)
    except Ds01Error as error:
        return Deleted(
            name=gone.name, outcome="failed", doomed=gone, reason=str(error), hint=error.hint
        )
    return foreseen


def _untag(engine: Engine, tags: Iterable[str]) -> None:
    """Take tags away. Raises Ds01Error where something keeps the engine from it."""
    for tag in tags:
        if not engine.remove(tag) and engine.inspect(tag) is not None:
            raise Ds01Error(
                f"the engine keeps {tag}: a container or another image needs it",
                hint=f"docker ps --all --filter ancestor={tag}",
            )


def _in_use(gone: Doomed) -> Deleted:
    users = (f"{each.container.name} ({each.container.state})" for each in gone.containers)
    return Deleted(
        name=gone.name,
        outcome="failed",
        doomed=gone,
        reason=f"containers were made from it: {', '.join(users)}",
        hint=f"image-delete --force {gone.name} stops and removes them first",
    )


def _unknown(at: Scene, text: str) -> Deleted:
    there = every_name(at)
    if text.partition("@")[0] in there:
        return Deleted(
            name=text,
            outcome="skipped",
            reason="an image goes with all its generations",
            hint="ds01 store gc --keep N drops some",
        )
    return Deleted(
        name=text,
        outcome="skipped",
        reason=f"no image is called {text!r:.200}{did_you_mean(text, there)}",
        hint="ds01 image list",
    )


def _images(at: Scene) -> Iterable[Holding]:
    return at.holdings.images if at.holdings else ()
