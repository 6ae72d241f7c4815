"""What a build needs only when it has a lock is imported while the lock is made."""

from __future__ import annotations

import json
import subprocess
import sys

# Tells which of some modules are there before anything was told, after a warning, after notes.
PROGRAM = """
import json, sys, threading
import ds01build.workflow.building, ds01build.workflow.machine
from ds01build.cli.ahead import Ahead
from ds01build.events import Note, Warned

def there():
    heavy = ("networkx", "docker", "urllib3", "debian", "ds01build.workflow.realising")
    return [name for name in heavy if name in sys.modules]

def joined(name):
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()

def fail():
    done.append(there())
    raise OSError

told, seen, done = [], [there()], []
ahead = Ahead(told.append)
ahead.then(fail)
ahead.then(lambda: done.append("more"))
for event in (Warned("a"), Note("b"), Note("c")):
    ahead.tell(event)
    joined("ahead")
    joined("ahead")  # what the first of them began
    seen.append(there())
print(json.dumps([seen, [event.text for event in told], done]))
"""


def test_the_rest_of_a_build_is_imported_when_somebody_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    seen, told, more = json.loads(done.stdout)
    whole = ["networkx", "docker", "urllib3", "ds01build.workflow.realising"]
    assert seen == [[], [], whole, whole]
    assert told == ["a", "b", "c"]
    assert more == [whole, "more"]
    assert not done.stderr
