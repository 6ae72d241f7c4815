"""What was installed by hand in a container, as a draft; the container stays as it is."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.engine.changes import (
    changes_of,
    contents_of,
    find_container,
    image_contents,
    modified,
)
from ds01build.errors import Ds01Error
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
from ds01build.recipe.choosing import homes
from ds01build.workflow.mounted import look

if TYPE_CHECKING:
    from ds01build.engine.api import Engine
    from ds01build.recipe import Base
    from ds01build.recipe.editing import Text

__all__ = ["Inspected", "commands", "inspect"]

_MAX_PACKAGES = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What a container has beyond its image; ``image`` is the name that ds01 built that under.

    That is empty where ds01 did not. ``draft`` has the image as its base.
    """

    draft: Draft
    image: str


def inspect(engine: Engine, name: str, *, everything: bool) -> Inspected:
    """Look into a container, running or not. Raises Ds01Error, RejectedFile, Unavailable."""
    container = find_container(engine, name)
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
    return Inspected(draft=draft, image=_built(container.labels.get("ds01.name", "")))


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
