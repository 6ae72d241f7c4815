"""Brings the package indexes of an archive into a session, or says why that cannot be."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.errors import ResolveError, Unavailable
from ds01build.location import redact
from ds01build.resolve.session import prepare, shown
from ds01build.resolve.sources import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.process import Completed
    from ds01build.resolve.session import AptSession
    from ds01build.resolve.sources import AptSource

__all__ = ["open_apt", "reopen_apt"]

_NO_RELEASE = re.compile(r"E: The repository '\S+ (\S+) Release' does not have a Release file\.")
_UNSIGNED = re.compile(r"GPG error|is not signed|NO_PUBKEY|BADSIG|EXPKEYSIG|Clearsigned file")
_EXPIRED = re.compile(r"Release file .* (?:is expired|is not valid yet)")


def open_apt(
    directory: Path,
    sources: tuple[AptSource, ...],
    architecture: str,
    environment: Mapping[str, str],
) -> AptSession:
    """Download and verify the package indexes of ``sources`` into ``directory``.

    ``directory`` is the caller's alone: new, empty, or of an earlier session. Of ``environment``
    PATH and proxies are used. Raises Unavailable (no apt, no keyring, no network, outdated mirror)
    and ResolveError (no such suite, an index that the keyring does not vouch for).
    """
    session = prepare(directory, sources, architecture, environment)
    outcome = session.run("apt-get", "update", "-q")
    lacking = _lacking(outcome, sources)
    if lacking:
        present = tuple(source for source in sources if source not in lacking)
        session = prepare(directory, present, architecture, environment)
        outcome = session.run("apt-get", "update", "-q")
    if outcome.code:
        raise _failure(outcome, session.sources)
    _check_indexes(session)
    return replace(session, absent=lacking)


def reopen_apt(
    directory: Path,
    sources: tuple[AptSource, ...],
    architecture: str,
    environment: Mapping[str, str],
) -> AptSession:
    """Use the package indexes that an earlier session left in ``directory``, without a network.

    Raises Unavailable when one of a required source is not there.
    """
    session = prepare(directory, sources, architecture, environment)
    indexes = _indexes(session)
    present = tuple(s for s in sources if (plain(s.uri), s.suite) in indexes)
    absent = tuple(source for source in sources if source not in present)
    missing = [source.suite for source in absent if source.required]
    if missing:
        raise Unavailable(f"no package index of {', '.join(missing)} has been downloaded yet")
    session = prepare(directory, present, architecture, environment)
    _check_indexes(session)
    return replace(session, absent=absent)


def _lacking(outcome: Completed, sources: tuple[AptSource, ...]) -> tuple[AptSource, ...]:
    """Return the optional sources that the mirror lacks, if that is all that went wrong."""
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("E: ")]
    matches = [_NO_RELEASE.fullmatch(line) for line in errors]
    suites = {match[1] for match in matches if match}
    lacking = tuple(source for source in sources if source.suite in suites)
    only = outcome.code and all(matches) and not any(source.required for source in lacking)
    return lacking if only else ()


def _failure(outcome: Completed, sources: tuple[AptSource, ...]) -> ResolveError | Unavailable:
    text = outcome.stderr
    reason = shown(next((line for line in text.splitlines() if line.startswith("E: ")), text))
    gone = set(_NO_RELEASE.findall(text))
    if gone:
        places = [f"{redact(s.uri)} has no suite {s.suite}" for s in sources if s.suite in gone]
        return ResolveError(
            "; ".join(places), hint="check debian under [base], apt-mirror and DS01_APT_MIRROR"
        )
    roots = ", ".join(dict.fromkeys(redact(source.uri) for source in sources))
    if _UNSIGNED.search(text):
        rings = ", ".join(sorted({source.signed_by for source in sources}))
        return ResolveError(
            f"the package index of {roots} is not vouched for by {rings}: {reason}",
            hint="export DS01_APT_KEYRING=FILE with the keys of this archive",
        )
    if _EXPIRED.search(text):
        return Unavailable(
            f"the package index of {roots} is out of date: {reason}",
            hint="check the clock, or export DS01_APT_MIRROR=URL of a mirror that is up to date",
        )
    return Unavailable(
        f"cannot download the package index of {roots}: {reason}",
        hint="check the network, or export DS01_APT_MIRROR=URL of another mirror",
    )


def _indexes(session: AptSession) -> dict[tuple[str, str], set[tuple[str, str, str]]]:
    """Return (component, codename, suite) of what was downloaded, by root and suite asked for."""
    names = ("REPO_URI", "RELEASE", "COMPONENT", "CODENAME", "SUITE")
    form = "|".join(f"$({name})" for name in names)
    outcome = session.run("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    found: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for line in outcome.stdout.splitlines():
        root, asked, component, codename, suite = line.split("|", 4)
        found.setdefault((plain(root), asked), set()).add((component, codename, suite))
    return found


def _check_indexes(session: AptSession) -> None:
    """Refuse a mirror that answers with another suite, or without a component: apt only warns.

    Of a component without packages, as a new release's -updates is, apt keeps nothing.
    """
    indexes = _indexes(session)
    for source in session.sources:
        rows = indexes.get((plain(source.uri), source.suite), set())
        lacking = set(source.components) - {component for component, _, _ in rows}
        if lacking and source.required:
            raise ResolveError(
                f"{redact(source.uri)} has no {' and '.join(sorted(lacking))} for "
                f"{session.architecture} in {source.suite}"
            )
        for _, codename, suite in rows:
            if source.suite not in {codename, suite}:
                raise ResolveError(
                    f"{redact(source.uri)} answers for {source.suite} with {codename!r:.50}"
                )
