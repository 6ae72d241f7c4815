"""Names of containers that are not whole yet, or that others are about to replace.

They tell what a container is going to be called, or was, why, and by which process, so that
whoever comes later can put right what a dead one left.
"""

from __future__ import annotations

import re
import secrets
from typing import Literal, NamedTuple

from ds01build.engine.owner import Owner, current

__all__ = ["Interim", "Why", "interim", "interim_name"]

Why = Literal["creating", "stopped", "ran"]  # the last two of one that is being replaced
_NAME = re.compile(
    r"(?P<name>.{1,120})\.(?P<why>creating|stopped|ran)\.(?P<owner>[0-9a-f.-]{1,120})\.[0-9a-f]{8}"
)


class Interim(NamedTuple):
    """What such a name tells; ``owner`` is None where it names no process."""

    name: str
    why: str
    owner: Owner | None

    @property
    def may_live(self) -> bool:
        """Whether the process may still be at work."""
        return self.owner is not None and self.owner.may_live


def interim(name: str) -> Interim | None:
    """Return what a name tells, None for one that is for people."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    owner = Owner.parse(match["owner"].replace(".", "/"))
    return Interim(match["name"], match["why"], owner)


def interim_name(name: str, why: Why) -> str:
    """Return a name that no other container has, for one of this process."""
    owner = str(current()).replace("/", ".")
    return f"{name}.{why}.{owner}.{secrets.token_hex(4)}"
