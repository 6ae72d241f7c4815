"""What apt says when a tier cannot be installed, in terms of the recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ds01build.errors import ResolveError
from ds01build.resolve.installed import is_newer
from ds01build.resolve.session import shown
from ds01build.resolve.stanza import NAME, needs, parse_stanzas

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ds01build.process import Completed
    from ds01build.resolve.installed import Installed
    from ds01build.resolve.session import AptSession

__all__ = ["Attempt", "Unsatisfiable", "explained", "replacing", "unknown", "unsound"]

_VERSION = re.compile(r"E: Version '(?P<version>[^']*)' for '(?P<name>[^']*)' was not found")
_ACTION = re.compile(r"(?:Remv|Inst) (?P<name>\S+) \[(?P<old>\S+)\](?: \((?P<new>\S+))?")
_UNMET = "The following packages have unmet dependencies:"
_OWNER = re.compile(r" (?P<owner>[a-z0-9][a-z0-9+.-]+) : (?P<relation>.*)")
_RELATION = re.compile(r"(?P<owner>\S+): \w+: (?P<name>[a-z0-9][a-z0-9+.-]+)")
_LOOSENESS = ("=", "<<", "<=", ">>", ">=")
_MOST = 8  # parts of a conflict that are worth reading


@dataclass(eq=False)
class Unsatisfiable(ResolveError):
    """No versions satisfy a tier; with other kept versions some might."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An install that apt is asked for.

    ``words`` are names, or ``name=version``; ``brought`` are the packages of earlier tiers, each
    with its tier, ``had`` those of a base image with their versions, ``on_hold`` those of them
    that somebody has put on hold, and ``kept`` those that the lock holds at a version.
    """

    tier: str
    words: tuple[str, ...]
    brought: Mapping[str, str]
    kept: Mapping[str, str]
    had: Mapping[str, str] = field(default_factory=dict)
    on_hold: frozenset[str] = frozenset()


def unknown(
    session: AptSession, tier: str, names: Sequence[str], known: Iterable[str]
) -> ResolveError:
    """Return the error for ``names`` that no index has, with what may have been meant.

    ``known`` are the names that exist.
    """
    candidates = sorted(known)
    told = [f"{name!r:.100}{_meant(session, name, candidates)}" for name in names]
    return ResolveError(f"tier {tier!r}: {session.title} has no package {', '.join(told)}")


def replacing(attempt: Attempt, changes: Mapping[str, str]) -> ResolveError:
    """Return the error for an install that does ``changes``, by name, to what it may not touch."""
    tiers = attempt.brought
    told = [
        f"{change} of {f'tier {tiers[name]!r}' if name in tiers else 'the base'}"
        for name, change in changes.items()
    ]
    if tiers.keys() & changes.keys():
        rule = "a tier can only add packages"
        hint = "ask in the earlier tier for what needs this, or for the version that it needs"
    else:
        rule = "a tier can add packages to a base and upgrade those that are not on hold"
        hint = "leave out what needs this, or choose another base"
    return ResolveError(
        f"tier {attempt.tier!r} would {' and '.join(told[:_MOST])}; {rule}", hint=hint
    )


def unsound(session: AptSession, base: Installed) -> ResolveError | None:
    """Return the error for a base that apt would first have to repair, None for another."""
    session.write("status", base.text())
    outcome = session.run("apt-get", "-q", "check")
    if not outcome.code:
        return None
    told = "; ".join(list(_relations(outcome.stdout))[:_MOST]) or shown(outcome.stderr)
    return ResolveError(
        f"the packages of the base ({session.title}) do not fit together: {told}",
        hint="choose a base in which `apt-get check` finds nothing wrong",
    )


def explained(session: AptSession, attempt: Attempt, outcome: Completed) -> ResolveError:
    """Return the error for an install that apt refused."""
    version = _VERSION.search(outcome.stderr)
    if version:
        return _no_version(session, attempt, version["name"], version["version"])
    changes = _changes(session, attempt)
    return replacing(attempt, changes) if changes else _conflict(session, attempt, outcome)


def _meant(session: AptSession, name: str, candidates: Sequence[str]) -> str:
    listing = session.run("apt-cache", "showpkg", "--", name).stdout
    _, _, providers = listing.partition("\nReverse Provides: \n")
    if providers.strip() and listing.startswith(f"Package: {name}\n"):  # not one like it
        found = sorted({line.split()[0] for line in providers.splitlines() if line.strip()})
        return f" (provided by {', '.join(found[:_MOST])}: name one of them)"
    close = get_close_matches(name, candidates, n=3, cutoff=0.75)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _no_version(session: AptSession, attempt: Attempt, name: str, version: str) -> ResolveError:
    if attempt.kept.get(name) == version:
        return Unsatisfiable(f"tier {attempt.tier!r}: {name}={version} is gone")
    listing = session.run("apt-cache", "show", "--", name).stdout
    versions = dict.fromkeys(stanza.version for stanza in parse_stanzas(listing))
    return ResolveError(
        f"tier {attempt.tier!r}: {session.title} has no {name} {version!r:.100}",
        hint=f"it has {' and '.join(versions)}",
    )


def _changes(session: AptSession, attempt: Attempt) -> dict[str, str]:
    """Return what apt would do to packages that it may not touch, if it were let, by name."""
    allowed = ("--allow-downgrades", "--allow-change-held-packages")
    outcome = session.run("apt-get", "-q", "-y", "-s", *allowed, "install", "--", *attempt.words)
    lines = [match for line in outcome.stdout.splitlines() if (match := _ACTION.match(line))]
    return {match["name"]: _change(match) for match in lines if not _is_allowed(match, attempt)}


def _is_allowed(match: re.Match[str], attempt: Attempt) -> bool:
    """Return whether a tier may do this: upgrade a package of the base that is not on hold."""
    name = match["name"]
    if name in attempt.brought:
        return False
    had = attempt.had.get(name)
    if had is None:
        return ":" not in name  # apt writes those of a foreign architecture so: the base's
    return bool(match["new"]) and name not in attempt.on_hold and is_newer(match["new"], had)


def _change(match: re.Match[str]) -> str:
    if match["new"]:
        return f"change {match['name']} {match['old']} to {match['new']}"
    return f"remove {match['name']}"


def _conflict(session: AptSession, attempt: Attempt, outcome: Completed) -> Unsatisfiable:
    relations = list(_relations(outcome.stdout))
    names = sorted({match["name"] for each in relations if (match := _RELATION.match(each))})
    owners = {match["owner"] for each in relations if (match := _RELATION.match(each))}
    told = [*relations[:_MOST], *_rivals(session, attempt, owners, names)]
    reason = "; ".join(told) or shown(outcome.stderr)
    held = sorted({*names, *owners}.intersection(attempt.kept))
    words = " ".join(f"--upgrade-package {name}" for name in held[:_MOST])
    return Unsatisfiable(
        f"tier {attempt.tier!r}: no versions satisfy it: {reason}",
        hint=f"the lock holds versions: ds01 lock {words} RECIPE" if held else "",
    )


def _relations(text: str) -> Iterator[str]:
    """Yield what apt lists as unmet, one relation at a time: ``owner: Depends: name ...``."""
    owner = ""
    for line in _joined(text.partition(_UNMET)[2]):
        match = _OWNER.fullmatch(line)
        owner, relation = (match["owner"], match["relation"]) if match else (owner, line)
        if not match and not line.startswith("  "):
            continue
        yield shown(f"{owner}: {relation}")


def _joined(text: str) -> Iterator[str]:
    """Yield the lines of ``text``, those that list alternatives put together."""
    parts: list[str] = []
    for line in text.splitlines():
        parts.append(line.strip() if parts else line)
        if not line.endswith(" or"):
            yield " ".join(parts)
            parts = []


def _rivals(
    session: AptSession, attempt: Attempt, owners: set[str], names: Sequence[str]
) -> list[str]:
    """Return who else wants ``names`` in certain versions: apt names only those that lose."""
    asked = dict(word.partition("=")[::2] for word in attempt.words)
    told = [f"the recipe: {n}={asked[n]}" for n in names if asked.get(n)]
    tree = session.run("apt-cache", "depends", "--recurse", "--important", "--", *asked).stdout
    packages = [line for line in tree.splitlines() if NAME.fullmatch(line)]
    listing = session.run("apt-cache", "show", "--no-all-versions", "--", *packages).stdout
    rivals = [
        (_LOOSENESS.index(need.operator), f"{stanza.name}: Depends: {need}")
        for stanza in parse_stanzas(listing)
        for need in needs(stanza)
        if need.name in names and need.operator in _LOOSENESS and stanza.name not in owners
    ]
    told += [rival for _, rival in sorted(rivals)[:3]]
    told += [f"{n} is of tier {attempt.brought[n]!r}" for n in names if n in attempt.brought]
    told += [f"{n} is on hold in the base" for n in names if n in attempt.on_hold]
    return list(dict.fromkeys(told))[:_MOST]
