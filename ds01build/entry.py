"""Where commands begin: who interrupts one while it is imported is told so, as later."""

from __future__ import annotations

import signal
import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the program that this process was started as, and exit with its code.

    ``image-create`` and the like are programs of their own; every other name is ``ds01``.
    """
    try:
        from ds01build import cli  # noqa: PLC0415 (what takes its time)

        cli.main(sys.argv[0].rpartition("/")[2])
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # until this has ended
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
