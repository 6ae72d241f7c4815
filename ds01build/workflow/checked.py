"""What a look at a machine comes to, row by row."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Checked", "State", "guarded"]

State = Literal["ok", "warning", "problem", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that was looked at; ``remedy`` says what to do, a command where there is one.

    A warning is what some commands do without, a problem what none should have to. Unknown is what
    a problem of another topic kept from being looked at.
    """

    topic: str
    says: str
    state: State = "ok"
    remedy: str = ""

    def answer(self) -> dict[str, object]:
        """Return the object that commands print."""
        return {
            "topic": self.topic,
            "state": self.state,
            "says": self.says,
            "remedy": self.remedy or None,
        }


def guarded(
    topic: str, look: Callable[[], Iterable[Checked]], remedy: str = ""
) -> Iterator[Checked]:
    """Yield what ``look`` finds; an error is a problem of that topic, and no end of the others.

    ``remedy`` is what to do about one that does not say it itself.
    """
    try:
        yield from look()
    except Ds01Error as error:
        yield Checked(topic=topic, says=str(error), state="problem", remedy=error.hint or remedy)
    except OSError as error:
        place, said = error.filename, error.strerror or str(error)
        if place:
            remedy, said = f"ls -ld -- {shlex.quote(str(place))}", f"{place}: {said}"
        yield Checked(topic=topic, says=said, state="problem", remedy=remedy)
