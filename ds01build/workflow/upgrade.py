"""What may move to another version when a lock is made anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ds01build.errors import ResolveError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.lock import Lock
    from ds01build.pin import DebPin, WheelPin

__all__ = ["Upgrade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What need not keep its locked version: everything, the base alone, or packages by name."""

    everything: bool = False
    base: bool = False
    packages: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or self.base or bool(self.packages)

    def keeps(self, pins: Sequence[DebPin | WheelPin]) -> frozenset[str]:
        """Return the names of ``pins`` that keep their version."""
        names = frozenset(pin.name for pin in pins)
        return frozenset() if self.everything else names - self._names()

    def unnamed(self, pins: Sequence[WheelPin]) -> dict[str, WheelPin]:
        """Return those of ``pins`` whose packages are not to be upgraded by name."""
        return {pin.name: pin for pin in pins if pin.name not in self._names()}

    def require_known(self, lock: Lock | None) -> None:
        """Raise ResolveError for a package that ``lock`` does not have."""
        known: set[str] = set()
        if lock is not None:
            known = {pin.name for pin in lock.wheels} | {pin.name for pin in lock.debs}
        unknown = sorted(n for n in self.packages if not {n, canonicalize_name(n)} & known)
        if unknown:
            raise ResolveError(f"the lock has no package {', '.join(map(repr, unknown)):.200}")

    def _names(self) -> frozenset[str]:
        return self.packages | {canonicalize_name(name) for name in self.packages}
