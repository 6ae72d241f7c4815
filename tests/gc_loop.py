"""Collects garbage over and over: run as ``python gc_loop.py STORE SECONDS``; prints each pass.

With ``once`` in place of the seconds, collects once.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ds01build.store import open_store
from ds01build.store.gc import Policy
from ds01build.workflow.collecting import Wish, collect


def one_pass(root: Path) -> list[str]:
    """Drop all but the newest two generations of each name, and return the blobs that went."""
    store = open_store(root, uid=os.geteuid())
    wish = Wish(policy=Policy(keep=2), delete=True)
    found = collect(store, "none", wish, lambda _: None, time.time())
    return [digest.hex for digest in found.deletion.blobs]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    end = time.monotonic() + (0 if sys.argv[2] == "once" else float(sys.argv[2]))
    while True:
        sys.stdout.write(json.dumps(one_pass(place)) + "\n")
        sys.stdout.flush()
        if time.monotonic() >= end:
            break
