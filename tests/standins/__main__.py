"""Makes stand-ins by hand: ``python tests/standins push HOST:PORT``, or ``serve DIRECTORY``."""

from __future__ import annotations

import argparse
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
    chosen = _parser().parse_args(arguments)
    if chosen.command == "push":
        _push(Registry(chosen.registry), chosen.names or STAND_INS)
        return 0
    with running(chosen.directory, chosen.port) as registry:
        _push(registry, chosen.names or STAND_INS)
        say(f"registry at {registry.address} until this ends")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _push(registry: Registry, names: Iterable[str]) -> None:
    shop = Workshop(directory())
    for name in names:
        say(registry.push(shop.layout(name, STAND_INS[name])))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="standins", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    push = commands.add_parser("push", help="make them and push them to a registry that is there")
    push.add_argument("registry", help="HOST:PORT, plain HTTP")
    serve = commands.add_parser("serve", help="start a registry, and stop it when interrupted")
    serve.add_argument("directory", type=Path, help="of its files")
    serve.add_argument("--port", type=int, default=0, help="a free one unless given")
    for each in (push, serve):
        each.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(STAND_INS)}")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
