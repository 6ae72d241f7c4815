"""What a person is told of files on their way into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.events import Note, Received
from ds01build.fetch import Finished, Retrying
from ds01build.fetch import Received as Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.events import Report
    from ds01build.fetch import Event as FetchEvent

__all__ = ["once", "telling"]


def telling(tell: Report, received: list[int]) -> Callable[[FetchEvent], None]:
    """Return what passes on what fetching reports; ``received`` gets the sizes of what came.

    Another build that downloads some of the files is told of once, however many it has.
    """
    note = once(tell)

    def report(event: FetchEvent) -> None:
        if isinstance(event, Progress):
            tell(Received(name=event.download.name, size=event.size))
        elif isinstance(event, Finished):
            received.append(event.fetched)
            tell(Received(name=event.download.name, size=0, complete=True))
        elif isinstance(event, Retrying):
            again = f"{event.reason}; once more in {event.seconds:.0f} s"
            tell(Note(f"{event.download.name}: {again}"))
        else:
            note(f"waiting for what {event.holder} downloads")

    return report


def once(tell: Report) -> Callable[[str], None]:
    """Return what reports a text the first time. It may be called from any thread."""
    told: dict[str, object] = {}

    def note(text: str) -> None:
        mark = object()
        if told.setdefault(text, mark) is mark:
            tell(Note(text))

    return note
