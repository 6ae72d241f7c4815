"""How patient transfers are: how often they are tried, and how slow they may be."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.http.answer import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Pace"]

CHUNK = 256 * 1024  # bytes asked of a connection at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long to be patient; times in seconds."""

    retries: int = 3  # for each place
    first_delay: float = 0.5  # doubled for each further retry
    longest_delay: float = 60.0  # whatever a server asks for
    window: float = 60.0  # in which at least window * slowest bytes must come in
    slowest: int = 10 * 1024  # bytes per second
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random  # 0 to 1

    def delay(self, attempt: int, retry_after: float | None) -> float:
        """Return how long to wait after an attempt, the first of which is 0."""
        delay = self.first_delay * float(2**attempt) * (0.5 + self.jitter())
        return min(max(delay, retry_after or 0.0), self.longest_delay)

    def chunks(self, read: Callable[[int], bytes]) -> Generator[bytes, None, None]:
        """Yield a body as long as it comes fast enough. Raises Interrupted."""
        since, received = self.clock(), 0
        while chunk := read(CHUNK):
            yield chunk
            received += len(chunk)
            elapsed = self.clock() - since
            if elapsed >= self.window:
                if received < elapsed * self.slowest:
                    raise Interrupted(f"only {received} bytes in {elapsed:.0f} seconds")
                since, received = self.clock(), 0
