"""What a build needs only when it has a lock is imported while the lock is made."""

from __future__ import annotations

import json
import subprocess
import sys

# Tells which of some modules are there before anything was told, after a warning, after notes.
PROGRAM = """
import json, sys, threading
import ds01build.workflow.building, ds01build.workflow.machine
from ds01build.cli.ahead import importing_ahead
from ds01build.events import Note, Warned

def there():
    heavy = ("networkx", "docker", "ds01build.workflow.realising")
    return [name for name in heavy if name in sys.modules]

told, seen = [], [there()]
tell = importing_ahead(told.append)
for event in (Warned("a"), Note("b"), Note("c")):
    tell(event)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    seen.append(there())
print(json.dumps([seen, [event.text for event in told]]))
"""


def test_the_rest_of_a_build_is_imported_when_somebody_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    seen, told = json.loads(done.stdout)
    whole = ["networkx", "docker", "ds01build.workflow.realising"]
    assert seen == [[], [], whole, whole]
    assert told == ["a", "b", "c"]
