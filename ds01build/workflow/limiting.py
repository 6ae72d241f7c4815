"""The limits of this machine's users: read from its files, and held when containers are made.

Who may use the engine may do without ds01, and so without its limits: they are for people who
share a machine in good faith. What holds anybody is a slice of systemd (docs/limits.md).
"""

from __future__ import annotations

import shlex
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.container import short_name
from ds01build.container.labels import MANAGED, login_of, uid_of
from ds01build.engine.containers import claims
from ds01build.errors import Ds01Error
from ds01build.events import Warned
from ds01build.limits import FALLBACK, members_in, overrides_in, resolve, rules_in, wrong
from ds01build.quantities import counted
from ds01build.workflow.configured import SITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ds01build.container import Specification
    from ds01build.engine.api import Engine
    from ds01build.engine.containers import Row
    from ds01build.events import Report
    from ds01build.limits import Limits, Rules
    from ds01build.workflow.settling import Objection

__all__ = ["SITE_LIMITS", "Standing", "held", "limits_at", "objections", "require_room"]

SITE_LIMITS = SITE.with_name("resource-limits.yaml")
_OVERRIDES = "user-overrides.yaml"
_LONGEST = 1024 * 1024  # characters of a file
_SHOWN = 10  # containers that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a user may have, and has: None for containers where no engine says."""

    limits: Limits
    containers: tuple[Row, ...] | None


def limits_at(path: Path, login: str, report: Report, *, is_named: bool = False) -> Limits:
    """Return the limits of a user from the files of a site, of which ``path`` is the first.

    Files that this user may not read count as empty, as for the site's other programs; that is
    told. Raises Ds01Error for files that are wrong, none for one that is not there, unless
    it ``is_named`` by somebody: a slip is not to take all limits away.
    """
    rules = _rules(path, report)
    if is_named and not rules.source:
        raise Ds01Error(f"DS01_LIMITS: there is no {path}", hint="unset DS01_LIMITS")
    limits = resolve(rules, login)
    notes = rules.warnings
    if not rules.source:
        notes = (f"there is no {path}: these are the limits of ds01 itself",)
    return replace(limits, notes=(*notes, *limits.notes))


def _rules(path: Path, report: Report) -> Rules:
    try:
        text = _text(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if text is None:
        return FALLBACK
    rules = rules_in(str(path), text)
    beside = path.with_name(_OVERRIDES)
    own = _allowed(beside, report)
    if own is not None:
        rules = rules.overriding(overrides_in(str(beside), own))
    files = {each.name: path.parent / "groups" / f"{each.name}.members" for each in rules.groups}
    texts = {name: _allowed(file, report) for name, file in files.items()}
    return rules.joined({name: members_in(each) for name, each in texts.items() if each})


def _allowed(path: Path, report: Report) -> str | None:
    try:
        return _text(path)
    except PermissionError:
        report(Warned(f"{path} is not for you to read, and counts as empty"))
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> Ds01Error:
    return Ds01Error(
        f"{path}: {error.strerror or error}", hint=f"ls -l -- {shlex.quote(str(path))}"
    )


def _text(path: Path) -> str | None:
    """Return the text of a file, None where there is none. Raises OSError, Ds01Error."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):  # a pipe would be waited for
        raise Ds01Error(f"{path}: not a file", hint=f"ls -ld -- {shlex.quote(str(path))}")
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(_LONGEST + 1)
    if len(text) > _LONGEST:
        raise wrong([f"{path}: longer than {_LONGEST} characters"], [str(path)])
    return text


def held(engine: Engine, uid: int | None, login: str = "") -> tuple[Row, ...]:
    """Return the containers of a user, running or not, whichever of DS01's tools made them.

    Those that are being created are among them. Without a uid, those that have his login.
    """
    found = claims(engine)
    if uid is None:
        return tuple(each for each in found if login_of(each.labels) == login)
    return _of(found, uid)


def _of(found: Iterable[Row], uid: int) -> tuple[Row, ...]:
    return tuple(each for each in found if _owner(each) == uid)


def _owner(row: Row) -> int | None:
    """Return the uid that a container belongs to: by its label, or else by its name."""
    said = uid_of(row.labels)
    named = short_name(row.name)
    return said if said is not None else named[1] if named else None


def require_room(engine: Engine, uid: int, limits: Limits) -> None:
    """Raise Ds01Error where a user has as many containers as he may have."""
    if limits.max_containers is not None:
        there = held(engine, uid)
        if len(there) >= limits.max_containers:
            raise _full(there, limits)


def objections(wanted: Specification, limits: Limits) -> tuple[Objection, ...]:
    """Return what may be said against a container beside others: that it is one too many."""
    most = limits.max_containers
    if most is None:
        return ()

    def object_to(others: Sequence[Row]) -> Ds01Error | None:
        there = _of(others, wanted.identity.uid)
        return _full(there, limits, wanted.name) if len(there) >= most else None

    return (object_to,)


def _full(rows: Sequence[Row], limits: Limits, unmade: str = "") -> Ds01Error:
    """Return the error for one container too many; ``unmade`` is one that others forestalled."""
    by_age = sorted(rows, key=lambda row: (row.is_running, row.created))
    names = [f"{_short(row)}{' (runs)' if row.is_running else ''}" for row in by_age]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    had = f": {', '.join(names[:_SHOWN])}{more}" if names else ""
    begun = f"{unmade} is not made, since others were made at once: " if unmade else ""
    return Ds01Error(
        f"{begun}you have {counted(len(rows), 'container')}{had}; the limit is"
        f" {limits.max_containers} ({limits.origin('max_containers')})",
        hint=_end(by_age[0]) if by_age else "ds01 limits show",
    )


def _end(row: Row) -> str:
    """Return the command that ends a container and removes it, whatever tool made it."""
    if row.labels.get(MANAGED) == "true":
        return f"container-retire {_short(row)}"
    return f"container-stop {row.name}; container-remove {row.name}"


def _short(row: Row) -> str:
    named = short_name(row.name)
    return named[0] if named else row.name
