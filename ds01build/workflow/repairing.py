"""Repairs a store: what it can't put right by itself is fetched, or made again from locks."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ds01build.errors import Ds01Error, StoreError
from ds01build.events import Note
from ds01build.fetch import NotThere
from ds01build.labels import labels_of
from ds01build.lock import LockedImage
from ds01build.pin import WheelPin
from ds01build.store import audit, mending, roots
from ds01build.store.manifests import needed
from ds01build.workflow import downloads
from ds01build.workflow.assembling import assembled
from ds01build.workflow.executing import Executing
from ds01build.workflow.kept import Kept, kept, recover
from ds01build.workflow.making import Making, made_of, native
from ds01build.workflow.missing import missing_debs, not_there
from ds01build.workflow.planning import make_plan
from ds01build.workflow.registered import fetch_layers, registered
from ds01build.workflow.sourcing import build_again
from ds01build.workflow.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ds01build.digest import Digest
    from ds01build.events import Report
    from ds01build.pin import DebPin
    from ds01build.store import DirStore
    from ds01build.store.audit import Finding
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["Repair", "repair"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was wrong with a store, what still is, and why that could not be put right.

    ``quarantined`` is what was moved there, and nothing has taken its place; ``lost`` says what
    nobody knows any more, and no repair will find.
    """

    found: tuple[Finding, ...]
    left: tuple[Finding, ...]
    quarantined: tuple[Finding, ...]
    reasons: tuple[Ds01Error, ...]
    lost: tuple[str, ...] = ()

    @property
    def repaired(self) -> tuple[Finding, ...]:
        """What was wrong and is so no longer."""
        others = {*self.left, *self.quarantined}
        return tuple(finding for finding in self.found if finding not in others)


@dataclass(slots=True)
class _Reasons:
    """Errors that do not end a repair: the rest can be put right all the same."""

    errors: list[Ds01Error] = field(default_factory=list)

    def trying(self, action: Callable[[DirStore, T], object], one: T, store: DirStore) -> None:
        try:
            action(store, one)
        except Ds01Error as error:
            if str(error) not in map(str, self.errors):
                self.errors.append(error)


def repair(store: DirStore, edges: Callable[[], Edges], report: Report) -> Repair:
    """Put right what can be, and look the store through again.

    ``edges`` are asked for once the store can be opened, and only if something has to be fetched or
    made. Nothing is deleted but rows and names of what is gone; bad bytes lie in quarantine.
    """
    reasons, unknown = _Reasons(), mending.unknown(store)
    found = _mend(store, reasons, report)
    lost = {finding.digest for finding in found if finding.digest and _is_blob(finding)}
    for one in _generations(store):
        reasons.trying(recover, one, store)
    wanting = [one for one in _generations(store) if _lacks(store, one) or lost]
    if wanting:
        _bring(store, wanting, lost, edges(), reasons)
    for finding in found:
        if finding.path.startswith("keys/"):
            reasons.trying(mending.forget, finding, store)
    mending.restore_index(store)
    left = tuple(sorted(audit.verify(store, report)))
    moved = tuple(finding for finding in found if _is_gone(store, finding))
    return Repair(
        found=found,
        left=left,
        quarantined=moved,
        reasons=tuple(reasons.errors) if left else (),
        lost=tuple(filter(None, [unknown, *map(_lost, moved)])),
    )


def _is_gone(store: DirStore, finding: Finding) -> bool:
    """Say whether what was bad or foreign is there no longer, and nothing in its place."""
    return finding.kind != "missing" and not os.path.lexists(store.root / finding.path)


def _lost(finding: Finding) -> str:
    """Say what went with what is in quarantine now, nothing where it can be made again."""
    place, _, rest = finding.path.partition("/")
    name, _, number = rest.partition("/")
    if place != "roots" or finding.kind != "corrupt":
        return ""
    number = number.removesuffix(".json")
    return f"generation {number} of {name}; what it came to stays while a name stands for it"


def _mend(store: DirStore, reasons: _Reasons, report: Report) -> tuple[Finding, ...]:
    """Do what the store can do by itself, and return all that was wrong."""
    found: set[Finding] = set()
    while True:  # behind a directory that is missing, or a blob that lies, there may be more
        new = set(audit.verify(store, report)) - found
        if not new:
            return tuple(sorted(found))
        for finding in sorted(new):
            reasons.trying(mending.mend, finding, store)
        found |= new


def _is_blob(finding: Finding) -> bool:
    return finding.kind == "corrupt" and finding.path.startswith("blobs/")


