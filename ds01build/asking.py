"""Questions to a person, apart from where and how they are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["Asker", "Defaults", "Option"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One of several answers: ``value`` stands for it, ``title`` and the lines of ``detail`` tell.

    Titles are one line; those of one question are shown with numbers, from 1.
    """

    value: str
    title: str
    detail: tuple[str, ...] = ()


class Asker(Protocol):
    """Asks, and returns valid answers alone. Whoever interrupts a question raises Abort of it."""

    def say(self, text: str) -> None:
        """Show ``text``, some lines."""

    def explain(self, topic: str) -> None:
        """Show what is said about a topic to those who want to be guided."""

    def choose(self, question: str, options: Sequence[Option], default: str) -> str:
        """Return the value of one of ``options``."""

    def check(
        self, question: str, options: Sequence[Option], chosen: Collection[str]
    ) -> tuple[str, ...]:
        """Return the values of any number of ``options``, in their order."""

    def text(
        self, question: str, read: Callable[[str], T], default: str = "", *, typed: str = ""
    ) -> T:
        """Return what ``read`` makes of an answer, which is asked again while it raises ValueError.

        An empty answer stands for ``default``. ``typed`` stands there to be changed.
        """

    def confirm(self, question: str, *, default: bool) -> bool:
        """Return whether the answer is yes."""

    def can_correct(self, problem: str) -> bool:
        """Show what is wrong with an answer, and say whether it can be asked for again."""


@final
@dataclass(frozen=True, slots=True)
class Defaults:
    """Takes every default, and shows nothing: an Asker where nobody is to be asked."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def explain(self, topic: str) -> None:
        """Show nothing."""

    def choose(self, _question: str, _options: Sequence[Option], default: str) -> str:
        """Return the default."""
        return default

    def check(
        self, _question: str, _options: Sequence[Option], chosen: Collection[str]
    ) -> tuple[str, ...]:
        """Return what is chosen beforehand."""
        return tuple(chosen)

    def text(
        self, question: str, read: Callable[[str], T], default: str = "", *, typed: str = ""
    ) -> T:
        """Return what ``read`` makes of the default. Raises ValueError where it takes none."""
        try:
            return read(typed or default)
        except ValueError as error:
            raise ValueError(f"{question}: there is no default") from error

    def confirm(self, _question: str, *, default: bool) -> bool:
        """Return the default."""
        return default

    def can_correct(self, _problem: str) -> bool:
        """Say no: nobody is there."""
        return False
