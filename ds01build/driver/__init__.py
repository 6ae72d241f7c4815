"""What the drivers of this machine's GPUs say: NVIDIA's through its library, AMD's in sysfs."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from ds01build.driver import amd, nvidia
from ds01build.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.gpus import Inventory

__all__ = ["inventory", "within"]

T = TypeVar("T")

_PATIENCE = 30.0  # seconds; a machine with many GPUs and no daemon of NVIDIA's takes some ten


def inventory() -> Inventory:
    """Return the GPUs of this machine: NVIDIA's where there are any, else AMD's.

    A machine without a driver has none, which is no error. Raises Unavailable where a driver
    answers with something that cannot be used, or does not answer.
    """
    library = nvidia.library()
    found = within(_PATIENCE, partial(nvidia.inventory, library)) if library else None
    return found if found and (found.gpus or found.lost) else amd.inventory(Path("/"))


def within(seconds: float, ask: Callable[[], T]) -> T:
    """Return what ``ask`` does, or raise Unavailable where a driver takes longer than that.

    One whose GPU hangs may never answer, and who waits in its library cannot be interrupted: so
    that is done in a thread, which is left behind.
    """
    answers: SimpleQueue[T | Exception] = SimpleQueue()

    def answer() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # noqa: BLE001 (raised again below)
            answers.put(error)

    threading.Thread(target=answer, daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except Empty:
        raise Unavailable(
            f"the NVIDIA driver did not answer within {seconds:g} s", hint=nvidia.HINT
        ) from None
    if isinstance(found, Exception):
        raise found
    return found
