"""A build that changes nothing, against importing click."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.figures import Outcome, Series, Verdict, ratio
from bench.room import seconds

if TYPE_CHECKING:
    from bench.room import Room

BOUND = 3.0
LEAST = 15  # runs


def measure(room: Room, rounds: int, least: int = LEAST) -> Outcome:
    kept = room.part("unchanged")
    kept.run("build", "--frozen", "--quiet")
    build = kept.command("build", "--quiet")
    click = [sys.executable, "-c", "import click"]
    seconds(build, kept.environment)
    runs = [
        (seconds(build, kept.environment), seconds(click, kept.environment))
        for _ in range(max(least, rounds))
    ]
    kept.clear()
    built, imported = zip(*runs, strict=True)
    ours = Series(name="ds01 build --quiet, nothing changed", unit="s", values=built)
    theirs = Series(name='python -c "import click"', unit="s", values=imported)
    verdict = Verdict(name="build / import", value=ratio(ours, theirs), bound=BOUND, unit="x")
    return Outcome(
        scenario="nothing",
        series=(ours, theirs),
        verdicts=(verdict,),
        note=f"{len(runs)} runs",
    )
