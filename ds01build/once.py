"""Things that are made when they are first needed, by whichever thread needs them."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["once"]

T = TypeVar("T")


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Return what gives the thing that ``make`` makes, the same one each time.

    Who asks while it is being made waits. Where ``make`` raises, the next one tries again.
    """
    lock, kept = threading.Lock(), cache(make)

    def give() -> T:
        with lock:
            return kept()

    return give
