"""Pins: the locked files that layers are made from. Hashes, never locations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.digest import Digest

__all__ = ["DebPin", "FilePin", "Pin", "WheelPin"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class WheelPin:
    """One wheel. ``name`` is normalised (PEP 503), ``version`` as PEP 440 writes it.

    ``index`` is an alias that the reader's configuration maps to a URL; ``requires`` are the
    names of other pins of the lock that this one needs.
    """

    name: str
    version: str
    file: str
    size: int  # bytes
    digest: Digest
    tier: str
    index: str = "default"
    requires: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DebPin:
    """One .deb. ``path`` is its place in the pool of ``archive``, an alias for mirrors."""

    name: str
    version: str
    architecture: str  # all, or the lock's
    path: str
    size: int  # bytes
    digest: Digest
    tier: str  # base, or the apt tier that asked for it
    archive: str = "debian"

    def __str__(self) -> str:
        return f"{self.name}={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FilePin:
    """One declared file: ``source`` relative to the recipe, ``to`` absolute in the image."""

    to: str
    source: str
    mode: int
    size: int  # bytes
    digest: Digest
    tier: str

    def __str__(self) -> str:
        return self.to


Pin = WheelPin | DebPin | FilePin
