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

__all__ = ["ByHand", "by_hand"]


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
    def left(self) -> tuple[Note, ...]:
        """What no recipe could ask for, though it was installed."""
        notes = self.draft.notes if self.draft else ()
        return tuple(note for note in notes if note.outcome == "dropped")


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
