"""What ends a command from outside: Ctrl-C, a stop by the system, a terminal that is closed."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["close", "listen"]

_AGAIN = 0.01  # seconds


def listen() -> None:
    """Let each of them raise KeyboardInterrupt in what the command is doing.

    One that comes while Python runs a callback of a weak reference, or a destructor, would be
    printed by Python and forgotten: it is raised again a moment later.
    """
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup has it ignored
        signal.signal(signal.SIGHUP, _interrupt)
    sys.unraisablehook = partial(_unraisable, sys.unraisablehook)


def close(*, was_interrupted: bool) -> None:
    """Raise no more that were forgotten; who pressed twice is not to see how Python ends."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    if was_interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _unraisable(
    before: Callable[[sys.UnraisableHookArgs], object], lost: sys.UnraisableHookArgs
) -> None:
    if issubclass(lost.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
    else:
        before(lost)
