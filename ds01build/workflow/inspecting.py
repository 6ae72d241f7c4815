"""What was installed by hand in a container, as a draft; the container stays as it is."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.container import full_name
from ds01build.digest import Digest
from ds01build.engine.changes import (
    changes_of,
    contents_of,
    find_container,
    image_contents,
    modified,
)
from ds01build.errors import Ds01Error
from ds01build.fields import TEXT_LIMIT
from ds01build.grammar import recipe_name
from ds01build.importing.bases import base_of_image
from ds01build.importing.container import (
    STATES,
    STATUS,
    Change,
    Found,
    by_hand,
    concerns,
    metadata_of,
)
from ds01build.importing.draft import Draft, noted
from ds01build.importing.standing import draft_of, stacked
from ds01build.recipe import ImageBase, parse
from ds01build.recipe.choosing import homes
from ds01build.store import roots
from ds01build.store.durable import read_own
from ds01build.workflow.generations import read_lock
from ds01build.workflow.mounted import look

if TYPE_CHECKING:
    from ds01build.engine.api import Engine
    from ds01build.recipe import Base, Recipe
    from ds01build.recipe.editing import Text
    from ds01build.store import DirStore

__all__ = ["Inspected", "commands", "inspect", "over_what_it_was_made_of"]

_MAX_PACKAGES = 3000
_OURS = re.compile(r"ds01-[0-9]{1,10}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What a container has beyond its image; ``image`` is the name that ds01 built that under.

    That is empty where ds01 did not; ``lock`` is then the digest of what it was built from.
    ``draft`` has the image as its base, and ``source`` is what its notes call the container.
    """

    draft: Draft
    image: str
    lock: str
    source: str


def inspect(engine: Engine, name: str, *, uid: int, everything: bool) -> Inspected:
    """Look into a container, running or not; ``name`` may be short for one of the user ``uid``.

    Raises Ds01Error, RejectedFile, Unavailable.
    """
    container = find_container(engine, *dict.fromkeys((name, full_name(name, uid))))
    changes = tuple(
        Change(kind, path) for kind, path in changes_of(engine, container) if concerns(path)
    )
    contents: dict[str, bytes | None] = {}
    paths = metadata_of(changes)
    if len(paths) > _MAX_PACKAGES:
        raise Ds01Error(
            f"{name} has {len(paths)} packages beyond its image: more than anybody asks for"
        )
    for path in paths:
        contents |= contents_of(engine, container.container_id, path)
    status = b""
    if STATUS in {change.path for change in changes}:
        for path in (STATUS, STATES):
            contents |= contents_of(engine, container.container_id, path)
        status = image_contents(engine, container, STATUS)
    mounted = look(container, lambda path: modified(engine, container.container_id, path))
    found = Found(
        source=name,
        changes=(*changes, *mounted.changes),
        contents=contents | mounted.contents,
        image_status=status,
    )
    found_by_hand = by_hand(found, everything=everything)
    unread = tuple(noted("dropped", name, 0, *each) for each in mounted.unread)
    draft = replace(found_by_hand, notes=(*found_by_hand.notes, *unread))
    draft = _based(draft, name, container.reference)
    labels = container.labels
    return Inspected(
        draft=draft,
        image=_built(labels.get("ds01.name", "")),
        lock=labels.get("ds01.lock", ""),
        source=name,
    )


def over_what_it_was_made_of(inspected: Inspected, store: DirStore) -> Draft:
    """Return the draft of a recipe that a registry can lock.

    An image of ds01 is in nobody's registry: what it was made of takes its place where the store
    has that, and where it has not that is noted.
    """
    base, draft = inspected.draft.base, inspected.draft
    reference = base.reference if isinstance(base, ImageBase) else ""
    if base is not None and not _OURS.match(reference):
        return draft
    there = roots.generations(store.root, inspected.image) if inspected.image else ()
    for one in reversed(there):
        lock, recipe = read_lock(store, one), _recipe(store, one)
        if lock is not None and recipe is not None and str(lock.digest) == inspected.lock:
            return stacked(draft_of(recipe, lock.tiers, inspected.source), draft)
    reason = (
        "ds01 made that image here, no registry has it, and what it was made of is not known: "
        "--base REF names what to stand on, or push it to a registry"
    )
    if base is None:
        return draft  # which is noted already
    note = noted("dropped", inspected.source, 0, f"what {reference} has", reason)
    return replace(draft, notes=(*draft.notes, note))


def _recipe(store: DirStore, one: roots.Generation) -> Recipe | None:
    """Return the recipe that a generation was made from, None where it cannot be read."""
    text = one.recipe and read_own(store.path(one.recipe), uid=store.uid, limit=TEXT_LIMIT)
    if not text or Digest.of(text) != one.recipe:
        return None
    try:
        return parse(text.decode(), source=str(one.recipe))
    except (Ds01Error, UnicodeDecodeError):
        return None


def commands(recipe: Text, draft: Draft) -> tuple[str, ...]:
    """Return the commands that add what a draft asks for to a recipe.

    A package that the recipe asks for already is replaced where it stands.
    """
    found: list[str] = []
    for each in draft.slices:
        there = [package for package in each.packages if homes(recipe, each.kind, package)]
        new = [package for package in each.packages if package not in there]
        found += [shlex.join(["ds01", "add", recipe.source, *there])] if there else []
        words = ["ds01", "add", recipe.source, "--tier", each.tier, "--kind", each.kind, *new]
        found += [shlex.join(words)] if new else []
    return tuple(found)


def _built(label: str) -> str:
    """Return the name that an image's label says ds01 gave it, empty where it is none."""
    try:
        return recipe_name(label)
    except ValueError:
        return ""


def _based(draft: Draft, name: str, reference: str) -> Draft:
    base: Base | None
    notes = draft.notes
    try:
        base = base_of_image(reference)
    except ValueError as error:
        base = None
        reason = f"{error}; --base REF names what the image stands on"
        notes = (*notes, noted("dropped", name, 0, f"the image {reference}", reason))
    return Draft(name=name.partition("._.")[0], base=base, slices=draft.slices, notes=notes)
