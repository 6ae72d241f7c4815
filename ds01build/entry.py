"""Where commands begin: who interrupts one while it is imported is told so, as later."""

from __future__ import annotations

import sys

__all__ = ["ds01", "image_create", "image_update"]

_INTERRUPTED = 130


def ds01() -> None:
    """Run the command line and exit with its code."""
    _begin("main")


def image_create() -> None:
    """Run ``image-create``, which ``ds01 image create`` is too."""
    _begin("image_create")


def image_update() -> None:
    """Run ``image-update``, which ``ds01 image update`` is too."""
    _begin("image_update")


def _begin(name: str) -> None:
    try:
        from ds01build import cli  # noqa: PLC0415 (what takes its time)

        getattr(cli, name)()
    except KeyboardInterrupt:
        _interrupted()


def _interrupted() -> None:
    sys.stderr.write("interrupted\n")
    sys.exit(_INTERRUPTED)
