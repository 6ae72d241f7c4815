"""What tiers stand on: a root of .debs or an image, with every .deb of it and of them chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ds01build.base.derive import platform_of
from ds01build.base.holding import Holding, hold
from ds01build.errors import MissingDebs, ResolveError
from ds01build.lock import LockedDebian, LockedImage, LockedTier
from ds01build.platform import MACHINES, Platform
from ds01build.recipe import AptTier, DebianBase, FilesTier, PythonTier, RunTier
from ds01build.resolve.apt import AptRequest, AptWanted, glibc_version, python_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ds01build.base.facts import BaseFacts
    from ds01build.direct import Direct
    from ds01build.lock import Lock, LockedBase
    from ds01build.pin import DebPin, WheelPin
    from ds01build.recipe import FrameworkBase, ImageBase, Tier
    from ds01build.resolve.request import Supplied, Wanted, Wheels
    from ds01build.target import Target
    from ds01build.workflow.request import Request
    from ds01build.workflow.upgrade import Upgrade

__all__ = ["Bases", "Footing", "Relocking", "Resolver", "Sources", "footing", "locked_platform"]


class Resolver(Protocol):
    """Finds packages: apt and uv behind one face."""

    def debs(self, suite: str, wanted: AptWanted) -> tuple[DebPin, ...]:
        """Return the .debs of all that is wanted, those that are kept at their versions."""

    def debs_over(self, base: BaseFacts, wanted: AptWanted) -> tuple[DebPin, ...]:
        """Return what is wanted beyond an image, as ``debs`` does."""

    def wheels(self, wanted: Wanted, keep: Mapping[str, WheelPin]) -> Wheels:
        """Return the wheels of ``wanted``, those of ``keep`` at their versions."""


class Bases(Protocol):
    """Finds images, and what is in them."""

    def locked(
        self, wanted: ImageBase | FrameworkBase, previous: LockedImage | None
    ) -> LockedImage:
        """Return the image that ``wanted`` names now, or ``previous`` if that is of the same name.

        Its ground is empty.
        """

    def facts(self, image: LockedImage) -> BaseFacts:
        """Return what is in ``image``."""

    def known(self, image: LockedImage) -> BaseFacts | None:
        """Return what is remembered of ``image``, None where nothing is."""


class Sources(Protocol):
    """Brings wheels that no index offers."""

    def direct(self, wanted: Direct, known: WheelPin | None) -> Supplied:
        """Return what a direct URL comes to, as ``known``, of an earlier lock, did before."""

    def sdist(self, name: str, wanted: Wanted, known: WheelPin | None) -> Supplied | None:
        """Return what the source distribution comes to that an index has of a package.

        None where the base is nothing that a wheel can be built in.
        """

    def kept(self, pin: WheelPin) -> Supplied | None:
        """Return a built wheel of the last lock, if it is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocking:
    """A request, the lock that it had before, and who answers.

    ``architecture`` (Debian's name) is that of a first lock; ``warn`` is told what a person should
    know, and ``note`` what was found. What ``sources`` brings is there until its context is left.
    ``site`` is a lock whose choices are taken where nothing else has made one.
    """

    request: Request
    previous: Lock | None
    upgrade: Upgrade
    architecture: str
    resolver: Resolver
    bases: Bases
    sources: Callable[[Footing], AbstractContextManager[Sources]]
    warn: Callable[[str], None]
    note: Callable[[str], None]
    site: Lock | None = None

    @property
    def tiers(self) -> tuple[LockedTier, ...]:
        """The tiers of the request as a lock has them."""
        return locked_tiers(self.request)


def locked_tiers(request: Request) -> tuple[LockedTier, ...]:
    """Return the tiers of a request as a lock has them."""
    return tuple(_locked_tier(tier, request) for tier in request.recipe.tiers)


