"""Reads sizes and ages as people write them on a command line."""

from __future__ import annotations

import re

import click

__all__ = ["age", "size"]

_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))? ?(?:([KMGT])(i?B)?|B)?", re.IGNORECASE)
_AGE = re.compile(r"([0-9]{1,6})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def size(text: str) -> int:
    """Return the bytes of a size: 20GiB and 20G count in powers of 1024, 20GB of 1000."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r:.40} is not a size, such as 500M or 20GiB")
    whole, fraction, unit, rest = match.groups()
    base = 1000 if rest and rest.upper() == "B" else 1024
    number = int(whole + (fraction or ""))
    power = "KMGT".index(unit.upper()) + 1 if unit else 0
    for _ in range(power):
        number *= base
    for _ in fraction or "":
        number //= 10
    return number


def age(text: str) -> float:
    """Return the seconds of an age in hours, days or weeks."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r:.40} is not an age, such as 12h, 30d or 8w")
    return int(match[1]) * _HOURS[match[2]] * 3600.0
