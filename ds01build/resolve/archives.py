"""Where .debs over a base image come from: its own sources, as this machine reaches them.

What an image says is hostile: it chooses which archives are asked and whose keys vouch for them,
as it would in a container, and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ds01build.errors import ResolveError, Unavailable
from ds01build.location import redact
from ds01build.resolve.entries import parse_entries
from ds01build.resolve.family import family_of
from ds01build.resolve.installed import debian_architecture
from ds01build.resolve.keys import keys_of
from ds01build.resolve.places import check_place, known_servers
from ds01build.resolve.sources import (
    KEYRINGS,
    AptSource,
    beside,
    configured,
    first_of,
    of_host,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ds01build.base.facts import AptFacts, BaseFacts
    from ds01build.resolve.entries import Entry
    from ds01build.resolve.family import Family

__all__ = ["Archives", "Site", "alias_of", "archives_of"]

_LIMIT = 256 * 1024  # characters of one file of sources
_MOST = 200  # entries, and notes
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")  # os-release(5)
_CODENAME = re.compile(r"[a-z][a-z0-9.-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What this machine's configuration, and the recipe, say of apt.

    ``mirror`` is the root of an archive, with that of the security archive after a space;
    ``keyring`` a path. ``servers`` are URLs of further servers that it names. ``installed`` are
    where this machine may have Debian's keys.
    """

    host: tuple[AptSource, ...] = ()
    mirror: str = field(default="", repr=False)
    keyring: str = ""
    servers: tuple[str, ...] = field(default=(), repr=False)
    installed: tuple[Path, ...] = KEYRINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """The sources over a base, the release itself first, and what had to be left out."""

    title: str  # such as "ubuntu noble"
    sources: tuple[AptSource, ...]
    notes: tuple[str, ...] = ()

    def key(self) -> str:
        """Return what tells these sources and their keys from others, as a name of a directory.

        Indexes that one base's keys vouch for are never another's.
        """
        rows = [(plain(s.uri), s.suite, s.components, s.signed_by, s.keys) for s in self.sources]
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Release:
    """What a base is, and what its apt goes by."""

    family: Family
    codename: str
    architecture: str
    facts: AptFacts


def archives_of(base: BaseFacts, site: Site) -> Archives:
    """Return the sources for .debs over ``base``.

    The archives of its own distribution are replaced by the mirror of ``site``, or else by the
    host's own where these serve it; all others are taken from where the base says. An entry that
    cannot be used is left out with a note. Raises ResolveError for a base of no known release and
    a malformed mirror, and Unavailable where nothing serves its distribution.
    """
    notes: list[str] = []
    entries = _entries(base.apt, notes)
    release = _release(base, entries)
    own = _own(release.family, entries)
    others = [entry for entry in entries if entry not in own]
    sources = [*_own_sources(release, own, site, notes), *_usable(release, others, site, notes)]
    if not any(each.suite == release.codename for each in sources):
        raise _lacking(release)
    first = sorted(_merged(sources), key=lambda source: source.suite != release.codename)
    return Archives(title=_title(release), sources=tuple(first), notes=tuple(notes[:_MOST]))


def alias_of(uri: str) -> str:
    """Return the alias of a vendor's archive: the same wherever its root is spelled the same.

    It has no host in it, and whoever has the base can find the root again.
    """
    return f"archive-{hashlib.sha256(plain(uri).encode()).hexdigest()[:16]}"


def _title(release: _Release) -> str:
    return f"{release.family.name.capitalize()} {release.codename}"


def _entries(facts: AptFacts, notes: list[str]) -> list[Entry]:
    texts = {path: text for path, text in facts.sources if len(text) <= _LIMIT}
    large = sorted({path for path, _ in facts.sources} - texts.keys())
    notes += [f"the base's {path!r:.100} is too large and left out" for path in large]
    found = list(dict.fromkeys(parse_entries(texts)))
    if len(found) > _MOST:
        notes.append(f"of {len(found)} sources of the base only {_MOST} are used")
    return found[:_MOST]


def _release(base: BaseFacts, entries: list[Entry]) -> _Release:
    """Return what ``base`` is. A Debian that does not say which release names it in its sources."""
    codename = base.codename
    family = family_of(base.distribution, codename)
    if not codename:
        own = [match for each in entries if (match := family.suites.fullmatch(each.suite))]
        codename = own[0]["codename"] if own else ""
    if not _ID.fullmatch(base.distribution) or not _CODENAME.fullmatch(codename):
        raise ResolveError(
            f"the base does not say which release of which distribution it is: "
            f"{base.distribution!r:.40}, {codename!r:.40}"
        )
    return _Release(family, codename, debian_architecture(base.architecture), base.apt)


def _own(family: Family, entries: list[Entry]) -> list[Entry]:
    """Return the entries of the distribution's own archives."""
    releases = family.own((e for e in entries if family.part(e) is None), entries)
    security = family.own((e for e in entries if family.part(e) == "-security"), entries)
    roots = {(entry.uri, entry.signed_by) for entry in releases}
    return [
        entry
        for entry in entries
        if entry in security
        or ((entry.uri, entry.signed_by) in roots and family.part(entry) != "?")
    ]


