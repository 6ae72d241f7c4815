"""Where .debs come from: reads a host's apt sources, and derives those of a recipe's suite."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from ds01build.errors import ResolveError, Unavailable
from ds01build.location import split_credentials
from ds01build.resolve.entries import parse_entries
from ds01build.resolve.family import DEBIAN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ds01build.pin import DebPin
    from ds01build.resolve.entries import Entry
    from ds01build.resolve.family import Family

__all__ = [
    "KEYRINGS",
    "AptSource",
    "beside",
    "configured",
    "debian_sources",
    "first_of",
    "locations",
    "of_host",
    "parse_sources",
    "plain",
]

_URI = re.compile(
    r"(?:https?://(?:[A-Za-z0-9._~%!$&*+;:=-]+@)?(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::[0-9]{1,5})?|file:(?://)?(?=/))"
    r"(?:/[A-Za-z0-9._~%+:=@,-]+)*"
)
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]*(?:/[A-Za-z0-9][A-Za-z0-9.+~_-]*)*")
_FLAT = re.compile(r"/|\./|(?:[A-Za-z0-9][A-Za-z0-9.+~_-]*/)+")  # an archive without suites
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_KEYRING = re.compile(r"/[A-Za-z0-9._+@~/-]+")
_SNAPSHOT = re.compile(r"/[0-9]{8}T[0-9]{6}Z(?:/|\Z)")
KEYRINGS = (  # as Debian's and Ubuntu's debian-archive-keyring package installs it
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """One suite of an archive. ``archive`` is the alias that locks use: debian or security.

    ``uri`` is the root of the archive (http, https, file) without a slash at its end; it may hold
    a password. A flat archive has no components, and its directory, with a slash at the end, as
    its ``suite``. ``signed_by`` is the path of a keyring, empty where an entry names none;
    ``keys`` are the keys themselves instead. What is not ``required`` may be missing at the
    mirror; of an ``extra`` one anything may be wrong, and the rest is used without it. Where
    ``expires`` is false, an index past its Valid-Until is accepted. Raises ValueError, which does
    not repeat the values.
    """

    archive: str
    uri: str = field(repr=False)
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""
    keys: bytes = field(default=b"", repr=False)
    required: bool = True
    extra: bool = False
    expires: bool = True

    def __post_init__(self) -> None:
        if not _URI.fullmatch(self.uri):
            raise ValueError("not the http, https or file URL of an archive")
        is_flat = not self.components and _FLAT.fullmatch(self.suite)
        if not is_flat and not _SUITE.fullmatch(self.suite):
            raise ValueError("not the name of a suite")
        if not is_flat and not (
            self.components and all(map(_COMPONENT.fullmatch, self.components))
        ):
            raise ValueError("not the components of a suite")
        if self.signed_by and not _KEYRING.fullmatch(self.signed_by):
            raise ValueError("not the absolute path of a keyring")


def parse_sources(texts: Mapping[str, str], *, expires: bool = True) -> tuple[AptSource, ...]:
    """Return what ``parse_entries`` finds in ``texts``, without what names no archive of suites.

    ``expires`` is false on a host whose own apt accepts an index past its Valid-Until.
    """
    found = [source for entry in parse_entries(texts) for source in _source(entry)]
    return tuple(found) if expires else tuple(replace(each, expires=False) for each in found)


def debian_sources(
    suite: str,
    *,
    host: tuple[AptSource, ...],
    mirror: str | None,
    keyring: str | None,
    installed: tuple[Path, ...] = KEYRINGS,
) -> tuple[AptSource, ...]:
    """Return the sources of Debian's ``suite``: itself, its -updates and its -security.

    ``mirror`` is the root of an archive; the security archive is taken to lie beside it, or is a
    second URL after a space. Without it the host's entries for Debian serve, whatever suites they
    are for. ``keyring`` is a path; without it, the host's entry or ``installed`` say which one.
    Raises Unavailable when mirror or keyring are not to be had, and ResolveError when they are
    malformed.
    """
    main, security = configured(mirror, suite) if mirror else of_host(host, suite, DEBIAN)
    signed_by = keyring or (main.signed_by if main else "") or first_of(installed)
    if main is None or not signed_by:
        raise _lacking(suite, mirror=main is not None, keyring=bool(signed_by))
    updates = replace(main, suite=f"{suite}-updates", required=False)
    security = security or beside(main, suite)
    try:
        return tuple(replace(each, signed_by=signed_by) for each in (main, updates, security))
    except ValueError as error:
        raise ResolveError(f"the keyring for apt is {error}: {signed_by!r:.200}") from error


def locations(pin: DebPin, sources: Iterable[AptSource]) -> tuple[str, ...]:
    """Return the URLs that ``pin`` may be fetched from, its own archive's first.

    They hold the credentials of the sources.
    """
    ordered = sorted(sources, key=lambda source: source.archive != pin.archive)
    return tuple(dict.fromkeys(f"{each.uri}/{quote(pin.path)}" for each in ordered))


def plain(uri: str) -> str:
    """Return the form of an archive's root in which apt's spelling and ours can be compared."""
    clean = split_credentials(uri)[0]
    return unquote(re.sub(r"\Afile:/+", "file:/", clean).rstrip("/"))


def _source(entry: Entry) -> Iterator[AptSource]:
    archive = "security" if entry.suite.endswith(("-security", "/updates")) else "debian"
    if not entry.components:  # a flat archive is none of Debian's
        return
    try:
        yield AptSource(
            archive=archive,
            uri=entry.uri.rstrip("/"),
            suite=entry.suite,
            components=entry.components,
            # Keys may also be given by fingerprint, or written out: apt's business, not ours.
            signed_by=entry.signed_by if _KEYRING.fullmatch(entry.signed_by) else "",
            expires=entry.expires,
        )
    except ValueError:
        return


def configured(mirror: str, suite: str) -> tuple[AptSource, AptSource | None]:
    """Return the places of a configured mirror for ``suite``: main, and security where named."""
    main, _, security = mirror.strip().partition(" ")
    expires = not _SNAPSHOT.search(mirror)  # of a snapshot every index is past its date
    try:
        source = AptSource(
            archive="debian",
            uri=main.rstrip("/"),
            suite=suite,
            components=("main",),
            expires=expires,
        )
        return source, _security(source, security.strip(), suite) if security else None
    except ValueError as error:
        raise ResolveError(f"the mirror for apt cannot be used: {error}") from error


def of_host(
    host: tuple[AptSource, ...], suite: str, family: Family
) -> tuple[AptSource | None, AptSource | None]:
    """Return the host's places for ``suite``, main and security, if it has such of ``family``."""
    main, security = _best(host, family, part=None), _best(host, family, part="-security")
    if main is None:
        return None, None
    main = replace(main, archive="debian", suite=suite, components=("main",))
    return main, _security(main, security.uri, suite) if security else None


