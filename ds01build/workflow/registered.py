"""The layers of a base that a registry has: they are fetched only for who needs their bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.lock import LockedImage
from ds01build.reference import parse_reference

if TYPE_CHECKING:
    from ds01build.layer import Layer
    from ds01build.lock import LockedBase
    from ds01build.reference import Reference

__all__ = ["Registered", "pinned", "registered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An image by its digest in a registry, and its layers, lowest first."""

    reference: Reference
    layers: tuple[Layer, ...]


def registered(base: LockedBase) -> Registered | None:
    """Return what a registry has of a lock's base, None for a root made of .debs."""
    if not isinstance(base, LockedImage):
        return None
    return Registered(reference=pinned(base), layers=base.layers)


def pinned(image: LockedImage) -> Reference:
    """Return the reference by which exactly ``image`` is fetched."""
    return replace(parse_reference(image.reference), digest=image.manifest)
