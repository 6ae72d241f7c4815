"""Removes containers for good, and with them, where that is asked for, their images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.engine import containers
from ds01build.engine.holdings import holdings, named
from ds01build.workflow import deleting, lives
from ds01build.workflow.lives import Outcome
from ds01build.workflow.standing import image_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from ds01build.engine.containers import Row
    from ds01build.store import DirStore
    from ds01build.workflow.containers import Host
    from ds01build.workflow.deleting import Deleted, Doomed

__all__ = ["Removed", "foreseen", "images_of", "plan", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What came, or would come, of containers and of the images that were to go with them."""

    containers: tuple[Outcome, ...]
    images: tuple[Deleted, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all that was to go went."""
        gone = all(each.outcome == "removed" for each in self.containers)
        return gone and all(each.outcome == "deleted" for each in self.images)


def foreseen(row: Row, *, force: bool) -> Outcome:
    """Return what would come of a container if nothing goes wrong."""
    if row.is_running and not force:
        return Outcome(
            name=row.name,
            outcome="failed",
            reason=f"it is {row.state}",
            hint=f"container-stop {row.name}, or container-remove --force {row.name}",
        )
    return Outcome(name=row.name, outcome="removed")


def plan(
    rows: Sequence[Row], host: Host, *, force: bool, store: Callable[[], DirStore] | None = None
) -> Removed:
    """Return what ``remove`` would come to if nothing goes wrong; nothing is removed."""
    gone = tuple(foreseen(row, force=force) for row in rows)
    if store is None:
        return Removed(containers=gone)
    ids = {row.container_id for row in rows if foreseen(row, force=force).outcome == "removed"}
    at = deleting.scene(store(), host.engine(), holdings(host.engine()))
    doomed = [deleting.doomed(at, name, None) for name in images_of(rows, host)]
    images = (deleting.outlook(_without(each, ids), force=False) for each in doomed)
    return Removed(containers=gone, images=tuple(images))


def _without(gone: Doomed | Deleted, ids: AbstractSet[str]) -> Doomed | Deleted:
    """Return what would go with an image when containers of those ids are gone before it."""
    if not isinstance(gone, deleting.Doomed):
        return gone
    left = tuple(one for one in gone.containers if one.container.container_id not in ids)
    return replace(gone, containers=left)


def images_of(rows: Sequence[Row], host: Host) -> tuple[str, ...]:
    """Return the names of the user's images that containers were made from, others left out."""
    engine = host.engine()
    found = (named(image_name(engine, row)) for row in rows)
    uid = host.identity.uid
    return tuple(sorted({each[1] for each in found if each and each[0] == uid}))


def remove(
    rows: Sequence[Row],
    host: Host,
    *,
    force: bool = False,
    volumes: bool = False,
    store: Callable[[], DirStore] | None = None,
) -> Removed:
    """Remove containers, running ones with ``force`` alone; files of the host stay.

    With a ``store``, the user's images that they were made from are deleted, too, as image-delete
    does it: unless other containers are of them. Recipes, locks and Dockerfiles stay. What goes
    wrong with one keeps no other from going. Raises Unavailable.
    """
    names = images_of(rows, host) if store is not None else ()

    def act(row: Row) -> Outcome:
        return _removed(row, host, force=force, volumes=volumes)

    gone = lives.each(rows, act)
    if store is None:
        return Removed(containers=gone)
    return Removed(containers=gone, images=_deleted(names, store(), host))


def _removed(row: Row, host: Host, *, force: bool, volumes: bool) -> Outcome:
    outcome = foreseen(row, force=force)
    if outcome.outcome == "removed":
        containers.remove(host.engine(), row.container_id, volumes=volumes, is_killed=force)
    return outcome


def _deleted(names: Sequence[str], store: DirStore, host: Host) -> tuple[Deleted, ...]:
    engine = host.engine()
    found: list[Deleted] = []
    for name in names:
        at = deleting.scene(store, engine, holdings(engine))
        gone = deleting.doomed(at, name, None)
        if isinstance(gone, deleting.Doomed):
            gone = deleting.delete(at, gone, force=False)
        found.append(gone)
    return tuple(found)
