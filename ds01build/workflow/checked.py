"""What a look at a machine comes to, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Checked", "State", "guarded"]

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that was looked at; ``remedy`` says what to do, a command where there is one.

    A warning is what some commands do without, a problem what none should have to.
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


def guarded(topic: str, look: Callable[[], Iterable[Checked]]) -> Iterator[Checked]:
    """Yield what ``look`` finds; an error is a problem of that topic, and no end of the others."""
    try:
        yield from look()
    except Ds01Error as error:
        yield Checked(topic=topic, says=str(error), state="problem", remedy=error.hint)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        yield Checked(topic=topic, says=f"{place}{error.strerror or error}", state="problem")
