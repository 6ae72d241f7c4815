"""From a request to a lock: keep what still holds, resolve the rest, group into layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name

from ds01build.catalogue import bundles
from ds01build.errors import CheckFailed, Issue, LockError, ResolveError
from ds01build.grouping import BUDGET, Group, Item, group
from ds01build.layers import root
from ds01build.lock import Lock, LockedBase, LockedLayer, LockedTier
from ds01build.platform import MACHINES, Platform
from ds01build.recipe import AptTier, DebianBase, FilesTier, PythonTier, excludes_of
from ds01build.resolve.apt import AptRequest, glibc_version, python_version
from ds01build.resolve.request import PythonRequest, Wanted
from ds01build.workflow.request import refuse_engine_work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.pin import DebPin, Pin, WheelPin
    from ds01build.recipe import Tier
    from ds01build.resolve.request import Wheels
    from ds01build.workflow.request import Request

__all__ = ["Resolver", "Upgrade", "platform_of", "relock", "require_fresh"]


class Resolver(Protocol):
    """Finds packages: apt and uv behind one face."""

    def debs(
        self,
        suite: str,
        requests: Sequence[AptRequest],
        keep: Mapping[str, str],
        release: frozenset[str],
    ) -> tuple[DebPin, ...]:
        """Return the .debs of all requests, those of ``keep`` at these versions.

        Those of ``release`` may move, and what holds them back.
        """

    def wheels(self, wanted: Wanted, keep: Mapping[str, WheelPin]) -> Wheels:
        """Return the wheels of ``wanted``, those of ``keep`` at their versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What need not keep its locked version: everything, or packages by name."""

    everything: bool = False
    packages: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.packages)

    def keeps(self, pins: Sequence[DebPin | WheelPin]) -> frozenset[str]:
        """Return the names of ``pins`` that keep their version."""
        names = frozenset(pin.name for pin in pins)
        return frozenset() if self.everything else names - self._names()

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


def require_fresh(lock: Lock | None, request: Request, lock_name: str) -> Lock:
    """Return ``lock`` if it was made for ``request``. Raises CheckFailed."""
    hint = f"ds01 lock {request.path}"
    if lock is None:
        raise CheckFailed(f"{lock_name} does not exist", hint=hint)
    if lock.recipe != request.digest:
        problem = f"it was made for {lock.recipe}, the recipe is {request.digest}"
        raise CheckFailed(f"{lock_name} is stale: {problem}", hint=hint)
    return lock


def require_consistent(lock: Lock, request: Request, lock_name: str) -> None:
    """Raise LockError where ``lock`` says what ds01 would not have written into it.

    A lock may come from anybody: its name decides which image is replaced, and its target where
    files go.
    """
    base = lock.base
    issues = [
        Issue(
            f"deb {pin.name}.architecture", f"{pin.architecture!r} on a base of {base.architecture}"
        )
        for pin in lock.debs
        if pin.architecture not in ("all", base.architecture)
    ]
    if lock.name != request.recipe.name:
        issues.append(Issue("name", f"{lock.name!r}, the recipe is called {request.recipe.name!r}"))
    wanted = request.recipe.base
    fresh = lock.recipe == request.digest
    if fresh and isinstance(wanted, DebianBase) and base.suite != wanted.suite:
        issues.append(Issue("base.suite", f"{base.suite!r}, the recipe says {wanted.suite!r}"))
    if base.architecture not in MACHINES:
        issues.append(Issue("base.architecture", f"{base.architecture!r} is not known"))
    if lock.debs and lock.target != root.target(python_version(lock.debs)):
        issues.append(Issue("target", "is not that of the locked Python"))
    if issues:
        hint = f"remove {lock_name}, then: ds01 lock {request.path}"
        raise LockError(source=lock_name, issues=tuple(issues), hint=hint)


def relock(
    request: Request,
    previous: Lock | None,
    resolver: Resolver,
    *,
    upgrade: Upgrade,
    architecture: str,
) -> Lock:
    """Return the lock of ``request``, keeping of ``previous`` whatever still satisfies it.

    ``architecture`` (Debian's name) is that of a first lock. Raises Unavailable for what needs an
    engine, ResolveError, MissingDebs.
    """
    base = refuse_engine_work(request.recipe)
    upgrade.require_known(previous)
    architecture = previous.base.architecture if previous else architecture
    locked_base = LockedBase(suite=base.suite, architecture=architecture, packages=base.packages)
    tiers = tuple(_locked_tier(tier, request) for tier in request.recipe.tiers)
    debs = _debs(locked_base, tiers, previous, resolver, upgrade)
    root.refuse(pin.name for pin in debs)
    platform = platform_of(debs, architecture)
    lock = Lock(
        name=request.recipe.name,
        recipe=request.digest,
        base=locked_base,
        target=root.target(platform.python),
        image=request.recipe.image,
        tiers=tiers,
        debs=tuple(sorted(debs)),
        wheels=_wheels(request, previous, resolver, upgrade, platform),
        files=tuple(sorted(request.files)),
    )
    return replace(lock, layers=_layers(lock, previous, request))


def platform_of(debs: Sequence[DebPin], architecture: str) -> Platform:
    """Return what a base of ``debs`` can run. Raises ResolveError where it lacks Python or libc."""
    return Platform(
        python=python_version(debs), glibc=glibc_version(debs), machine=MACHINES[architecture]
    )


def _locked_tier(tier: Tier, request: Request) -> LockedTier:
    kinds = {AptTier: "apt", PythonTier: "python", FilesTier: "files"}
    return LockedTier(
        name=tier.name,
        kind=kinds[type(tier)],
        after=tuple(sorted(tier.after)),
        requests=request.packages[tier.name],
    )


def _debs(
    base: LockedBase,
    tiers: Sequence[LockedTier],
    previous: Lock | None,
    resolver: Resolver,
    upgrade: Upgrade,
) -> tuple[DebPin, ...]:
    asked = _apt_requests(base, tiers)
    # Versions of one release mean nothing in another.
    if previous is not None and previous.base.suite == base.suite:
        keep = upgrade.keeps(previous.debs)
        same = previous.base == base and _apt_requests(previous.base, previous.tiers) == asked
        if same and len(keep) == len(previous.debs):
            return previous.debs
        if not upgrade.everything:
            versions = {pin.name: pin.version for pin in previous.debs}
            return resolver.debs(base.suite, asked, versions, frozenset(versions) - keep)
    return resolver.debs(base.suite, asked, {}, frozenset())


def _apt_requests(base: LockedBase, tiers: Sequence[LockedTier]) -> tuple[AptRequest, ...]:
    rest = [AptRequest(tier=t.name, packages=t.requests) for t in tiers if t.kind == "apt"]
    return (AptRequest(tier="base", packages=base.packages), *rest)


def _wheels(
    request: Request,
    previous: Lock | None,
    resolver: Resolver,
    upgrade: Upgrade,
    platform: Platform,
) -> tuple[WheelPin, ...]:
    keep = {pin.name: pin for pin in previous.wheels} if previous else {}
    keep = {name: keep[name] for name in upgrade.keeps(tuple(keep.values()))}
    wheels = resolver.wheels(_wanted(request, platform), keep).pins
    for pin in wheels:
        if pin.digest not in request.digests.get(pin.name, (pin.digest,)):
            raise ResolveError(f"{pin} resolves to {pin.file}, whose hash the recipe does not list")
    return tuple(sorted(wheels))


def _wanted(request: Request, platform: Platform) -> Wanted:
    settings = request.recipe.resolve
    tiers = [tier for tier in request.recipe.tiers if isinstance(tier, PythonTier)]
    return Wanted(
        requests=tuple(
            PythonRequest(tier=tier.name, requirements=request.packages[tier.name])
            for tier in tiers
        ),
        platform=platform,
        constraints=request.constraints,
        overrides=settings.overrides,
        exclude=excludes_of(request.recipe, bundles()),
        prerelease=settings.prerelease,
        exclude_newer=settings.exclude_newer,
    )


def _layers(lock: Lock, previous: Lock | None, request: Request) -> tuple[LockedLayer, ...]:
    tiers = ["base", *_canonical_order(request)]
    # One layer of every image is not in the lock: the state that all .debs share.
    layers = previous.layers if previous else ()
    had = [Group(layer.tier, layer.kind, layer.names) for layer in layers]
    kept = _addresses(previous) & _addresses(lock) if previous else frozenset()
    unchanged = frozenset(f"{kind}:{name}" for kind, name, _ in kept)
    groups = group(_items(lock), tiers, previous=had, unchanged=unchanged, budget=LAYERS)
    return tuple(LockedLayer(tier=g.tier, kind=g.kind, names=g.names) for g in groups)


def _canonical_order(request: Request) -> list[str]:
    """Order tiers by kind and bundle, so that two recipes with the same bundles stack alike."""
    kinds = (AptTier, PythonTier, FilesTier)

    def rank(tier: Tier) -> tuple[int, int]:
        bundle = tier.bundle if isinstance(tier, (AptTier, PythonTier)) else ""
        return kinds.index(type(tier)), bundles()[bundle].rank if bundle else _LAST

    return [tier.name for tier in sorted(request.recipe.tiers, key=rank)]


LAYERS = BUDGET - 1

_LAST = 1_000_000  # tiers without a bundle, in recipe order, above those with one


def _pins(lock: Lock) -> list[tuple[str, str, Pin]]:
    return [
        *(("debs", pin.name, pin) for pin in lock.debs),
        *(("wheels", pin.name, pin) for pin in lock.wheels),
        *(("files", pin.to, pin) for pin in lock.files),
    ]


def _items(lock: Lock) -> list[Item]:
    return [
        Item(tier=pin.tier, kind=kind, name=name, size=pin.size, digest=pin.digest)
        for kind, name, pin in _pins(lock)
    ]


def _addresses(lock: Lock) -> frozenset[tuple[str, str, str]]:
    return frozenset((kind, name, str(pin.digest)) for kind, name, pin in _pins(lock))
