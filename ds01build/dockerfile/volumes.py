"""Volumes of a base, below which a command of a Dockerfile must not write.

The classic builder gives each RUN such a directory as a file system of its own, and drops what was
written to it; BuildKit keeps it. So a RUN compares what is below them before and after.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.layers.foreign import is_clean
from ds01build.layers.survey import NOT_CAPTURED, VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["complaint", "watched"]

# As the template has a RUN print it.
_COMPLAINT = re.compile(rf"ds01: (/.{{1,4096}}) is below (/.{{1,4096}}), {re.escape(VOLUME)}")


def watched(volumes: Iterable[str]) -> tuple[str, ...]:
    """Return which of ``volumes`` (as a configuration has them) can lose what an image is to hold.

    They are absolute, and none lies below another one.
    """
    names = {volume.strip("/") for volume in volumes if volume.startswith("/")}
    lost = {name for name in names if is_clean(name) and not _is_below(name, NOT_CAPTURED)}
    return tuple(f"/{name}" for name in sorted(lost) if not _is_below(name, lost - {name}))


def complaint(printed: str) -> str:
    """Return what a RUN complained of at the end of its output, empty if of no volume."""
    found = _COMPLAINT.findall(printed)
    return f"{found[-1][0]!r:.200} is below {found[-1][1]:.200}, {VOLUME}" if found else ""


def _is_below(name: str, others: Iterable[str]) -> bool:
    return any(f"{name}/".startswith(f"{other}/") for other in others)
