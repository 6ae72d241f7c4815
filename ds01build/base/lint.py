"""Finds what is in an environment twice: packages that get into each other's way, and bloat."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from ds01build.base.holding import is_accelerator, is_framework
from ds01build.catalogue import rivals
from ds01build.errors import ResolveError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ds01build.base.facts import BaseFacts, Distribution
    from ds01build.catalogue import Rivals
    from ds01build.pin import WheelPin

__all__ = ["Finding", "lint", "require_sound"]

_SHOWN = 5  # names in one message


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is there twice. ``is_error`` says that the environment cannot work so."""

    problem: str
    hint: str = ""
    is_error: bool = False


def lint(wheels: Sequence[WheelPin], facts: BaseFacts | None = None) -> tuple[Finding, ...]:
    """Return what is twice in ``wheels`` over a base; None for one without Python of its own.

    What the base has twice itself is a warning only where it concerns its framework.
    """
    there = facts.distributions if facts else ()
    return (
        *(found for each in rivals() for found in _rivals(each, wheels, there)),
        *_accelerators(wheels, facts),
        *_doubled(wheels, there),
        *_unpatched(wheels, there),
    )


def require_sound(wheels: Sequence[WheelPin], facts: BaseFacts | None = None) -> tuple[str, ...]:
    """Return what a person should know of what is twice. Raises ResolveError where it can't be."""
    found = lint(wheels, facts)
    errors = [finding for finding in found if finding.is_error]
    if errors:
        problems = "; ".join(finding.problem for finding in errors)
        raise ResolveError(problems, hint=errors[0].hint)
    return tuple(finding.problem for finding in found)


def _rivals(
    group: Rivals, wheels: Sequence[WheelPin], there: Sequence[Distribution]
) -> Iterator[Finding]:
    """Compare each wheel with the rivals before it, then with those of the base."""
    coming = [pin for pin in wheels if pin.name in group.names]
    names = {pin.name for pin in coming}
    for number, pin in enumerate(coming):
        for other in coming[:number]:
            yield _clash(group, f"{other} and {pin}", [other.name, pin.name], is_error=True)
        for base in there:
            if base.name in group.names and base.name not in names:
                what = f"{pin} and {base.name} {base.version} of the base"
                yield _clash(group, what, [pin.name], is_error=base.is_held)


def _clash(group: Rivals, what: str, droppable: Sequence[str], *, is_error: bool) -> Finding:
    # The table names first what may stand for the others: that one stays.
    dropped = max(droppable, key=group.names.index)
    return Finding(
        problem=f"{what} both write {group.modules}/",
        hint=f'keep one of them, for instance with exclude = ["{dropped}"] under [resolve]',
        is_error=is_error,
    )


def _accelerators(wheels: Sequence[WheelPin], facts: BaseFacts | None) -> Iterator[Finding]:
    """Find CUDA in wheels, where the base has one already."""
    cuda = _cuda(facts) if facts else ""
    found = [pin for pin in wheels if _is_cuda(pin.name)]
    if not found or not cuda:
        return
    names = {pin.name for pin in found}
    needers = sorted(p.name for p in wheels if names.intersection(p.requires) and p not in found)
    by = f", needed by {', '.join(needers[:_SHOWN])}" if needers else ""
    megabytes = sum(pin.size for pin in found) / 10**6
    yield Finding(
        problem=f"{len(found)} wheels bring {megabytes:.0f} MB of CUDA over a base that has "
        f"{cuda} ({_listed(names)}{by})",
        hint="leave out what needs them, or ask for a version that fits what the base has",
    )


def _doubled(wheels: Sequence[WheelPin], there: Sequence[Distribution]) -> Iterator[Finding]:
    """Find frameworks that are there twice, one of them unused."""
    chosen = [
        each for each in sorted(there) if is_framework(each.name) and not is_accelerator(each.name)
    ]
    coming = {pin.name: pin for pin in wheels}
    for each in chosen:
        if each.name in coming and not each.is_held:
            yield Finding(
                problem=f"{coming[each.name]} comes on top of {each.name} {each.version} in "
                f"{each.directory} of the base, which stays there unused"
            )
    for first, second in pairwise(chosen):
        if first.name == second.name:
            yield Finding(
                problem=f"the base has {first.name} twice: {first.version} in {first.directory} "
                f"and {second.version} in {second.directory}"
            )


def _unpatched(wheels: Sequence[WheelPin], there: Sequence[Distribution]) -> Iterator[Finding]:
    """Find wheels of the versions that .debs have: those come with fixes that no index has."""
    coming = {pin.name: pin for pin in wheels}
    over = {
        each.name: each.owner
        for each in sorted(there)
        if each.owner and each.name in coming and _is_same(each.version, coming[each.name].version)
    }
    if over:
        pins = [str(coming[name]) for name in over]
        names = ", ".join(f'"{name}"' for name in over)
        yield Finding(
            problem=f"{_listed(pins)} from an index: over {_listed(over.values())} of the base at "
            "the same version, and without the patches of its distribution; "
            f"exclude = [{names}] under [resolve] keeps the base's"
        )


def _is_same(one: str, other: str) -> bool:
    """Say whether two versions are equal, but for how they are written."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def _cuda(facts: BaseFacts) -> str:
    """Say which CUDA a base has; empty for none."""
    if facts.cuda:
        return f"CUDA {facts.cuda}"
    return "CUDA in wheels" if any(_is_cuda(each.name) for each in facts.distributions) else ""


def _is_cuda(name: str) -> bool:
    return is_accelerator(name) and name.startswith(("nvidia-", "cuda-"))


def _listed(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:_SHOWN]) + (", ..." if len(first) > _SHOWN else "")
