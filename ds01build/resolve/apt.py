"""Resolves .debs with apt: tier by tier, each over what the tiers before it bring."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ds01build.errors import MissingDebs, ResolveError
from ds01build.pin import DebPin
from ds01build.resolve.complaint import (
    Attempt,
    Unsatisfiable,
    explained,
    replacing,
    unknown,
    unsound,
)
from ds01build.resolve.installed import NOTHING, is_newer
from ds01build.resolve.sources import plain
from ds01build.resolve.stanza import (
    NAME,
    VERSION,
    dependents,
    needs,
    parse_offers,
    parse_stanzas,
    status_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ds01build.resolve.installed import Installed
    from ds01build.resolve.session import AptSession
    from ds01build.resolve.stanza import Offer, Stanza

__all__ = [
    "AptRequest",
    "AptWanted",
    "glibc_version",
    "has_all",
    "python_version",
    "replaced",
    "resolve",
]

_WORD = re.compile(rf"(?P<name>{NAME.pattern})(?:=(?P<version>{VERSION.pattern}\*?))?")
_KEEP = 1001  # above 1000 apt goes back to that version too, apt_preferences(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AptRequest:
    """What a tier asks for: package names, each alone or as ``name=version``.

    A version may end with ``*``. The order means nothing.
    """

    tier: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AptWanted:
    """What tiers ask for, and the versions that packages keep, but for those of ``release``."""

    requests: tuple[AptRequest, ...]
    keep: Mapping[str, str] = field(default_factory=dict)
    release: frozenset[str] = frozenset()


def resolve(
    session: AptSession,
    requests: Sequence[AptRequest],
    *,
    keep: Mapping[str, str],
    release: frozenset[str] = frozenset(),
    base: Installed = NOTHING,
) -> tuple[DebPin, ...]:
    """Return the .debs of all tiers, in the order of ``requests`` and by name within a tier.

    Without ``base``, a base image, ``requests`` start with the base. A package that an image has
    stays as it is, unless a tier asks for another version or something that it brings needs a
    later one: then its upgrade is among the .debs (``replaced``).

    Packages stay at their version in ``keep``, except those of ``release`` and, where these can't
    move alone, what holds them back. Raises MissingDebs with all versions of ``keep`` that are
    needed and that the archive no longer has, and ResolveError.
    """
    asked = {request.tier: _wanting(base, _words(request)) for request in requests}
    if len(asked) != len(requests):
        raise ValueError("two requests of one tier")
    _check_names(session, base, asked)
    kept = _fitting(asked, keep)
    release |= {name for name, version in base.versions().items() if _is_past(version, keep, name)}
    failure: ResolveError | MissingDebs = ResolveError("nothing was tried")
    for loose in _loosened(session, keep, release):
        try:
            held = {name: version for name, version in kept.items() if name not in loose}
            return _kept(session, base, asked, held)
        except (Unsatisfiable, MissingDebs) as error:  # noqa: PERF203 (each runs apt)
            failure = error
    raise (unsound(session, base) if base else None) or failure


def has_all(base: Installed, requests: Iterable[AptRequest]) -> bool:
    """Return whether a base meets all that tiers ask for, so that apt need not be asked."""
    return not any(_wanting(base, _words(request)) for request in requests)


def replaced(pins: Iterable[DebPin], base: Installed) -> dict[str, str]:
    """Return the packages of ``base`` that ``pins`` upgrade, with the version that it has."""
    had = base.versions()
    return {
        pin.name: had[pin.name] for pin in pins if had.get(pin.name, pin.version) != pin.version
    }


def python_version(pins: Iterable[DebPin]) -> str:
    """Return the version of Debian's Python among ``pins``, such as 3.11.2.

    Raises ResolveError when there is none.
    """
    for pin in pins:
        match = re.match(r"(3\.[0-9]+\.[0-9]+)(?:~((?:a|b|rc)[0-9]+))?-", pin.version)
        if match and re.fullmatch(r"python3\.[0-9]+-minimal", pin.name):
            return "".join(part for part in match.groups() if part)
    raise ResolveError("the base has no Python", hint='add "python3" to packages under [base]')


def glibc_version(pins: Iterable[DebPin]) -> tuple[int, int]:
    """Return the version of the C library among ``pins``, such as (2, 36).

    Raises ResolveError when there is none.
    """
    for pin in pins:
        match = re.match(r"([0-9]+)\.([0-9]+)", pin.version)
        if match and pin.name == "libc6":
            return int(match[1]), int(match[2])
    raise ResolveError("the base has no C library", hint='add "libc6" to packages under [base]')


@dataclass(frozen=True, slots=True)
class _Found:
    """A package that a tier brings, with its entry in the index."""

    pin: DebPin
    stanza: Stanza


def _loosened(
    session: AptSession, keep: Mapping[str, str], release: frozenset[str]
) -> Iterator[frozenset[str]]:
    """Yield what of ``keep`` may move, each time a little more: no more than has to."""
    yield release
    if not release:
        return
    session.write("status", "")
    outgrown = release
    while True:
        wanted = [n for e in _entries(session, outgrown, "--no-all-versions") for n in needs(e)]
        more = {n.name for n in wanted if n.name in keep and not n.is_met_by(keep[n.name])}
        if more <= outgrown:
            break
        outgrown |= more
    if outgrown != release:
        yield outgrown
    session.write("status", "")  # what the attempt before has left there
    yield dependents(_entries(session, keep, "--no-all-versions"), outgrown)


def _words(request: AptRequest) -> dict[str, str]:
    """Return the version asked for by name, empty for any; sorted, since apt minds the order."""
    words: dict[str, str] = {}
    for text in sorted(set(request.packages)):
        match = _WORD.fullmatch(text)
        if match is None:
            raise ResolveError(f"tier {request.tier!r}: not the name of a package: {text!r:.100}")
        if words.setdefault(match["name"], match["version"] or "") != (match["version"] or ""):
            raise ResolveError(f"tier {request.tier!r} asks for {match['name']} in two versions")
    return words


def _wanting(base: Installed, words: Mapping[str, str]) -> dict[str, str]:
    """Return the words that ``base`` does not meet already."""
    had = base.versions()
    return {
        name: version
        for name, version in words.items()
        if name not in had or (version and not fnmatchcase(had[name], version))
    }


def _is_past(version: str, keep: Mapping[str, str], name: str) -> bool:
    """Return whether the base has come to a later version than the lock has."""
    kept = keep.get(name, "")
    return bool(VERSION.fullmatch(kept)) and is_newer(version, kept)


def _check_names(
    session: AptSession, base: Installed, asked: Mapping[str, Mapping[str, str]]
) -> None:
    """Refuse names that no index has: apt would take them for patterns, or to remove packages."""
    session.write("status", base.text())  # as the first tier needs it: apt reads the indexes once
    there = {
        each.name for each in _entries(session, {n for words in asked.values() for n in words})
    }
    for tier, words in asked.items():
        strange = [name for name in words if name not in there]
        if strange:
            session.write("status", "")
            known = set(session.run("apt-cache", "pkgnames").stdout.split())
            raise unknown(session, tier, strange, known)


def _fitting(asked: Mapping[str, Mapping[str, str]], keep: Mapping[str, str]) -> dict[str, str]:
    """Return what of ``keep`` agrees with the versions that the tiers ask for."""
    wanted = [(n, v) for words in asked.values() for n, v in words.items() if v]
    against = {n for n, v in wanted if n in keep and not fnmatchcase(keep[n], v)}
    return {name: version for name, version in keep.items() if name not in against}


def _kept(
    session: AptSession,
    base: Installed,
    asked: Mapping[str, Mapping[str, str]],
    kept: Mapping[str, str],
) -> tuple[DebPin, ...]:
    """Resolve with every version of ``kept`` held, or name those that are gone."""
    try:
        pins = tuple(found.pin for found in _chain(session, base, asked, kept))
    except Unsatisfiable as error:
        session.write("status", "")
        there = {(entry.name, entry.version) for entry in _entries(session, kept)}
        gone = [f"{n}={v}" for n, v in sorted(kept.items()) if (n, v) not in there]
        if gone:
            raise _missing(gone) from error
        raise
    moved = [pin.name for pin in pins if kept.get(pin.name, pin.version) != pin.version]
    if moved:
        raise _missing(f"{name}={kept[name]}" for name in sorted(moved))
    return pins


def _missing(debs: Iterable[str]) -> MissingDebs:
    return MissingDebs(
        debs=tuple(debs), hint="to take what the archive has now: ds01 lock --update-missing RECIPE"
    )


def _chain(
    session: AptSession,
    base: Installed,
    asked: Mapping[str, Mapping[str, str]],
    kept: Mapping[str, str],
) -> list[_Found]:
    found: list[_Found] = []
    for tier, words in asked.items():
        attempt = Attempt(
            tier=tier,
            words=tuple(_word(name, version, kept) for name, version in words.items()),
            brought={each.pin.name: each.pin.tier for each in found},
            kept=kept,
            had=base.versions(),
            on_hold=base.held(),
        )
        found += _install(session, base, attempt, found) if words else []
    return found


def _word(name: str, version: str, kept: Mapping[str, str]) -> str:
    return f"{name}={kept.get(name, version)}" if version else name


def _install(
    session: AptSession, base: Installed, attempt: Attempt, found: Sequence[_Found]
) -> list[_Found]:
    """Return what the tier of ``attempt`` adds to ``found``, sorted by name."""
    held = {**attempt.kept, **{each.pin.name: each.pin.version for each in found}}
    rest = base.text(without=attempt.brought.keys())
    session.write("status", rest + status_text(each.stanza for each in found))
    session.write("etc/preferences", _preferences(held) + base.preferences)
    options = ("-q", "-y", "--print-uris", "--no-remove")
    outcome = session.run("apt-get", *options, "install", "--", *attempt.words)
    if outcome.code:
        raise explained(session, attempt, outcome)
    offers = {offer.name: offer for offer in parse_offers(outcome.stdout)}
    changes = {
        n: f"change {n} {held[n]} to {offers[n].version}" for n in offers if n in attempt.brought
    }
    if changes:
        raise replacing(attempt, changes)
    return _located(session, attempt.tier, offers)


def _preferences(held: Mapping[str, str]) -> str:
    for name, version in held.items():
        if not NAME.fullmatch(name) or not VERSION.fullmatch(version):
            raise ResolveError(f"not a package and its version: {name!r:.100}, {version!r:.100}")
    return "".join(
        f"Package: {name}\nPin: version {version}\nPin-Priority: {_KEEP}\n\n"
        for name, version in sorted(held.items())
    )


def _located(session: AptSession, tier: str, offers: Mapping[str, Offer]) -> list[_Found]:
    words = [f"{offer.name}={offer.version}" for offer in offers.values()]
    entries = {(e.name, e.version, e.size, e.digest): e for e in _entries(session, words)}
    found = []
    for _, offer in sorted(offers.items()):
        entry = entries.get((offer.name, offer.version, offer.size, offer.digest))
        if entry is None:
            raise ResolveError(f"apt offers another {offer.name} than its index describes")
        found.append(_Found(_pin(session, tier, entry, offer), entry))
    return found


def _pin(session: AptSession, tier: str, entry: Stanza, offer: Offer) -> DebPin:
    if entry.architecture not in {"all", session.architecture}:
        raise ResolveError(f"{entry.name} is for {entry.architecture}, not {session.architecture}")
    return DebPin(
        name=entry.name,
        version=entry.version,
        architecture=entry.architecture,
        path=entry.path,
        size=entry.size,
        digest=entry.digest,
        tier=tier,
        archive=_archive(session, entry, offer),
    )


def _archive(session: AptSession, entry: Stanza, offer: Offer) -> str:
    try:
        uri = plain(offer.uri).replace("/./", "/")  # as flat archives spell it
    except ValueError as error:
        raise ResolveError(f"apt would fetch {entry.name} from {error}") from error
    for source in session.sources:
        if uri == f"{plain(source.uri)}/{entry.path}":
            return source.archive
    raise ResolveError(f"apt would fetch {entry.name} from outside of the configured archives")


def _entries(session: AptSession, words: Iterable[str], *options: str) -> tuple[Stanza, ...]:
    """Return the index's entries for names, or for ``name=version``; it may have none."""
    asked = sorted(words)
    if not asked:
        return ()
    return parse_stanzas(session.run("apt-cache", "show", *options, "--", *asked).stdout)
