"""An interrupt ends a command wherever it comes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, time, weakref
from ds01build.cli import interrupts

class Thing:
    def __del__(self):
        if "__del__" in sys.argv:
            signal.raise_signal(int(sys.argv[2]))

def gone(_reference):
    if "callback" in sys.argv:
        signal.raise_signal(int(sys.argv[2]))

interrupts.listen()
try:
    thing = Thing()
    reference = weakref.ref(thing, gone)
    del thing
    print("forgotten", flush=True)
    time.sleep(30)
except KeyboardInterrupt:
    interrupts.close(was_interrupted=True)
    sys.exit(130)
"""


@pytest.mark.parametrize("place", ["callback", "__del__"])
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_that_python_would_forget_ends_the_command(place: str, number: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, place, str(getattr(signal, number).value)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "forgotten\n", "")


def test_any_other_fault_there_is_still_shown() -> None:
    program = PROGRAM.replace("signal.raise_signal(int(sys.argv[2]))", "1 / 0").replace(
        "(30)", "(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "callback", "0"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "ZeroDivisionError" in done.stderr
