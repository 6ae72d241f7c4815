"""Entries of a package index: hostile text in, checked values out."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from ds01build.digest import Digest
from ds01build.errors import ResolveError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

__all__ = [
    "NAME",
    "VERSION",
    "Need",
    "Offer",
    "Stanza",
    "dependents",
    "needs",
    "parse_offers",
    "parse_stanzas",
    "status_text",
]

NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian policy 5.6.1
VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*")  # Debian policy 5.6.12
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
_PATH = re.compile(r"(?:\./)?(?:[A-Za-z0-9][A-Za-z0-9.+~_-]*/)*[A-Za-z0-9][A-Za-z0-9.+~_-]*\.deb")
_SIZE = re.compile(r"[0-9]{1,12}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEED = re.compile(  # one alternative of a relation, Debian policy 7.1
    r"\s*(?P<name>[a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?"
    r"\s*(?:\((?P<operator><<|<=|=|>=|>>)\s*(?P<version>[^\s)]+)\s*\))?"
)
_OFFER = re.compile(
    r"'(?P<uri>[^'\s]+)' (?P<name>[^_\s]+)_(?P<version>[^_\s]+)_(?P<architecture>[^_\s]+)\.deb "
    r"(?P<size>[0-9]{1,12}) SHA256:(?P<sha256>[0-9a-f]{64})"
)
# What says where the file is, which dpkg does not keep, and what is written anew.
_NOT_KEPT = frozenset(
    {"filename", "size", "md5sum", "sha1", "sha256", "sha512", "package", "status"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """One version of a package. ``fields`` are all of its fields, in order."""

    name: str
    version: str
    architecture: str
    path: str  # relative to the root of the archive
    size: int  # bytes
    digest: Digest
    fields: tuple[tuple[str, str], ...]


class Need(NamedTuple):
    """One alternative of a dependency; without a version both are empty."""

    name: str
    operator: str  # << <= = >= >>
    version: str

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    def is_met_by(self, version: str) -> bool:
        """Return whether ``version`` of the package is one that is needed (Debian policy 7.1)."""
        if not VERSION.fullmatch(self.version):  # none, or nothing that could be compared
            return True
        from debian.debian_support import NativeVersion

        found, wanted = NativeVersion(version), NativeVersion(self.version)
        order = (found > wanted) - (found < wanted)
        return (
            order
            in {"<<": (-1,), "<=": (-1, 0), "=": (0,), ">=": (0, 1), ">>": (1,)}[self.operator]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A .deb that apt would fetch, and from where."""

    name: str
    version: str
    uri: str  # percent-encoded, with the source's credentials
    size: int  # bytes
    digest: Digest


def parse_stanzas(text: str) -> tuple[Stanza, ...]:
    """Return the entries that apt-cache show printed, in order. Raises ResolveError.

    Those of dpkg's status, for versions that no index has, are left out: they name no file.
    """
    from debian.deb822 import Deb822

    paragraphs = Deb822.iter_paragraphs(text.split("\n"), use_apt_pkg=False)
    try:
        entries = [{str(k): str(v) for k, v in each.items()} for each in paragraphs]
    except ValueError as error:  # lines that Python ends where dpkg would not
        raise ResolveError(f"apt printed an entry that cannot be read: {error}") from error
    return tuple(_stanza(fields) for fields in entries if "Status" not in fields)


def parse_offers(text: str) -> tuple[Offer, ...]:
    """Return the files that apt-get --print-uris printed, in order. Raises ResolveError."""
    matches = [(line, _OFFER.fullmatch(line)) for line in text.splitlines() if line[:1] == "'"]
    return tuple(_offer(line, match) for line, match in matches)


def status_text(stanzas: Iterable[Stanza]) -> str:
    """Return the dpkg status file of a system on which ``stanzas`` are installed."""
    return "".join(f"{_installed(stanza)}\n" for stanza in stanzas)


def needs(stanza: Stanza) -> tuple[Need, ...]:
    """Return every package that a dependency of ``stanza`` names, alternatives included."""
    return _relations(stanza, "Depends", "Pre-Depends")


def dependents(stanzas: Iterable[Stanza], names: AbstractSet[str]) -> frozenset[str]:
    """Return ``names`` and whatever of ``stanzas`` can hold one of them back.

    These are the packages that depend on one of the set, and those that one of the set needs in
    exactly one version.
    """
    ties: defaultdict[str, set[str]] = defaultdict(set)
    known = set(names)
    for stanza in stanzas:
        known.add(stanza.name)
        ties[stanza.name].update(need.name for need in _relations(stanza, "Provides"))
        for need in needs(stanza):
            ties[need.name].add(stanza.name)
            ties[stanza.name].update({need.name} if need.operator == "=" else ())
    return frozenset(_closure(ties, names) & known)


def _stanza(fields: Mapping[str, str]) -> Stanza:
    name = fields.get("Package", "")
    checks = {
        "Package": NAME,
        "Version": VERSION,
        "Architecture": _ARCHITECTURE,
        "Filename": _PATH,
        "Size": _SIZE,
        "SHA256": _SHA256,
    }
    for key, pattern in checks.items():
        if not pattern.fullmatch(fields.get(key, "")):
            raise ResolveError(
                f"the package index has a wrong {key} for {name!r:.100}: "
                f"{fields.get(key, '')!r:.100}"
            )
    return Stanza(
        name=name,
        version=fields["Version"],
        architecture=fields["Architecture"],
        path=fields["Filename"].removeprefix("./"),
        size=int(fields["Size"]),
        digest=Digest(f"sha256:{fields['SHA256']}"),
        fields=tuple(fields.items()),
    )


def _offer(line: str, match: re.Match[str] | None) -> Offer:
    if match is None:
        raise ResolveError(f"apt offers a file that cannot be locked: {line!r:.200}")
    return Offer(
        name=match["name"],
        version=unquote(match["version"]),
        uri=match["uri"],
        size=int(match["size"]),
        digest=Digest(f"sha256:{match['sha256']}"),
    )


def _installed(stanza: Stanza) -> str:
    kept = [(key, value) for key, value in stanza.fields if key.lower() not in _NOT_KEPT]
    lines = [f"{key}: {value}\n" for key, value in kept]
    return "".join([f"Package: {stanza.name}\n", "Status: install ok installed\n", *lines])


def _relations(stanza: Stanza, *names: str) -> tuple[Need, ...]:
    texts = [value for key, value in stanza.fields if key in names]
    matches = [_NEED.match(part) for text in texts for part in re.split("[,|]", text)]
    return tuple(
        Need(match["name"], match["operator"] or "", match["version"] or "")
        for match in matches
        if match
    )


def _closure(ties: Mapping[str, set[str]], names: AbstractSet[str]) -> set[str]:
    found: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        found.add(name)
        todo |= ties.get(name, set()) - found
    return found
