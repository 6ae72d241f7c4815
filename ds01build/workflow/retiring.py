"""Ends containers: what was installed by hand goes into a recipe first, if that is wanted.

In this order, so that nothing is lost where something fails: the recipe and its lock, the
container, and last the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.container import read
from ds01build.engine import containers as engines
from ds01build.errors import Ds01Error
from ds01build.events import Note
from ds01build.workflow import editing, owned
from ds01build.workflow.byhand import ByHand, by_hand
from ds01build.workflow.deleting import Deleted, delete, doomed
from ds01build.workflow.importing import additions
from ds01build.workflow.naming import find_recipe
from ds01build.workflow.selecting import image_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ds01build.engine.containers import Row
    from ds01build.store import DirStore
    from ds01build.workflow.containers import Host
    from ds01build.workflow.deleting import Scene
    from ds01build.workflow.editing import Edit, Proposed
    from ds01build.workflow.steps import Edges

__all__ = ["Leaving", "Retired", "Saving", "leaving", "retire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A container that is to go, and what there is of it.

    ``recipe`` is that of its image, None where ``homeless`` says why. ``image`` is the name of an
    image of the user, empty where it is of another one.
    """

    row: Row
    workspace: str  # which stays; empty where labels do not say it
    by_hand: ByHand
    recipe: Path | None
    homeless: str
    image: str

    def edit(self) -> Edit | None:
        """Return what adds to the recipe what was installed by hand, None for nothing to add."""
        draft = self.by_hand.draft
        edits = additions([draft]) if draft else ()
        return edits[0] if edits else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Packages that a recipe is to ask for before their container goes."""

    recipe: Path
    edit: Edit
    edges: Edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """What came of it: the container has gone. What was not asked for is None."""

    name: str
    saved: Proposed | None = None
    image: Deleted | None = None


def leaving(name: str, host: Host, store: DirStore, directory: Path) -> Leaving:
    """Return what retiring the user's container of that name comes to; nothing changes.

    Its recipe is looked for as ``find_recipe`` does. Raises Ds01Error, Unavailable.
    """
    row = owned.find_own(name, host)
    wish, found = read(row.labels), by_hand(row, host)
    recipe, homeless = _recipe(found, store, directory, host.home)
    return Leaving(
        row=row,
        workspace=wish.workspace if wish else "",
        by_hand=found,
        recipe=recipe,
        homeless=homeless,
        image=image_of(wish.image if wish else row.image, host.identity.uid),
    )


def _recipe(found: ByHand, store: DirStore, directory: Path, home: Path) -> tuple[Path | None, str]:
    if not found.image:
        return None, found.unknown or "its image is not one that ds01 built"
    try:
        return find_recipe(found.image, store, directory, home), ""
    except Ds01Error as error:
        return None, str(error)


def retire(
    name: str,
    host: Host,
    *,
    saving: Saving | None = None,
    scene: Callable[[], Scene] | None = None,
    seconds: int | None = 10,
) -> Retired:
    """Stop and remove the user's container of that name; its workspace stays.

    Before, recipe and lock get what ``saving`` adds: where that fails nothing is stopped.
    Afterwards its image goes, where ``scene`` looks at what there is by then. It has ``seconds``
    to end; with None it is killed. Raises Ds01Error, Unavailable, and what locking raises.
    """
    row = owned.find_own(name, host)
    wish, engine = read(row.labels), host.engine()
    saved = _save(saving, host) if saving else None
    engines.stop(engine, row.name, seconds or 0, is_killed=seconds is None)
    engines.remove(engine, row.name, volumes=True)
    image = image_of(wish.image if wish else row.image, host.identity.uid)
    gone = _without_image(image, host, scene()) if scene else None
    return Retired(name=row.name, saved=saved, image=gone)


def _save(saving: Saving, host: Host) -> Proposed:
    def tell(text: str) -> None:
        host.report(Note(text))

    with editing.alone(saving.recipe, saving.edges.store, tell):
        proposed = editing.propose(saving.recipe, saving.edit, saving.edges)
        editing.adopt(proposed)
    return proposed


def _without_image(image: str, host: Host, at: Scene) -> Deleted:
    if not image:
        return Deleted(
            name=image, outcome="skipped", reason="the image is not one of yours", hint="image-list"
        )
    found = doomed(at, image, host.home / "dockerfiles")
    return found if isinstance(found, Deleted) else delete(at, found, force=False)
