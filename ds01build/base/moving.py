"""Whether what was resolved over one image may stand on another: a verdict from their facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.base.holding import hold, is_framework

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.base.facts import BaseFacts
    from ds01build.base.holding import Holding

__all__ = ["Verdict", "verdict"]

_NAMED = 5  # packages of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of packages that were resolved over another image.

    ``safe``: they are what a resolver would be asked to keep, for all that decides about them is
    the same. ``resolve``: it has to be asked. ``refused``: the image is no replacement.
    """

    answer: Literal["safe", "resolve", "refused"]
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.answer}: {'; '.join(self.reasons)}"


def verdict(old: BaseFacts, new: BaseFacts, allowed: Iterable[str] = ()) -> Verdict:
    """Compare the image that packages were resolved over with the one that they shall stand on.

    ``allowed`` are the normalised names that a recipe lets change. Raises ResolveError as ``hold``
    does.
    """
    names = frozenset(allowed)
    refused = tuple(_missing(old, new, names))
    if refused:
        return Verdict(answer="refused", reasons=refused)
    reasons = (*_platform(old, new), *_held(hold(old, names), hold(new, names)))
    if reasons:
        return Verdict(answer="resolve", reasons=reasons)
    same = "Python, glibc, CUDA and what it holds fit"
    layers = "" if old.target == new.target else ", but tiers go to other directories"
    return Verdict(answer="safe", reasons=(f"{same}{layers}",))


def _missing(old: BaseFacts, new: BaseFacts, allowed: frozenset[str]) -> Iterator[str]:
    """Yield what packages stood on and the new image lacks."""
    if old.architecture != new.architecture:
        yield f"it is for {new.architecture}, not for {old.architecture}"
    if old.target is not None and new.target is None:
        yield f"it has no Python that packages can be put on, where {old.target.version} was"
    there = {each.name for each in new.distributions}
    for each in sorted(old.distributions):
        if is_framework(each.name) and each.name not in there | allowed:
            yield f"it has no {each.name}, where {each.version} was"


def _platform(old: BaseFacts, new: BaseFacts) -> Iterator[str]:
    before = old.target.version if old.target else ""
    after = new.target.version if new.target else ""
    if before != after:
        yield f"Python {before or 'none'} became {after or 'none'}"
    if (new.glibc or (0, 0)) < (old.glibc or (0, 0)):
        yield f"glibc {_dotted(old.glibc)} became {_dotted(new.glibc)}"
    if old.cuda != new.cuda:
        yield f"CUDA {old.cuda or 'none'} became {new.cuda or 'none'}"


def _dotted(version: tuple[int, int] | None) -> str:
    return "{}.{}".format(*version) if version else "none"


def _held(old: Holding, new: Holding) -> Iterator[str]:
    """Yield what a resolver would be told otherwise."""
    if old == new:
        return
    before, after = _versions(old), _versions(new)
    moved = [
        f"{name} {before.get(name, 'none')} became {after.get(name, 'none')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
    yield ", ".join(moved[:_NAMED]) + more if moved else "what its packages need is not the same"


def _versions(holding: Holding) -> dict[str, str]:
    every = (*holding.held, *holding.movable, *holding.preferred)
    return {each.name: each.version for each in every}
