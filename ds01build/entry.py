"""Where commands begin: who interrupts one while it is imported is told so, as later."""

from __future__ import annotations

import sys

__all__ = ["ds01", "image_create", "image_delete", "image_list", "image_show", "image_update"]

_INTERRUPTED = 130


def ds01() -> None:
    """Run the command line and exit with its code."""
    _begin("ds01")


def image_create() -> None:
    """Run ``image-create``, which ``ds01 image create`` is too."""
    _begin("image-create")


def image_delete() -> None:
    """Run ``image-delete``, which ``ds01 image delete`` is too."""
    _begin("image-delete")


def image_list() -> None:
    """Run ``image-list``, which ``ds01 image list`` is too."""
    _begin("image-list")


def image_show() -> None:
    """Run ``image-show``, which ``ds01 image show`` is too."""
    _begin("image-show")


def image_update() -> None:
    """Run ``image-update``, which ``ds01 image update`` is too."""
    _begin("image-update")


def _begin(program: str) -> None:
    try:
        from ds01build import cli  # noqa: PLC0415 (what takes its time)

        cli.main(program)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
