"""Runs the benchmark: ``python tests/bench [--only NAME] [--rounds N] [--json FILE]``."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":  # python tests/bench: the folder itself is on the path, not its parent
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ds01build
from bench import (
    cached,
    cold,
    figures,
    garbage,
    growth,
    image_base,
    memory,
    nothing,
    plan,
    update,
)
from bench.room import Room

if TYPE_CHECKING:
    from collections.abc import Sequence

SCENARIOS = {
    "plan": plan.measure,
    "nothing": nothing.measure,
    "cached": cached.measure,
    "cold": cold.measure,
    "memory": memory.measure,
    "growth": growth.measure,
    "gc": garbage.measure,
    "image-base": image_base.measure,
    "update": update.measure,
}
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "ml.toml"


def main(arguments: Sequence[str]) -> int:
    """Print a table for each scenario; 1 when a bound is missed."""
    chosen = _parser().parse_args(arguments)
    # As an installed program has it; where Python may write none, a start takes 0.4 s longer.
    compileall.compile_dir(Path(ds01build.__file__).parent, quiet=1)
    load = os.getloadavg()[0]
    say(f"{os.cpu_count()} CPUs, load {load:.1f}, Python {platform.python_version()}")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="ds01-bench-", dir=chosen.directory) as directory:
        room = Room(directory=Path(directory), recipe=chosen.recipe)
        for name in chosen.only or SCENARIOS:
            outcomes.append(SCENARIOS[name](room, chosen.rounds))
            say(figures.text(outcomes[-1]))
    if chosen.json:
        answers = [figures.answer(outcome) for outcome in outcomes]
        chosen.json.write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")
    return int(not all(verdict.met for one in outcomes for verdict in one.verdicts))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values here")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument(
        "--directory", type=Path, help="where stores and caches are made: 8 GB, not in memory"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
