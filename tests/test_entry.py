"""Who interrupts a command while it starts is told so, like later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ds01build import entry

# Interrupts whatever imports click, the first that a command line needs.
PROGRAM = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
from ds01build import entry
entry.{command}()
"""


@pytest.mark.parametrize("command", entry.__all__)
def test_an_interrupt_during_imports_is_no_traceback(command: str) -> None:
    program = PROGRAM.format(command=command)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
