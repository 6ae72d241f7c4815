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
    from ds01build.fetch import Waiting

__all__ = ["telling"]


def telling(tell: Report, received: list[int]) -> Callable[[FetchEvent], None]:
    """Return what passes on what fetching reports; ``received`` gets the sizes of what came."""

    def report(event: FetchEvent) -> None:
        if isinstance(event, Progress):
            tell(Received(name=event.download.name, size=event.size))
        elif isinstance(event, Finished):
            received.append(event.fetched)
            tell(Received(name=event.download.name, size=0, complete=True))
        else:
            tell(Note(_delay(event)))

    return report


def _delay(event: Retrying | Waiting) -> str:
    if isinstance(event, Retrying):
        return f"{event.download.name}: {event.reason}; once more in {event.seconds:.0f} s"
    return f"{event.download.name}: waiting for {event.holder}"
