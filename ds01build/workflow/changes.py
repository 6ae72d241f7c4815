"""What another lock would change: packages by version, the base, layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.lock import LockedDebian

if TYPE_CHECKING:
    from ds01build.lock import Lock, LockedBase

__all__ = ["Change", "changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One package that comes, goes or moves; ``before`` or ``after`` is empty where it is not."""

    kind: str  # wheels, debs or base
    name: str
    tier: str
    before: str  # version, or digest of an image
    after: str

    def __str__(self) -> str:
        where = f"({self.tier})" if self.tier else ""
        if not self.before:
            return f"+ {self.name} {self.after} {where}".rstrip()
        if not self.after:
            return f"- {self.name} {self.before} {where}".rstrip()
        return f"~ {self.name} {self.before} -> {self.after} {where}".rstrip()

    def answer(self) -> dict[str, str]:
        """Return the object that ``--json`` prints; a version is empty where there is none."""
        return {
            "kind": self.kind,
            "name": self.name,
            "tier": self.tier,
            "before": self.before,
            "after": self.after,
        }


def changes(old: Lock | None, new: Lock) -> tuple[Change, ...]:
    """Return what ``new`` has otherwise than ``old``: the base, then wheels and .debs by name."""
    before, after = _versions(old), _versions(new)
    found = [
        Change(
            kind=kind,
            name=name,
            tier=(after.get((kind, name)) or before[kind, name])[1],
            before=before.get((kind, name), ("", ""))[0],
            after=after.get((kind, name), ("", ""))[0],
        )
        for kind, name in sorted({*before, *after}, key=lambda at: (at[0] != "base", at[0], at[1]))
    ]
    return tuple(one for one in found if one.before != one.after)


def _versions(lock: Lock | None) -> dict[tuple[str, str], tuple[str, str]]:
    """Return version and tier by kind and name."""
    if lock is None:
        return {}
    return {
        ("base", "base"): (_base(lock.base), ""),
        **{("debs", pin.name): (pin.version, pin.tier) for pin in lock.debs},
        **{("wheels", pin.name): (pin.version, pin.tier) for pin in lock.wheels},
    }


def _base(base: LockedBase) -> str:
    return base.suite if isinstance(base, LockedDebian) else f"{base.reference} {base.manifest}"