def _locked_tier(tier: Tier, request: Request) -> LockedTier:
    kinds = {AptTier: "apt", PythonTier: "python", FilesTier: "files", RunTier: "run"}
    return LockedTier(
        name=tier.name,
        kind=kinds[type(tier)],
        after=tuple(sorted(tier.after)),
        requests=request.packages[tier.name],
        commands=tier.commands if isinstance(tier, RunTier) else (),
        network=isinstance(tier, RunTier) and tier.network,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What tiers stand on. Over an image without Python there are no platform and no target."""

    base: LockedBase
    debs: tuple[DebPin, ...]
    platform: Platform | None
    target: Target | None
    holding: Holding = field(default_factory=Holding)
    facts: BaseFacts | None = None  # of an image


def footing(asked: Relocking) -> Footing:
    """Return what the tiers of a request stand on.

    Raises ResolveError, MissingDebs, Unavailable.
    """
    wanted = asked.request.recipe.base
    if isinstance(wanted, DebianBase):
        previous = asked.previous
        architecture = previous.base.architecture if previous else asked.architecture
        return _on_debian(
            asked,
            LockedDebian(suite=wanted.suite, architecture=architecture, packages=wanted.packages),
        )
    moves = asked.upgrade.everything or asked.upgrade.base
    known = asked.previous.base if asked.previous and not moves else None
    if known is None and asked.site and asked.site.base.architecture == asked.architecture:
        known = None if asked.upgrade.base else asked.site.base
    found = asked.bases.locked(wanted, known if isinstance(known, LockedImage) else None)
    return _on_image(asked, found, asked.bases.facts(found))


def locked_platform(lock: Lock) -> Platform | None:
    """Return what wheels of ``lock`` have to be for; None where it has no Python.

    Raises ResolveError for a root of .debs without Python or libc.
    """
    if isinstance(lock.base, LockedDebian):
        return _debian_platform(lock.debs, lock.base.architecture)
    if lock.target is None:
        return None
    major, minor = map(int, lock.base.glibc.split("."))
    machine = MACHINES[lock.base.architecture]
    return Platform(python=lock.target.version, glibc=(major, minor), machine=machine)


def _debian_platform(debs: Sequence[DebPin], architecture: str) -> Platform:
    return Platform(
        python=python_version(debs), glibc=glibc_version(debs), machine=MACHINES[architecture]
    )


def _on_debian(asked: Relocking, base: LockedDebian) -> Footing:
    from ds01build.layers import root  # not needed over an image, and 20 ms

    debs = _debian_debs(asked, base)
    root.refuse(pin.name for pin in debs)
    platform = _debian_platform(debs, base.architecture)
    return Footing(base=base, debs=debs, platform=platform, target=root.target(platform.python))


def _debian_debs(asked: Relocking, base: LockedDebian) -> tuple[DebPin, ...]:
    previous, upgrade = asked.previous, asked.upgrade
    requests = (AptRequest(tier="base", packages=base.packages), *_requests(asked.tiers))
    theirs = asked.site.base if asked.site else None
    is_ours = isinstance(theirs, LockedDebian) and (theirs.suite, theirs.architecture) == (
        base.suite,
        base.architecture,
    )
    ask = _Asking(lambda wanted: asked.resolver.debs(base.suite, wanted), asked, is_ours=is_ours)
    # Versions of one release mean nothing in another.
    if (
        previous is not None
        and isinstance(previous.base, LockedDebian)
        and previous.base.suite == base.suite
    ):
        keep = upgrade.keeps(previous.debs)
        same = previous.base == base and _requests(previous.tiers) == requests[1:]
        if same and len(keep) == len(previous.debs):
            return previous.debs
        if not upgrade.everything:
            versions = {pin.name: pin.version for pin in previous.debs}
            return ask(_keeping(requests, versions, keep))
    return ask(AptWanted(requests=requests))


def _requests(tiers: Sequence[LockedTier]) -> tuple[AptRequest, ...]:
    return tuple(
        AptRequest(tier=tier.name, packages=tier.requests) for tier in tiers if tier.kind == "apt"
    )


def _on_image(asked: Relocking, image: LockedImage, facts: BaseFacts) -> Footing:
    wants_python = [tier.name for tier in asked.tiers if tier.kind == "python"]
    platform = platform_of(facts) if wants_python else None
    glibc = "{}.{}".format(*platform.glibc) if platform else ""
    return Footing(
        base=replace(image, glibc=glibc),
        debs=_image_debs(asked, image, facts),
        platform=platform,
        target=facts.target if wants_python else None,
        holding=hold(facts, asked.request.recipe.resolve.allow_base_change),
        facts=facts,
    )


def _image_debs(asked: Relocking, image: LockedImage, facts: BaseFacts) -> tuple[DebPin, ...]:
    requests = _requests(asked.tiers)
    if not any(request.packages for request in requests):
        return ()
    theirs = asked.site.base if asked.site else None
    is_ours = isinstance(theirs, LockedImage) and theirs.config == image.config
    ask = _Asking(lambda wanted: asked.resolver.debs_over(facts, wanted), asked, is_ours=is_ours)
    previous, upgrade = asked.previous, asked.upgrade
    if previous is None or upgrade.everything or not isinstance(previous.base, LockedImage):
        return ask(AptWanted(requests=requests))
    keep = upgrade.keeps(previous.debs)
    same = previous.base.config == image.config and _requests(previous.tiers) == requests
    if same and len(keep) == len(previous.debs):
        return previous.debs
    versions = {pin.name: pin.version for pin in previous.debs}
    return ask(_keeping(requests, versions, keep))


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks apt with a site's versions first, where its lock is over the same base."""

    resolve: Callable[[AptWanted], tuple[DebPin, ...]]
    asked: Relocking
    is_ours: bool = field(kw_only=True)

    def __call__(self, wanted: AptWanted) -> tuple[DebPin, ...]:
        """Return the .debs; what of the site's the archive lost, or cannot be met, is let go."""
        pins = self.asked.site.debs if self.asked.site and self.is_ours else ()
        named = self.asked.upgrade.packages
        more = {pin.name: pin.version for pin in pins if pin.name not in {*wanted.keep, *named}}
        while more:
            try:
                return self.resolve(replace(wanted, keep={**more, **wanted.keep}))
            except MissingDebs as error:  # noqa: PERF203 (each runs apt)
                gone = more.keys() & {deb.partition("=")[0] for deb in error.debs}
                more = {name: more[name] for name in more.keys() - gone if gone}
            except ResolveError:
                more = {}
        return self.resolve(wanted)


def _keeping(
    requests: tuple[AptRequest, ...], versions: Mapping[str, str], keep: frozenset[str]
) -> AptWanted:
    return AptWanted(requests=requests, keep=versions, release=frozenset(versions) - keep)
