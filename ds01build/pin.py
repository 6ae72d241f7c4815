"""Pins: the locked files that layers are made from. Hashes, never locations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ds01build.digest import Digest

__all__ = ["DebPin", "FilePin", "Pin", "Source", "WheelPin"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Source:
    """Where a wheel is from that no index offers.

    ``place`` is the URL in the recipe: of the wheel itself (``url``), of an archive, of a git
    repository; or the name of an sdist of the pin's index. ``address`` is the commit in 40 digits,
    or the sha256 in hex; a wheel's own is that of its pin.
    """

    kind: Literal["url", "archive", "git", "sdist"]
    place: str
    address: str = ""

    @property
    def is_built(self) -> bool:
        """Whether an engine builds the wheel: then no two builds need have the same bytes."""
        return self.kind != "url"


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
    source: Source | None = None  # changes no byte of a layer, so it is in no key

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def is_built(self) -> bool:
        """Whether an engine built this wheel from its source."""
        return self.source is not None and self.source.is_built


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
