"""From a request to a lock: keep what still holds, resolve the rest, group into layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.base.lint import require_sound
from ds01build.base.moving import Verdict, verdict
from ds01build.base.places import known_directories
from ds01build.catalogue import bundles
from ds01build.errors import Issue, RecipeError, ResolveError
from ds01build.lock import Lock, LockedDebian, LockedImage, Removed
from ds01build.recipe import PythonTier, excludes_of
from ds01build.reference import parse_reference
from ds01build.resolve.request import PythonRequest, Wanted, Wheels
from ds01build.target import Ground, resolve
from ds01build.workflow import supplied
from ds01build.workflow.footing import footing, locked_platform
from ds01build.workflow.stacking import layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.base.facts import BaseFacts
    from ds01build.lock import LockedBase
    from ds01build.pin import WheelPin
    from ds01build.platform import Platform
    from ds01build.workflow.footing import Footing, Relocking
    from ds01build.workflow.request import Request

__all__ = ["ground", "relock"]


def relock(asked: Relocking) -> Lock:
    """Return the lock of a request, keeping of the one before whatever still satisfies it.

    Raises ResolveError, MissingDebs, Unavailable.
    """
    request = asked.request
    asked.upgrade.require_known(asked.previous)
    found = footing(asked)
    moved = _moved(asked, found)
    kept = _kept(asked) if moved and moved.answer == "safe" else None
    outcome = kept or _wheels(asked, found)
    for text in (*outcome.warnings, *require_sound(outcome.pins, found.facts)):
        asked.warn(text)
    wheels = tuple(sorted(outcome.pins))
    lock = Lock(
        name=request.recipe.name,
        recipe=request.digest,
        base=found.base,
        target=found.target,
        image=request.recipe.image,
        tiers=asked.tiers,
        debs=tuple(sorted(found.debs)),
        wheels=wheels,
        files=tuple(sorted(request.files)),
        removed=_removed(found, wheels),
    )
    _keep_directories(lock, found, request)
    lock = _grounded(lock, found)
    # Whoever moves everything moves to the site's layers, too.
    afresh = asked.site is not None and asked.upgrade.everything
    previous = None if afresh else asked.previous
    return replace(lock, layers=layers(lock, previous, request, asked.site))


def _moved(asked: Relocking, found: Footing) -> Verdict | None:
    """Return the verdict on another base than the previous one, None where that stays.

    Raises ResolveError where only the base was to move, and it is no replacement.
    """
    previous, base = asked.previous.base if asked.previous else None, found.base
    if not isinstance(previous, LockedImage) or not isinstance(base, LockedImage):
        _tell_other(asked, found)
        return None
    if previous.config == base.config or found.facts is None:
        return None
    old = asked.bases.known(previous)
    if old is None:
        asked.note(f"the base has moved, and what {previous.manifest} had is not known here")
        return None
    made = verdict(old, found.facts, asked.request.recipe.resolve.allow_base_change)
    asked.note(f"the base has moved: {made}")
    if made.answer == "refused" and asked.upgrade.base:
        raise ResolveError(
            f"the new base is no replacement: {'; '.join(made.reasons)}",
            hint=f"ds01 lock --upgrade {asked.request.path}",
        )
    return made


def _tell_other(asked: Relocking, found: Footing) -> None:
    """Tell of a base of another kind, or of another suite: wheels are always resolved over it."""
    if asked.previous is None:
        return
    before, after = _called(asked.previous.base), _called(found.base)
    if before == after:
        return
    reasons = [f"{before} became {after}"]
    target = asked.previous.target
    if target and found.target and target.version != found.target.version:
        reasons.append(f"Python {target.version} became {found.target.version}")
    asked.note(f"the base has moved: {Verdict(answer='resolve', reasons=tuple(reasons))}")


def _called(base: LockedBase) -> str:
    if isinstance(base, LockedDebian):
        return f"Debian {base.suite}"
    return parse_reference(base.reference).familiar


def _kept(asked: Relocking) -> Wheels | None:
    """Return the wheels of the last lock, if nothing but the base may change them.

    What was built from source was built over the old one.
    """
    previous = asked.previous
    if previous is None or previous.recipe != asked.request.digest or asked.upgrade.packages:
        return None
    is_whole = not asked.upgrade.everything and not any(pin.is_built for pin in previous.wheels)
    return Wheels(pins=previous.wheels) if is_whole else None


def _wheels(asked: Relocking, found: Footing) -> Wheels:
    request, previous = asked.request, asked.previous
    if found.platform is None:
        return Wheels()
    own = {pin.name: pin for pin in previous.wheels} if previous else {}
    own = {name: own[name] for name in asked.upgrade.keeps(tuple(own.values()))}
    keep = {**asked.upgrade.unnamed(asked.site.wheels if asked.site else ()), **own}
    had = locked_platform(previous) if previous and previous.wheels else None
    settled = tuple(own.values()) if had == found.platform else ()
    wanted = replace(_wanted(request, found, found.platform), settled=settled)
    with asked.sources(found) as sources:
        wheels = supplied.wheels(asked.resolver, sources, wanted, supplied.Known(keep, previous))
    for pin in wheels.pins:
        if not supplied.hashes(pin) & {*request.digests.get(pin.name, (pin.digest,))}:
            raise ResolveError(f"{pin} resolves to {pin.file}, whose hash the recipe does not list")
    return wheels


def _wanted(request: Request, found: Footing, platform: Platform) -> Wanted:
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
        holding=found.holding,
    )


def _removed(found: Footing, wheels: tuple[WheelPin, ...]) -> tuple[Removed, ...]:
    """Return the distributions of the base whose files go, since wheels come in their place."""
    gone = found.holding.replaced(pin.name for pin in wheels)
    return tuple(
        sorted(Removed(name=one.name, version=one.version, paths=one.owns) for one in gone)
    )


def _keep_directories(lock: Lock, found: Footing, request: Request) -> None:
    """Refuse files that would take the place of a directory of the base.

    Over a root of .debs the stack check finds them: every directory of that is in a layer.
    """
    if found.facts is None:
        return
    directories = known_directories(found.facts)
    links = {link.path: link.to for link in found.facts.links}
    issues = tuple(
        Issue(
            f"tiers.{pin.tier}.files",
            f"{pin.to} is a directory of the base, and a file cannot take its place",
        )
        for pin in lock.files
        if {pin.to.lstrip("/"), _landing(pin.to, links)} & directories
    )
    if issues:
        raise RecipeError(source=str(request.path), issues=issues)


def _landing(path: str, links: Mapping[str, str]) -> str:
    """Return where a file of that path is put; as it is where the links to it form a loop."""
    directory, _, name = path.lstrip("/").rpartition("/")
    try:
        way = resolve(directory, dict(links))
    except ValueError:  # told when the layer is made
        return path.lstrip("/")
    return f"{way}/{name}" if way else name


def _grounded(lock: Lock, found: Footing) -> Lock:
    """Give the lock what its files and removals pass on their way into an image."""
    if not isinstance(lock.base, LockedImage) or found.facts is None:
        return lock
    return replace(lock, base=replace(lock.base, ground=ground(lock, found.facts)))


def ground(lock: Lock, facts: BaseFacts) -> Ground:
    """Return what of a base, which ``facts`` are of, a lock's files and removals pass."""
    everywhere = Ground(directories=facts.directories, links=facts.links)
    removed = [f"/{path}" for one in lock.removed for path in one.paths]
    return everywhere.towards([*(pin.to for pin in lock.files), *removed])
