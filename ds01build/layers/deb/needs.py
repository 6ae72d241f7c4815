"""What .debs need of each other, as their control files say (Debian Policy 7.1 and 7.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["needs_of", "versions_of"]

_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]+)")
_FIELDS = ("Pre-Depends", "Depends")
_VERSIONED = re.compile(
    r"\s*([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?\s*\(\s*(<<|<=|=|>=|>>)\s*([^\s()]+)\s*\)\s*"
)


def needs_of(controls: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the names of what each package needs, among those of ``controls``, sorted.

    Of alternatives those that are there count, and of a virtual package whatever provides it.
    """
    providers: dict[str, set[str]] = {name: {name} for name in controls}
    for name, control in controls.items():
        for virtual in _names(control.get("Provides", "")):
            providers.setdefault(virtual, set()).add(name)
    return {
        name: tuple(
            sorted(
                {
                    there
                    for field in _FIELDS
                    for needed in _names(control.get(field, ""))
                    for there in providers.get(needed, ())
                    if there != name
                }
            )
        )
        for name, control in controls.items()
    }


def versions_of(control: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return what a control file asks of the versions of a package, such as "libc6 (>= 2.36)".

    As one of several alternatives, too.
    """
    relations = (each for field in _FIELDS for each in re.split(r"[,|]", control.get(field, "")))
    found = filter(None, map(_VERSIONED.fullmatch, relations))
    return tuple(dict.fromkeys(f"{m[1]} ({m[2]} {m[3]})" for m in found if m[1] == name))


def _names(field: str) -> list[str]:
    matches = map(_NAME.match, re.split(r"[,|]", field))
    return [match[1] for match in matches if match]