def _own_sources(
    release: _Release, own: list[Entry], site: Site, notes: list[str]
) -> list[AptSource]:
    places = (
        configured(site.mirror, release.codename)
        if site.mirror
        else of_host(site.host, release.codename, release.family)
    )
    main = places[0]
    if main is None:
        return list(_usable(release, own, site, notes, own=True))
    security = places[1] or beside(main, release.codename)
    signed_by = site.keyring or main.signed_by
    moved = [_moved(release, entry, main, security) for entry in own] or [
        main,
        replace(main, suite=f"{release.codename}-updates", required=False),
        security,
    ]
    named = [replace(each, archive=_own_alias(release, each.suite)) for each in moved]
    if signed_by:
        return _with_keyring(named, signed_by)
    return [_vouched(release, source, _signed_by(own, source), site) for source in named]


def _moved(release: _Release, entry: Entry, main: AptSource, security: AptSource) -> AptSource:
    """Return the entry's suite and components at ``main`` or ``security``."""
    is_security = release.family.part(entry) == "-security"
    place = security if is_security else main
    try:
        return replace(
            place,
            suite=entry.suite,
            components=entry.components,
            required=place.required and (is_security or entry.suite == release.codename),
        )
    except ValueError as error:
        raise ResolveError(f"a source of the base is {error}: {entry.suite!r:.60}") from error


def _signed_by(own: list[Entry], source: AptSource) -> str:
    return next((each.signed_by for each in own if each.suite == source.suite), "")


def _with_keyring(sources: list[AptSource], keyring: str) -> list[AptSource]:
    try:
        return [replace(each, signed_by=keyring, keys=b"") for each in sources]
    except ValueError as error:
        raise ResolveError(f"the keyring for apt is {error}: {keyring!r:.200}") from error


def _vouched(release: _Release, source: AptSource, signed_by: str, site: Site) -> AptSource:
    """Return ``source`` with the base's keys for it, or else with Debian's on this machine."""
    try:
        return replace(source, keys=keys_of(dict(release.facts.keyrings), signed_by))
    except ValueError as error:
        installed = first_of(site.installed) if release.family.name == "debian" else ""
        if installed:
            return replace(source, signed_by=installed)
        raise Unavailable(
            f"no keys for the archive of {_title(release)}: {error}",
            hint="export DS01_APT_KEYRING=FILE with the keys of this archive",
        ) from error


def _usable(
    release: _Release, entries: Iterable[Entry], site: Site, notes: list[str], *, own: bool = False
) -> Iterator[AptSource]:
    """Yield the sources of ``entries`` at the places that the base names."""
    mirrors = (*site.mirror.split(), *site.servers)
    known = known_servers([*mirrors, *(each.uri for each in site.host)])
    for entry in entries:
        problem = _problem(release, entry, known)
        if problem:
            place = f"{redact(entry.uri)!r:.120} {entry.suite!r:.60}"
            notes.append(f"the base's source {place} is left out: {problem}")
        else:
            yield _source(release, entry, own=own)


def _problem(release: _Release, entry: Entry, known: frozenset[str]) -> str:
    """Return why the place of ``entry`` is not used, if it is not."""
    try:
        check_place(entry.uri, known)
        _source(release, entry, own=True)
    except ValueError as error:
        return str(error)
    return ""


def _source(release: _Release, entry: Entry, *, own: bool) -> AptSource:
    if entry.architectures and release.architecture not in entry.architectures:
        raise ValueError(f"it is not for {release.architecture}")
    return AptSource(
        archive=_own_alias(release, entry.suite) if own else alias_of(entry.uri),
        uri=entry.uri.rstrip("/"),
        suite=entry.suite,
        components=entry.components,
        keys=keys_of(dict(release.facts.keyrings), entry.signed_by),
        required=own and release.family.part(entry) in {None, "-security"},
        extra=not own,
        expires=entry.expires,
    )


def _own_alias(release: _Release, suite: str) -> str:
    if suite.endswith(("-security", "/updates")):
        return "security"
    return re.sub(r"[^a-z0-9]", "-", release.family.name)


def _merged(sources: Iterable[AptSource]) -> list[AptSource]:
    """Return one source for each place, suite and keys, with the components of all."""
    found: dict[tuple[str, str, str, bytes], AptSource] = {}
    for source in sources:
        place = (source.uri, source.suite, source.signed_by, source.keys)
        earlier = found.get(place, source)
        components = dict.fromkeys((*earlier.components, *source.components))
        found[place] = replace(earlier, components=tuple(components))
    return list(found.values())


def _lacking(release: _Release) -> Unavailable:
    return Unavailable(
        f"no archive of {_title(release)} is known: the base has no source of its own that "
        "can be used",
        hint=(
            'export DS01_APT_MIRROR=URL, or set apt-mirror = "URL" under [resolve] of the recipe, '
            f"where URL is the directory above dists/{release.codename}"
        ),
    )
