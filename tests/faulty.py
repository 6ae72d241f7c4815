"""Runs ds01 and lets one of its system calls fail: ``python faulty.py NUMBER HOW MARK ...``.

NUMBER says which call of write, fsync, rename and mkdir, counted over all threads from 1. HOW is
``kill``, or an error such as ENOSPC. MARK is a file that is made when it happens. With number 0
nothing does, and MARK gets how many calls there are.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = ("write", "fsync", "rename", "replace", "mkdir")


class Faults:
    """Counts calls, and makes one of them fail."""

    def __init__(self, number: int, how: str, mark: str) -> None:
        self.number, self.how, self.mark = number, how, mark
        self.count = 0
        self.lock = threading.Lock()
        self.real = {name: getattr(os, name) for name in CALLS}

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        with self.lock:
            self.count += 1
            if self.count == self.number:
                self.fail(name)
        return self.real[name](*arguments, **named)

    def fail(self, name: str) -> None:
        self.note(name)
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        code = getattr(errno, self.how)
        raise OSError(code, os.strerror(code))

    def note(self, text: str) -> None:
        descriptor = os.open(self.mark, os.O_WRONLY | os.O_CREAT, 0o600)
        self.real["write"](descriptor, text.encode())
        os.close(descriptor)


def install(faults: Faults) -> None:
    """Put counted calls in the place of the real ones, for all that is imported later."""
    for name in CALLS:
        counted: Callable[..., Any] = partial(faults.call, name)
        setattr(os, name, counted)


if __name__ == "__main__":
    faults = Faults(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    install(faults)
    sys.argv[:] = ["ds01", *sys.argv[4:]]
    from ds01build.cli import main

    try:
        main()
    finally:
        if not faults.number:
            faults.note(str(faults.count))