def _security(main: AptSource, uri: str, suite: str) -> AptSource:
    """Return the security archive that somebody named; unstable has none."""
    return replace(
        main,
        archive="security",
        uri=uri.rstrip("/"),
        suite=f"{suite}-security",
        required=suite not in {"sid", "unstable"},
    )


def _best(host: tuple[AptSource, ...], family: Family, *, part: str | None) -> AptSource | None:
    """Return the first of the entries that are most surely an archive of the family's own."""
    fitting = [each for each in host if family.part(each) == part and "main" in each.components]
    return next(iter(family.own(fitting, host)), None)


def beside(main: AptSource, suite: str) -> AptSource:
    """Return the security archive of a mirror that names none: optional, since it is a guess."""
    head, name, tail = main.uri.rpartition("/debian")
    is_beside = name and (not tail or tail.startswith("/"))
    return replace(
        main,
        archive="security",
        uri=f"{head}/debian-security{tail}" if is_beside else main.uri,
        suite=f"{suite}-security",
        required=False,
    )


def first_of(keyrings: tuple[Path, ...]) -> str:
    """Return the first keyring that there is, or nothing."""
    return next((str(path) for path in keyrings if path.is_file()), "")


def _lacking(suite: str, *, mirror: bool, keyring: bool) -> Unavailable:
    wants, ways = [], []
    if not mirror:
        wants.append("mirror")
        ways.append(
            'export DS01_APT_MIRROR=URL, or set apt-mirror = "URL" under [resolve] of the recipe, '
            f"where URL is the root of a Debian archive: the directory above dists/{suite}"
        )
    if not keyring:
        wants.append("keyring")
        ways.append(
            "sudo apt-get install debian-archive-keyring, or export DS01_APT_KEYRING=FILE with "
            "the keys of the Debian archive"
        )
    return Unavailable(
        f"no {' and no '.join(wants)} for Debian {suite!r:.50} is known on this machine",
        hint="; ".join(ways),
    )
