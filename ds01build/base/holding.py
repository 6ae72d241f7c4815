"""What of a base's Python packages has to stay as it is, and what tiers may put theirs over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from ds01build.base.needs import NAME, environment, extras_of, needs
from ds01build.errors import ResolveError
from ds01build.fields import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.base.facts import BaseFacts, Distribution
    from ds01build.base.needs import Need

__all__ = ["Demand", "Held", "Holding", "hold", "is_accelerator", "is_framework"]

# What a base is chosen for: compiled for its CUDA and for each other, so it stays wherever it
# lies. The second list is what indexes split off the first: parts of CUDA, and compilers.
_FRAMEWORK = re.compile(
    r"torch|torchvision|torchaudio|torchtext"
    r"|tensorflow(?:-cpu|-gpu|-rocm|-intel|-aarch64)?|tf-nightly(?:-cpu|-gpu)?"
    r"|jax|jaxlib|jax-(?:cuda|rocm)[0-9a-z-]*"
)
_ACCELERATOR = re.compile(
    r"nvidia-(?!ml-py)[0-9a-z-]+|cuda-(?:bindings|core|pathfinder|python|toolkit)"
    r"|(?:pytorch-)?triton(?:-rocm|-xpu)?"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Held:
    """A distribution as a resolver may see it: one of the base, or a wheel that no index has.

    ``needs`` are those of its own that the base meets and a resolver can still break, and what its
    ``extras`` add. ``fastened`` says why it can't be allowed to change; empty if it can.
    """

    name: str  # normalised (PEP 503)
    version: str  # PEP 440's normal form
    needs: tuple[Need, ...] = field(default=(), repr=False)
    extras: tuple[str, ...] = field(default=(), repr=False)  # normalised
    fastened: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Demand:
    """What a held distribution needs of one that is not held."""

    need: Need
    needer: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a base says to whoever resolves over it; everything is sorted by name.

    ``held`` stay. ``movable`` stay unless a tier needs them in another version. ``preferred`` are
    importable, but what a tier brings comes before them. ``unreadable`` have a version outside
    PEP 440. ``unmet`` are what the base needs of itself and lacks.
    """

    held: tuple[Held, ...] = ()
    movable: tuple[Held, ...] = ()
    preferred: tuple[Held, ...] = ()
    demands: tuple[Demand, ...] = ()
    unmet: tuple[Demand, ...] = ()
    unreadable: tuple[Distribution, ...] = ()
    replaceable: tuple[Distribution, ...] = field(default=(), repr=False)
    unknown: tuple[str, ...] = ()  # allowed to change, but not there; with what may be meant

    def __bool__(self) -> bool:
        return bool(self.held or self.movable or self.preferred or self.unreadable)

    def replaced(self, names: Iterable[str]) -> tuple[Distribution, ...]:
        """Return the distributions whose files have to go where wheels of ``names`` come.

        Those that lie in another directory than tiers write to are shadowed, and stay.
        """
        coming = frozenset(names)
        return tuple(each for each in self.replaceable if each.name in coming and each.is_held)

    def warnings(self) -> tuple[str, ...]:
        """Return what a person should know of the base before anything is resolved."""
        odd = [
            f"the base's {each.name} cannot be held: its version {each.version!r:.80} lies outside "
            "PEP 440"
            for each in self.unreadable
        ]
        lacks: dict[str, list[str]] = {}
        for each in self.unmet:
            lacks.setdefault(str(each.needer), []).append(str(each.need))
        unmet = [f"the base lacks {', '.join(n)}, which its {by} needs" for by, n in lacks.items()]
        unknown = [f"allow-base-change: the base has no {name}" for name in self.unknown]
        return (*odd, *unmet, *unknown)


def is_framework(name: str) -> bool:
    """Say whether a base is chosen for this distribution."""
    return bool(_FRAMEWORK.fullmatch(name) or is_accelerator(name))


def is_accelerator(name: str) -> bool:
    """Say whether this is a part of CUDA, or a compiler for it, that frameworks bring along."""
    return bool(_ACCELERATOR.fullmatch(name))


