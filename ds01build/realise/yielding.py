"""Work that lets what is more urgent have the processors."""

from __future__ import annotations

import os
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread, get_native_id
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["yielding"]

T = TypeVar("T")

_NICE = 5  # a third of what others get where all processors are busy, setpriority(2)


def yielding(work: Callable[[], T]) -> T:
    """Do ``work`` with a lower priority, and return or raise what it does.

    It has a thread of its own, since nobody but root can raise a priority again.
    """
    outcome: Future[T] = Future()
    Thread(target=_settle, args=(outcome, work), name="layer, yielding").start()
    return outcome.result()


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    with suppress(OSError):  # only Linux has priorities of threads
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 (whoever waits raises it)
        outcome.set_exception(error)
