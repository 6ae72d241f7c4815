"""What .debs need of each other, as their control files say (Debian Policy 7.1 and 7.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["needs_of"]

_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]+)")


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
                    for field in ("Pre-Depends", "Depends")
                    for needed in _names(control.get(field, ""))
                    for there in providers.get(needed, ())
                    if there != name
                }
            )
        )
        for name, control in controls.items()
    }


def _names(field: str) -> list[str]:
    matches = map(_NAME.match, re.split(r"[,|]", field))
    return [match[1] for match in matches if match]
