"""Garbage: a store of many blobs that nothing needs, read from a disk that nothing has cached."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Outcome, Series, Verdict
from bench.room import DS01, seconds
from ds01build.digest import Digest
from ds01build.store import open_store

if TYPE_CHECKING:
    from bench.room import Room

BLOBS, SIZE = 10_000, 2_000  # bytes, about
SECONDS = 5.0  # bound
_CACHES = Path("/proc/sys/vm/drop_caches")


def measure(room: Room, rounds: int) -> Outcome:
    """Collect all of it, and check that exactly what a dry run names is gone."""
    taken, wrong, note = [], 0, ""
    for _ in range(rounds):
        place = room.part("gc")
        planted = _plant(place.directory / "store")
        collect = [str(DS01), "store", "gc", "--json"]
        told = json.loads(place.output(*collect[1:], "--dry-run"))
        note = _forget_caches()
        taken.append(seconds(collect, place.environment))
        there = {path.name for path in (place.directory / "store/blobs/sha256").iterdir()}
        wrong += len(planted ^ set(told["blobs"])) + len(there)
        place.clear()
    series = Series(name=f"gc of {BLOBS} blobs", unit="s", values=tuple(taken))
    return Outcome(
        scenario="gc",
        series=(series,),
        verdicts=(
            Verdict(name=series.name, value=series.median, bound=SECONDS, unit="s"),
            Verdict(name="blobs named or left wrongly", value=wrong, bound=0, unit=""),
        ),
        note=note,
    )


def _plant(root: Path) -> set[str]:
    store = open_store(root, uid=os.geteuid())
    planted = set()
    for number in range(BLOBS):
        content = b"%d " % number * (SIZE // 6)
        path = store.path(Digest.of(content))
        path.write_bytes(content)
        path.chmod(0o444)
        planted.add(str(Digest.of(content)))
    return planted


def _forget_caches() -> str:
    """Let the system forget what it has of the disk, and say whether it did."""
    os.sync()
    try:
        _CACHES.write_text("3")
    except OSError:
        return "caches warm: only root can empty them"
    time.sleep(2)  # what it writes out by itself
    return "caches cold"
