"""What people have installed by hand in their containers, and where it could be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, Unavailable
from ds01build.workflow.inspecting import inspect

if TYPE_CHECKING:
    from ds01build.engine.containers import Row
    from ds01build.importing import Draft
    from ds01build.importing.draft import Note
    from ds01build.workflow.containers import Host

__all__ = ["ByHand", "Unsaved", "by_hand"]

_REMOVED = "removed by hand"  # how the reason begins of what is there no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaved:
    """Something installed that no recipe can ask for: a package, or a path with an empty version.

    ``why`` it cannot is said for people.
    """

    name: str
    version: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    def answer(self) -> dict[str, object]:
        """Return the object that ``--json`` of upgrade and retire prints."""
        return {"name": self.name, "version": self.version or None, "why": self.why}


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What a container has beyond its image; ``unknown`` says why that is not known, if it is not.

    ``image`` is the name that ds01 built its image under, empty where it did not.
    """

    draft: Draft | None = None
    image: str = ""
    unknown: str = ""

    @property
    def packages(self) -> tuple[str, ...]:
        """What somebody asked for, each in the version that is there."""
        slices = self.draft.slices if self.draft else ()
        return tuple(package for each in slices for package in each.packages)

    @property
    def unsaved(self) -> tuple[Unsaved, ...]:
        """What no recipe could ask for, though it was installed."""
        found = (note for note in self._left if not note.reason.startswith(_REMOVED))
        return tuple(map(_unsaved, found))

    @property
    def removed(self) -> tuple[Note, ...]:
        """What the image has and somebody has removed, which no recipe could say."""
        return tuple(note for note in self._left if note.reason.startswith(_REMOVED))

    @property
    def _left(self) -> tuple[Note, ...]:
        notes = self.draft.notes if self.draft else ()
        return tuple(note for note in notes if note.outcome == "dropped")


def _unsaved(note: Note) -> Unsaved:
    name, _, version = (note.text, "", "") if "/" in note.text else note.text.rpartition(" ")
    return Unsaved(name=name or version, version=version if name else "", why=note.reason)


def by_hand(row: Row, host: Host) -> ByHand:
    """Look into a container, running or not. Raises Unavailable where the engine does not answer.

    One that cannot be looked into is no reason to keep it.
    """
    try:
        found = inspect(host.engine(), row.container_id, uid=host.identity.uid, everything=False)
    except Unavailable:
        raise
    except Ds01Error as error:
        return ByHand(unknown=str(error))
    return ByHand(draft=found.draft, image=found.image)
