"""Which blobs nothing needs any more: a pure function of what a store holds and what was asked.

Marks from the roots: generations that stay, other names of index.json, leases. What is left is
garbage, with the rows and names that stand for it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.digest import Digest, Key
    from ds01build.store.leases import Leases

__all__ = ["LOG_AGE", "Blob", "Deletion", "Policy", "Reached", "Scene", "plan"]

LOG_AGE = 30 * 24 * 3600.0  # seconds that a log stays, unless another age is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """How large a blob or a log is, and when it was last written or renewed."""

    size: int  # bytes
    changed: int  # nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A generation and the blobs that it needs; None where damage keeps that from being known.

    ``reason`` says why it stays whatever is asked, and is empty where it need not.
    """

    name: str
    number: int
    created: str  # RFC 3339, UTC
    image: Digest
    blobs: frozenset[Digest] | None = field(repr=False)
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a store holds. ``rows`` are by the blob that they are of, which need not be there.

    ``tagged`` is what names of index.json reach that belong to no generation; ``tags`` are those
    that go with the generations of their image: name, root and manifest.
    """

    blobs: Mapping[Digest, Blob]
    rows: Mapping[Digest, tuple[Key, ...]]
    generations: tuple[Reached, ...]
    tagged: frozenset[Digest]
    tags: tuple[tuple[str, str, Digest], ...]
    leases: Leases
    quarantined: Mapping[str, int]  # bytes by file
    free: int  # bytes that the file system has left
    logs: Mapping[str, Blob] = field(default_factory=dict)  # by file


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may go beyond what nothing reaches.

    Of each name the newest ``keep`` generations stay, and those created at ``before`` or later;
    where both are None, all do, unless ``min_free`` asks for room: then the oldest go first, and no
    more than it takes. Logs go that were last written before ``logs``.
    """

    keep: int | None = None
    before: str | None = None  # RFC 3339, UTC
    min_free: int | None = None  # bytes
    logs: int = 0  # nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What is to be deleted, all of it sorted."""

    generations: tuple[Reached, ...] = ()
    tags: tuple[str, ...] = ()
    rows: tuple[Key, ...] = ()
    blobs: tuple[Digest, ...] = ()
    quarantined: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    size: int = 0  # bytes of blobs, of logs, and of what was quarantined


def plan(scene: Scene, policy: Policy) -> Deletion:
    """Return what is to be deleted.

    Raises StoreError where a root is damaged, so that what it needs is not known.
    """
    if policy.min_free is None:
        gone = _droppable(scene, policy)
        return _deletion(scene, gone, _garbage(scene, gone), _old_logs(scene, policy))
    needed = policy.min_free - scene.free
    if needed <= 0:
        return Deletion()
    return _enough(scene, _droppable(scene, policy), _old_logs(scene, policy), needed)


def _old_logs(scene: Scene, policy: Policy) -> tuple[str, ...]:
    """Return the logs that go: none of a build under way."""
    before = min(policy.logs, scene.leases.since)
    return tuple(sorted(name for name, log in scene.logs.items() if log.changed < before))


def _enough(
    scene: Scene, droppable: tuple[Reached, ...], logs: tuple[str, ...], needed: int
) -> Deletion:
    """Delete what nothing reaches, least recently used first, then generations, oldest first."""
    needed -= sum(scene.quarantined.values()) + sum(scene.logs[name].size for name in logs)
    garbage = sorted(_garbage(scene, ()), key=lambda one: (scene.blobs[one].changed, one))
    if needed <= _size(scene, garbage):
        taken: list[Digest] = []
        for digest in garbage:
            if needed > 0:
                taken.append(digest)
                needed -= scene.blobs[digest].size
        return _deletion(scene, (), taken, logs)
    counts = range(len(droppable))  # the more generations go, the more becomes garbage
    count = bisect_left(
        counts, needed, key=lambda count: _size(scene, _garbage(scene, droppable[:count]))
    )
    return _deletion(scene, droppable[:count], _garbage(scene, droppable[:count]), logs)


def _droppable(scene: Scene, policy: Policy) -> tuple[Reached, ...]:
    """Return the generations that may go, oldest first. The newest of a name never may."""
    if policy == Policy(logs=policy.logs):
        return ()
    found: list[Reached] = []
    for name in sorted({one.name for one in scene.generations}):
        own = sorted((g for g in scene.generations if g.name == name), key=lambda g: -g.number)
        found += [g for g in own[max(1, policy.keep or 0) :] if _may_go(g, scene, policy)]
    return tuple(sorted(found, key=lambda one: (one.created, one.name, one.number)))


def _may_go(one: Reached, scene: Scene, policy: Policy) -> bool:
    blob = scene.blobs.get(one.image)
    in_use = blob is not None and scene.leases.keep(one.image, blob.changed)
    is_young = policy.before is not None and one.created >= policy.before
    return not (one.reason or in_use or is_young)


def _garbage(scene: Scene, gone: Iterable[Reached]) -> set[Digest]:
    left = set(scene.generations).difference(gone)
    marked = set(scene.tagged)
    for one in left:
        if one.blobs is None:
            raise StoreError(
                f"what {one} needs is not known, since its manifest is damaged or missing: "
                "nothing was removed",
                hint="ds01 store verify",
            )
        marked |= one.blobs
    return {
        digest
        for digest, blob in scene.blobs.items()
        if digest not in marked and not scene.leases.keep(digest, blob.changed)
    }


def _deletion(
    scene: Scene, gone: Iterable[Reached], garbage: Iterable[Digest], logs: tuple[str, ...]
) -> Deletion:
    gone, blobs = tuple(gone), tuple(sorted(garbage))
    left = {(one.name, one.image) for one in scene.generations if one not in gone}
    lost = [digest for digest in scene.rows if digest not in scene.blobs]
    return Deletion(
        generations=tuple(sorted(gone, key=lambda one: (one.name, one.number))),
        tags=tuple(sorted(tag for tag, name, image in scene.tags if (name, image) not in left)),
        rows=tuple(sorted(key for one in (*blobs, *lost) for key in scene.rows.get(one, ()))),
        blobs=blobs,
        quarantined=tuple(sorted(scene.quarantined)),
        logs=logs,
        size=_size(scene, blobs)
        + sum(scene.quarantined.values())
        + sum(scene.logs[name].size for name in logs),
    )


def _size(scene: Scene, digests: Iterable[Digest]) -> int:
    return sum(scene.blobs[digest].size for digest in digests)
