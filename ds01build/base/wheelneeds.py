"""What a wheel says that it needs, as a fact that outlives the wheel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.base.distributions import described
from ds01build.base.facts import Distribution
from ds01build.base.needs import needs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.base.needs import Need
    from ds01build.digest import Canonical
    from ds01build.pin import WheelPin

__all__ = ["to_fact", "wanted_of"]


def to_fact(metadata: bytes, pin: WheelPin) -> Canonical:
    """Return what the METADATA of a wheel says of needs; what follows its headers is text."""
    headers = re.split(rb"\r?\n\r?\n", metadata, maxsplit=1)[0]
    found = described(pin.name, pin.version, headers.decode(errors="replace"))
    return {"requires": list(found.requires), "extras": list(found.extras)}


def wanted_of(
    fact: object, pin: WheelPin, name: str, environment: Mapping[str, str]
) -> tuple[Need, ...] | None:
    """Return what the wheel of ``pin`` asks of package ``name``, None where no fact says it.

    Where only some of its extras need that package, what each of them asks for.
    """
    if not isinstance(fact, dict):
        return None
    requires, extras = _texts(fact.get("requires")), _texts(fact.get("extras"))
    if requires is None or extras is None:
        return None
    whole = Distribution(
        name=pin.name,
        version=pin.version,
        directory="",
        is_held=False,
        requires=requires,
        extras=extras,
    )
    found = [need for need in needs(whole, environment) if need.name == name]
    return tuple([need for need in found if not need.extra] or found)


def _texts(value: object) -> tuple[str, ...] | None:
    rows = value if isinstance(value, list) else None
    if rows is None or not all(isinstance(row, str) for row in rows):
        return None
    return tuple(rows)