def _generations(store: DirStore) -> list[Kept]:
    return [
        Kept(name=name, generation=generation)
        for name in roots.names(store.root)
        for generation in reversed(roots.generations(store.root, name))
    ]


def _lacks(store: DirStore, one: Kept) -> bool:
    """Say whether blobs of a generation's image are missing."""
    try:
        every = needed(store, one.generation.image)
    except (StoreError, ValueError):
        return True
    return not all(store.has(*part) for part in every)


def _bring(
    store: DirStore,
    wanting: Iterable[Kept],
    lost: set[Digest],
    edges: Edges,
    reasons: _Reasons,
) -> None:
    for one in wanting:
        try:
            locked = kept(store, one)
        except Ds01Error as error:
            reasons.errors.append(_told(one, error))
            continue
        with store.lease(_named(store, one, locked)):
            if _lacks(store, one):
                try:
                    _make(one, locked, edges)
                except NotThere as error:
                    debs = missing_debs(error, locked.lock)
                    told = not_there(error, debs, locked.request.path)
                    reasons.errors.append(_told(one, told))
                except Ds01Error as error:
                    reasons.errors.append(_told(one, error))
            _fetch(locked, {digest for digest in lost if not store.has(digest)}, edges)


def _told(one: Kept, error: Ds01Error) -> Ds01Error:
    place = one.generation.place or "RECIPE"
    return Ds01Error(f"{one}: {error}", error.hint or f"ds01 build {place}")


def _named(store: DirStore, one: Kept, locked: Locked) -> set[Digest]:
    pins: list[WheelPin | DebPin] = [*locked.lock.wheels, *locked.lock.debs]
    base = locked.lock.base.layers if isinstance(locked.lock.base, LockedImage) else ()
    digests = {one.generation.image, *(pin.digest for pin in pins), *(b.digest for b in base)}
    try:
        return digests | {digest for digest, _ in needed(store, one.generation.image)}
    except (StoreError, ValueError):
        return digests


def _make(one: Kept, locked: Locked, edges: Edges) -> None:
    """Make what is missing of a generation's image: native layers, then the rest if need be.

    Raises what a build raises, and Ds01Error where another image comes of it.
    """
    edges.report(Note(f"repairing {one}"))
    planned = _planned(locked, edges)
    with Executing(locked=locked, edges=edges, labels={}) as none:
        part = native(planned)
        if part.plan.stack:
            made_of(part, edges, Making(executor=none, timer=Timer(edges.clock), take=_ignore))
    if not _lacks(edges.store, one):
        return
    planned = _planned(locked, edges)
    labels = labels_of(locked.lock, planned.graph)
    with Executing(locked=locked, edges=edges, labels=labels) as executing:
        executing.require(planned.plan)
        making = Making(executor=executing, timer=Timer(edges.clock), take=_ignore)
        image = assembled(planned, made_of(planned, edges, making), edges)
    if image.digest != one.generation.image:
        raise Ds01Error(f"its lock comes to another image here, {image.digest}")
    edges.store.put(image.config)
    edges.store.put(image.manifest)


def _ignore(_step: object, _layer: object) -> None:
    """Take a layer that was made, and do nothing with it."""


def _planned(locked: Locked, edges: Edges) -> Planned:
    """Plan with the wheels that no index has, which are built again where the store lacks them."""
    planned = make_plan(locked, edges)
    built = [p for p in planned.plan.downloads if isinstance(p, WheelPin) and p.is_built]
    if not built:
        return planned
    build_again(built, locked, edges)
    return make_plan(locked, edges)


def _fetch(locked: Locked, lost: set[Digest], edges: Edges) -> None:
    """Fetch again what was damaged of what a lock names; nothing needs it, so it may fail."""
    every: list[WheelPin | DebPin] = [*locked.lock.wheels, *locked.lock.debs]
    pins = [
        pin
        for pin in every
        if pin.digest in lost and not (isinstance(pin, WheelPin) and pin.is_built)
    ]
    base = registered(locked.lock.base)
    layers = [each for each in base.layers if each.digest in lost] if base else []
    try:
        with closing(downloads.arrivals(pins, locked, edges, [])) as arriving:
            for _ in arriving:
                pass
        if base and layers:
            fetch_layers(
                base.reference,
                layers,
                registry=edges.bases.registry,
                store=edges.store,
                tell=edges.report,
            )
    except Ds01Error as error:
        edges.report(Note(f"not fetched again until it is needed: {error}"))
