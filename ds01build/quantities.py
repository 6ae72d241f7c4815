"""Numbers as people read them: how many of something, and sizes."""

from __future__ import annotations

__all__ = ["counted", "readable"]

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


def counted(number: int, thing: str) -> str:
    """Return how many there are of a thing whose plural ends in s."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def readable(size: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    unit = 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
