"""Checks what one table of a lock says of another: names are unique, and those used exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.lock import LockedDebian, LockedImage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ds01build.fields import Issues
    from ds01build.lock import Lock

__all__ = ["check_names"]


def check_names(content: Lock, issues: Issues) -> None:
    """Check what one table says of another: names are unique, and those used exist."""
    tiers = {"base", *(tier.name for tier in content.tiers)}
    pins: dict[str, dict[str, str]] = {
        "debs": {pin.name: pin.tier for pin in content.debs},
        "wheels": {pin.name: pin.tier for pin in content.wheels},
        "files": {pin.to: pin.tier for pin in content.files},
        "removed": {one.name: "base" for one in content.removed},
    }
    _unique(issues, "tier", ["base", *(tier.name for tier in content.tiers)])
    for table, names in _NAMES.items():
        _unique(issues, table, [getattr(pin, names[1]) for pin in getattr(content, names[0])])
    for kind, owned in pins.items():
        for name, owner in owned.items():
            if owner not in tiers:
                issues.add(f"{_SINGULAR[kind]} {name}", f"there is no tier {owner!r:.80}")
    for number, tier in enumerate(content.tiers):
        for name in sorted(set(tier.after) - tiers):
            issues.add(f"tier[{number}].after", f"there is no tier {name!r:.80}")
    for number, wheel in enumerate(content.wheels):
        for name in sorted(set(wheel.requires) - pins["wheels"].keys()):
            issues.add(f"wheel[{number}].requires", f"{name!r:.80} is not locked")
    _check_base(content, issues)
    _check_layers(content, _placed(content, pins), tiers, issues)


_SINGULAR = {"debs": "deb", "wheels": "wheel", "files": "file", "removed": "removed"}
_NAMES = {
    "deb": ("debs", "name"),
    "wheel": ("wheels", "name"),
    "file": ("files", "to"),
    "removed": ("removed", "name"),
}


def _check_base(content: Lock, issues: Issues) -> None:
    """Check what only one kind of base can have."""
    if isinstance(content.base, LockedDebian) and content.removed:
        issues.add("removed", "only an image has distributions that can be removed")
    for name in sorted(
        {one.name for one in content.removed} - {one.name for one in content.wheels}
    ):
        issues.add(f"removed {name!r:.80}", "no wheel comes in its place")
    if content.wheels and content.target is None:
        issues.add("target", "required, since there are wheels")
    if isinstance(content.base, LockedImage):
        if not content.base.layers:
            issues.add("base.layer", "required")
        if content.wheels and not content.base.glibc:
            issues.add("base.glibc", "required, since there are wheels")


def _placed(content: Lock, pins: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return what layers hold, by their kinds: over an image an engine installs the .debs."""
    executed = {tier.name: tier.name for tier in content.tiers if tier.kind == "run"}
    if isinstance(content.base, LockedDebian):
        return {**pins, "executed": executed}
    executed |= {pin.tier: pin.tier for pin in content.debs}
    return {**pins, "debs": {}, "executed": executed}


def _check_layers(
    content: Lock, pins: dict[str, dict[str, str]], tiers: Collection[str], issues: Issues
) -> None:
    """Every pin is in one layer, and layers name nothing else.

    A layer without names is what is left of one that was cut short. A lock has no layers where the
    base has all that is asked for.
    """
    for kind, owned in pins.items():
        placed = [name for layer in content.layers if layer.kind == kind for name in layer.names]
        _unique(issues, f"layer {kind}", placed)
        for name in sorted(set(owned).symmetric_difference(placed)):
            where = "is in no layer" if name in owned else "is in a layer, but not locked"
            issues.add(f"{_SINGULAR.get(kind, kind)} {name!r:.80}", where)
    for number, layer in enumerate(content.layers):
        if not layer.names:
            issues.add(f"layer[{number}].names", "required")
        if layer.tier not in tiers:
            issues.add(f"layer[{number}].tier", f"there is no tier {layer.tier!r:.80}")


def _unique(issues: Issues, table: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            issues.add(table, f"{name!r:.80} stands there twice")
        seen.add(name)
