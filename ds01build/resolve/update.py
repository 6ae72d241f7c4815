"""Brings the package indexes of an archive into a session, or says why that cannot be."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.errors import ResolveError, Unavailable
from ds01build.location import redact
from ds01build.resolve.session import prepare, shown
from ds01build.resolve.sources import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.process import Completed
    from ds01build.resolve.session import AptPlan, AptRunner, AptSession
    from ds01build.resolve.sources import AptSource

__all__ = ["NoSuite", "open_apt", "reopen_apt"]


@dataclass(eq=False)
class NoSuite(ResolveError):
    """A mirror lacks a suite; another place may have it."""


_NO_RELEASE = re.compile(r"E: The repository '\S+ (\S+) Release' does not have a Release file\.")
_UNSIGNED = re.compile(r"GPG error|is not signed|NO_PUBKEY|BADSIG|EXPKEYSIG|Clearsigned file")
_EXPIRED = re.compile(r"Release file .* (?:is expired|is not valid yet)")


def open_apt(runner: AptRunner, plan: AptPlan, environment: Mapping[str, str]) -> AptSession:
    """Download and verify the package indexes of ``plan`` into the directory of ``runner``.

    Of ``environment`` PATH and proxies are used. Raises Unavailable (no apt, no keyring, no
    network, outdated mirror), NoSuite, and ResolveError (an index that the keyring does not vouch
    for).
    """
    session = prepare(runner, plan, environment)
    outcome = _update(session)
    absent: list[tuple[AptSource, str]] = []
    while lacking := _lacking(outcome, session.sources):
        absent += [(source, _reason(source, outcome)) for source in lacking]
        rest = tuple(source for source in session.sources if source not in lacking)
        session = prepare(runner, replace(plan, sources=rest), environment)
        outcome = _update(session)
    if outcome.code:
        raise _failure(outcome, session.sources)
    _check_indexes(session)
    return replace(session, absent=tuple(absent))


def _update(session: AptSession) -> Completed:
    # Without the cache of all packages, which apt would make of indexes that may not have changed.
    return session.run("apt-get", "update", "-q", "-o", "pkgCacheFile::Generate=false")


def reopen_apt(runner: AptRunner, plan: AptPlan, environment: Mapping[str, str]) -> AptSession:
    """Use the package indexes that an earlier session left with ``runner``, without a network.

    Raises Unavailable when one of a required source is not there.
    """
    session = prepare(runner, plan, environment)
    indexes = _indexes(session)
    present = tuple(s for s in plan.sources if (plain(s.uri), s.suite) in indexes)
    missing = [s.suite for s in plan.sources if s.required and s not in present]
    if missing:
        raise Unavailable(f"no package index of {', '.join(missing)} has been downloaded yet")
    session = prepare(runner, replace(plan, sources=present), environment)
    _check_indexes(session)
    absent = (s for s in plan.sources if s not in present)
    return replace(session, absent=tuple((source, "not downloaded yet") for source in absent))


def _lacking(outcome: Completed, sources: tuple[AptSource, ...]) -> tuple[AptSource, ...]:
    """Return the sources that can be done without, if what went wrong is only of these.

    The mirror lacks them, or they are extra.
    """
    if not outcome.code:
        return ()
    extra = tuple(s for s in sources if s.extra and _told_of(s, outcome.stderr))
    if extra:
        return extra
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("E: ")]
    matches = [_NO_RELEASE.fullmatch(line) for line in errors]
    suites = {match[1] for match in matches if match}
    lacking = tuple(source for source in sources if source.suite in suites)
    return lacking if all(matches) and not any(source.required for source in lacking) else ()


def _told_of(source: AptSource, text: str) -> list[str]:
    """Return apt's errors and warnings that speak of this place and suite."""
    root, suite = re.escape(redact(source.uri)), re.escape(source.suite.strip("./"))
    pattern = re.compile(rf"{root}[/ ](?:\./)?(?:dists/)?{suite}(?![\w.-])")
    lines = (line for line in text.splitlines() if line.startswith(("E: ", "W: ")))
    return [line for line in lines if pattern.search(line)]


def _reason(source: AptSource, outcome: Completed) -> str:
    """Return why ``source`` cannot be used, in one line."""
    lines = _told_of(source, outcome.stderr)
    return shown(lines[0][3:]) if source.extra and lines else "the mirror does not have it"


def _failure(outcome: Completed, sources: tuple[AptSource, ...]) -> ResolveError | Unavailable:
    text = outcome.stderr
    reason = shown(next((line for line in text.splitlines() if line.startswith("E: ")), text))
    gone = set(_NO_RELEASE.findall(text))
    if gone:
        places = [f"{redact(s.uri)} has no suite {s.suite}" for s in sources if s.suite in gone]
        return NoSuite(
            "; ".join(dict.fromkeys(places)),
            hint="check [base] of the recipe, apt-mirror and DS01_APT_MIRROR",
        )
    roots = ", ".join(dict.fromkeys(redact(source.uri) for source in sources))
    if _UNSIGNED.search(text):
        rings = ", ".join(sorted({s.signed_by or "the keys of the base" for s in sources}))
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
        if source.extra:  # vendors name their suites as they like
            continue
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