def hold(facts: BaseFacts, allowed: Iterable[str] = ()) -> Holding:
    """Return what ``facts`` hold, but for what is ``allowed`` (normalised names) to change.

    What only those need of CUDA may change with them. Raises ResolveError for one that can be
    neither removed nor shadowed.
    """
    seen = _importable(facts)
    every = _as_held(seen, facts)
    wanted = frozenset(allowed)
    loose = _loosened(seen, every, wanted)
    firm = {n for n in every if n not in loose and (seen[n].is_held or is_framework(n))}
    stay = [every[name] for name in sorted(every) if name in firm or name in loose]
    asked = [
        Demand(need=need, needer=each) for each in stay for need in each.needs if not need.extra
    ]
    unmet = tuple(d for d in asked if not _is_met(d.need, seen, every))
    bound = [_bound(each, unmet, firm) for each in stay]
    return Holding(
        held=tuple(each for each in bound if each.name in firm),
        movable=tuple(each for each in bound if each.name in loose),
        preferred=tuple(every[n] for n in sorted(every) if n not in firm and n not in loose),
        demands=tuple(
            d for d in asked if d.needer.name in firm and d.need.name not in firm and d not in unmet
        ),
        unmet=unmet,
        unreadable=tuple(each for n, each in sorted(seen.items()) if n not in every),
        replaceable=tuple(seen[name] for name in sorted(loose)),
        unknown=tuple(f"{n!r:.80}{did_you_mean(n, seen)}" for n in sorted(wanted - seen.keys())),
    )


def _is_met(need: Need, seen: Mapping[str, Distribution], every: Mapping[str, Held]) -> bool:
    """Say whether the base meets ``need``; of a version that cannot be read nobody can tell."""
    if need.name not in every:
        return need.name in seen
    return need.is_met_by(every[need.name].version)


def _bound(each: Held, unmet: tuple[Demand, ...], firm: set[str]) -> Held:
    """Leave of what ``each`` needs what a resolver may still decide about."""
    lacking = {demand.need for demand in unmet}
    decided = each.name in firm  # what it needs is among the demands
    return replace(
        each,
        needs=tuple(
            n for n in each.needs if n.extra or not (decided or n.name in firm or n in lacking)
        ),
    )


def _importable(facts: BaseFacts) -> dict[str, Distribution]:
    """Return distributions by name, each in the first directory that Python finds it in."""
    directories = facts.interpreter.directories if facts.interpreter else ()
    ranks = {directory: rank for rank, directory in enumerate(directories)}
    last = len(ranks)
    found: dict[str, Distribution] = {}
    for each in sorted(facts.distributions, key=lambda d: (ranks.get(d.directory, last), d)):
        if NAME.fullmatch(each.name):
            found.setdefault(each.name, each)
    return found


def _version(distribution: Distribution) -> str | None:
    try:
        return str(Version(distribution.version))
    except InvalidVersion:
        return None


def _as_held(seen: Mapping[str, Distribution], facts: BaseFacts) -> dict[str, Held]:
    """Return what of ``seen`` has a version, with all that it needs."""
    values = environment(facts)
    return {
        name: Held(
            name=name,
            version=version,
            needs=needs(each, values),
            extras=extras_of(each),
            fastened=_fastened(each),
        )
        for name, each in seen.items()
        if (version := _version(each)) is not None
    }


def _loosened(
    seen: Mapping[str, Distribution], every: Mapping[str, Held], wanted: frozenset[str]
) -> frozenset[str]:
    """Return what may change: ``wanted``, and what of CUDA nothing else of the base needs."""
    for name in sorted(wanted & seen.keys()):
        if problem := _fastened(seen[name]):
            raise ResolveError(
                f"the base's {name} {seen[name].version} cannot be changed: {problem}",
                hint=f'take "{name}" out of allow-base-change under [resolve]',
            )
    loose = set(wanted & seen.keys())
    while True:
        tied = {
            n.name
            for each in every.values()
            if each.name not in loose
            for n in each.needs
            if not n.extra
        }
        asked = {n.name for name in loose & every.keys() for n in every[name].needs}
        more = {
            n
            for n in asked - tied - loose
            if n in seen and is_accelerator(n) and not _fastened(seen[n])
        }
        if not more:
            return frozenset(loose)
        loose |= more


def _fastened(distribution: Distribution) -> str:
    """Say why a distribution cannot make way for another; empty if it can."""
    if not distribution.is_held:
        return ""
    where = f"in {distribution.directory}, where tiers install to"
    if distribution.owner:
        return f"it belongs to the .deb {distribution.owner}, and lies {where}"
    return "" if distribution.owns else f"it has no RECORD of its files {where}"
