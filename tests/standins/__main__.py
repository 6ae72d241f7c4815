"""Makes stand-ins by hand: ``push HOST:PORT [NAME...]``, ``serve DIRECTORY [NAME...]``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if (
    __name__ == "__main__"
):  # python tests/standins: the folder itself is on the path, not its parent
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from standins.catalogue import STAND_INS
from standins.registry import Registry, running
from standins.workshop import Workshop, directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def main(arguments: Sequence[str]) -> int:
    chosen = parse(arguments)
    if chosen.command == "push":
        _push(Registry(chosen.place), chosen.names or STAND_INS)
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        contextlib.suppress(KeyboardInterrupt),
        running(Path(chosen.place), chosen.port) as registry,
    ):
        _push(registry, chosen.names or STAND_INS)
        say(f"registry at {registry.address} until this ends")
        signal.pause()
    return 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _push(registry: Registry, names: Iterable[str]) -> None:
    shop = Workshop(directory())
    for name in names:
        say(registry.push(shop.layout(name, STAND_INS[name])))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line, on which options and names may stand in any order."""
    parser = argparse.ArgumentParser(prog="standins", description=__doc__)
    parser.add_argument(
        "command",
        choices=["push", "serve"],
        help="push to a registry that is there, or start one and stop it when interrupted",
    )
    parser.add_argument("place", help="HOST:PORT to push to (plain HTTP), DIRECTORY to serve from")
    parser.add_argument("--port", type=int, default=0, help="to serve at, a free one unless given")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STAND_INS))
    chosen = parser.parse_intermixed_args(arguments)
    unknown = [name for name in chosen.names if name not in STAND_INS]
    if unknown:
        parser.error(f"there is no stand-in {unknown[0]}; there are {', '.join(STAND_INS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
