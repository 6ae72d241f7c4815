"""Puts containers on the current builds of their images; what lies in a workspace stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.container import read
from ds01build.workflow import containers
from ds01build.workflow.byhand import ByHand, by_hand

if TYPE_CHECKING:
    from ds01build.container import Specification
    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host

__all__ = ["Renewal", "renew", "renewal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A container against its image: ``unknown`` is one whose labels do not say what it is to be.

    ``by_hand`` is what goes with it, looked for where it is ``old``.
    """

    row: Row
    state: Literal["current", "old", "image gone", "unknown"]
    image: str = ""  # the tag
    by_hand: ByHand = ByHand()  # noqa: RUF009 (frozen)

    @property
    def problem(self) -> str:
        """Why it cannot be upgraded, empty where nothing is in the way."""
        if self.state == "image gone":
            return f"the engine has no image {self.image}"
        return "its labels do not say what it is to be" if self.state == "unknown" else ""

    def answer(self) -> dict[str, object]:
        """Return the object that ``container-upgrade --json`` prints, without what came of it."""
        return {
            "name": self.row.name,
            "state": self.state,
            "image": self.image or None,
            "running": self.row.is_running,
            "by_hand": list(self.by_hand.packages),
            "not_saved": [each.answer() for each in self.by_hand.unsaved],
        }


def renewal(row: Row, host: Host, image: str = "") -> Renewal:
    """Return what an upgrade of a container comes to, on ``image`` if given. Nothing changes."""
    wish = read(row.labels)
    if wish is None:
        return Renewal(row=row, state="unknown")
    tag = image or wish.image
    found = host.engine().inspect(tag)
    if found is None:
        return Renewal(row=row, state="image gone", image=tag)
    if str(found.engine_id) == row.image_id:
        return Renewal(row=row, state="current", image=tag)
    return Renewal(row=row, state="old", image=tag, by_hand=by_hand(row, host))


def renew(old: Renewal, host: Host) -> Specification:
    """Put a container on the current build of its image; it runs again if it did.

    Where anything fails it is as before. Raises Ds01Error, Unavailable.
    """
    return containers.recreate(old.row, host, old.image)
