"""Which fields of a recipe made its lock stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from ds01build.change import changes
from ds01build.errors import Ds01Error
from ds01build.lock import LockedDebian, LockedImage, to_dict
from ds01build.recipe import DebianBase, ImageBase
from ds01build.reference import parse_reference
from ds01build.store import roots
from ds01build.workflow.footing import locked_tiers
from ds01build.workflow.lastbuild import blob
from ds01build.workflow.quick import lock_path
from ds01build.workflow.request import read_request, request_of
from ds01build.workflow.steps import read_lock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ds01build.change import Change
    from ds01build.digest import Canonical
    from ds01build.lock import Lock, LockedTier
    from ds01build.store import DirStore
    from ds01build.workflow.request import Request

__all__ = ["Staleness", "staleness"]

_SEARCHED = 50  # generations, the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """A stale lock, and what of its recipe changed since it was made.

    ``generation`` has the recipe that it was made for; where none has, it is None, and the recipe
    is compared with what the lock says of it: that is not everything.
    """

    lock: Path
    changes: tuple[Change, ...]
    generation: int | None


def staleness(recipe: Path, store: DirStore) -> Staleness | None:
    """Return why the lock of ``recipe`` is stale, None where it is fresh or not there.

    Raises RecipeError, LockError.
    """
    request, path = read_request(recipe), lock_path(recipe)
    lock, _ = read_lock(path)
    if lock is None or lock.recipe == request.digest:
        return None
    for number, before in _earlier(lock, request, store):
        if before.digest == lock.recipe:
            found = changes(_as_written(before.projected), _as_written(request.projected))
            return Staleness(lock=path, changes=found, generation=number)
    found = changes(_of_lock(lock), _of_lock(_as_asked(lock, request)))
    return Staleness(lock=path, changes=found, generation=None)


def _earlier(lock: Lock, request: Request, store: DirStore) -> Iterable[tuple[int, Request]]:
    """Yield the recipes of generations with that lock's name, as though they lay here."""
    newest = reversed(roots.generations(store.root, lock.name))
    for each in islice(newest, _SEARCHED):
        content = blob(each.recipe, store) if each.recipe else None
        try:
            if content is not None:
                yield each.number, request_of(request.path, content.decode())
        except (Ds01Error, UnicodeDecodeError):
            continue  # what it includes is there no longer


def _as_written(value: Canonical) -> Canonical:
    """Return what decides a lock as recipes write it: a mode is a number there, and octal here."""
    if isinstance(value, Mapping):
        return {name: _mode(name, each) or _as_written(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_written(each) for each in value]
    return value


def _mode(name: str, value: Canonical) -> str:
    return f"{value:04o}" if name == "mode" and isinstance(value, int) else ""


def _of_lock(lock: Lock) -> dict[str, Canonical]:
    """Return what a lock says of its recipe."""
    tiers: dict[str, Canonical] = {tier.name: _of_tier(tier, lock) for tier in lock.tiers}
    base = lock.base
    told: dict[str, Canonical] = {"image": base.reference} if isinstance(base, LockedImage) else {}
    if isinstance(base, LockedDebian):
        told = {"debian": base.suite, "packages": sorted(base.packages)}
    settings = to_dict(lock).get("image", {})
    return {"name": lock.name, "base": told, "tiers": tiers, "image": settings}


def _of_tier(tier: LockedTier, lock: Lock) -> dict[str, Canonical]:
    files = [pin for pin in lock.files if pin.tier == tier.name]
    return {
        "kind": tier.kind,
        "after": sorted(tier.after),
        "packages": sorted(tier.requests),
        "commands": list(tier.commands),
        "network": tier.network,
        "files": [[pin.to, f"{pin.mode:04o}", str(pin.digest)] for pin in files],
    }


def _as_asked(lock: Lock, request: Request) -> Lock:
    """Return the lock with what stands in the recipe; which image a framework is, does not."""
    wanted, base = request.recipe.base, lock.base
    if isinstance(wanted, DebianBase):
        packages = wanted.packages
        base = LockedDebian(suite=wanted.suite, architecture=base.architecture, packages=packages)
    elif isinstance(wanted, ImageBase) and isinstance(base, LockedImage):
        base = replace(base, reference=str(parse_reference(wanted.reference)))
    return replace(
        lock,
        name=request.recipe.name,
        base=base,
        image=request.recipe.image,
        tiers=locked_tiers(request),
        files=request.files,
    )
