"""The public API below a plan: the edges, and the lock of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from ds01build import beneath, lockfile
from ds01build.digest import Digest
from ds01build.errors import Ds01Error, Issue, LockError, MissingDebs
from ds01build.events import Note, Warned
from ds01build.lock import LockedImage
from ds01build.reference import parse_reference
from ds01build.workflow.footing import Relocking
from ds01build.workflow.fresh import require_consistent, require_fresh
from ds01build.workflow.locking import ground, relock
from ds01build.workflow.preferring import LOCK_LIMIT, preferred
from ds01build.workflow.quick import lock_path
from ds01build.workflow.replacing import replace_file
from ds01build.workflow.request import read_request
from ds01build.workflow.sourcing import sourcing
from ds01build.workflow.stacking import layers
from ds01build.workflow.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ds01build.engine.api import Engine
    from ds01build.engine.site import Site
    from ds01build.events import Report
    from ds01build.fetch.transport import HttpTransport
    from ds01build.lock import Lock
    from ds01build.resolve.machine import MachineResolver
    from ds01build.store import DirStore
    from ds01build.store.readonly import ReadOnlyStore
    from ds01build.workflow.bases import ImageBases
    from ds01build.workflow.loading import Load
    from ds01build.workflow.request import Request

__all__ = [
    "Choices",
    "Edges",
    "Facts",
    "Locked",
    "check_lock",
    "find_move",
    "make_lock",
    "read_lock",
    "reorder_lock",
    "resolve_lock",
    "write_lock",
]


class Facts(Protocol):
    """Derived facts that may be lost at any time."""

    def get(self, kind: str, key: str) -> object:
        """Return a fact, or None."""

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep a fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The world as a workflow sees it."""

    store: DirStore
    facts: Facts
    lenders: tuple[ReadOnlyStore, ...] = ()  # asked in this order for what the store lacks
    resolver: MachineResolver
    bases: ImageBases
    engine: Callable[[], Engine]  # raises Unavailable; connects once
    site: Site  # what containers need to get out of this machine's network
    network: Literal["bridge", "host"]  # of containers that ask for one
    transport: HttpTransport
    report: Report
    now: Callable[[], str]  # the time in UTC, RFC 3339
    clock: Callable[[], float]  # seconds that only grow
    workers: int  # threads that write layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a caller decides about the lock and what is kept."""

    mode: Literal["update", "locked", "frozen"] = "update"
    upgrade: Upgrade = field(default_factory=Upgrade)
    update_missing: bool = False
    keep_sources: bool = False
    offline: bool = False
    load: Load = "if-there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A recipe, its lock, and whether that was made or changed just now."""

    request: Request
    path: Path
    lock: Lock
    content: Digest  # of the bytes of the lock's file
    changed: bool = False


def check_lock(recipe: Path) -> Locked:
    """Return the lock of ``recipe`` if it is there, whole, and made for it.

    Asks no network. Raises RecipeError, LockError, CheckFailed.
    """
    request, path = read_request(recipe), lock_path(recipe)
    found, content = read_lock(path)
    fresh = require_fresh(found, request, path.name)
    require_consistent(fresh, request, str(path))
    return Locked(request=request, path=path, lock=fresh, content=content)


def find_move(locked: Locked, bases: ImageBases) -> Digest | None:
    """Return where the tag of a lock's base points now, if that is another image.

    Warns that it does, and that a registry cannot be asked: neither makes a lock stale, since what
    is built is the locked digest.
    """
    base = locked.lock.base
    if not isinstance(base, LockedImage):
        return None
    name = parse_reference(base.reference).familiar
    try:
        now = bases.moved(base)
    except Ds01Error as error:
        bases.report(Warned(f"whether {name} has moved is not known: {error}"))
        return None
    if now is not None:
        bases.report(
            Warned(
                f"{name} is another image now, {now}; the lock holds {base.manifest}, and builds"
                f" that; to move: ds01 lock --upgrade {locked.request.path}"
            )
        )
    return now


def make_lock(recipe: Path, edges: Edges, choices: Choices) -> Locked:
    """Return the lock of ``recipe``, made or brought up to date and written where needed.

    With mode ``locked`` a stale lock is CheckFailed; with ``frozen`` it is used as it is. Raises
    RecipeError, CycleError, LockError, ResolveError, MissingDebs, Unavailable.
    """
    if choices.mode == "locked":
        locked = check_lock(recipe)
        require_base(locked, edges.bases)
        return locked
    request, path = read_request(recipe), lock_path(recipe)
    found, content = read_lock(path)
    if choices.mode == "frozen" and found is None:
        raise LockError(source=str(path), issues=(Issue("", "does not exist"),))
    fresh = found is not None and found.recipe == request.digest and not choices.upgrade
    if found is not None and (fresh or choices.mode == "frozen"):
        require_consistent(found, request, str(path))
        locked = Locked(request=request, path=path, lock=found, content=content)
        require_base(locked, edges.bases)
        return locked
    if found is not None and not (choices.upgrade.everything or choices.upgrade.base):
        previous = Locked(request=request, path=path, lock=found, content=content)
        require_base(previous, edges.bases)  # of which the new lock takes what it can
    return write_lock(request, found, edges, choices.upgrade)


def write_lock(request: Request, previous: Lock | None, edges: Edges, upgrade: Upgrade) -> Locked:
    """Resolve ``request`` and write its lock, all of it or nothing."""
    made = resolve_lock(request, previous, edges, upgrade)
    replace_file(made.path, lockfile.dumps(made.lock))
    return made


def resolve_lock(request: Request, previous: Lock | None, edges: Edges, upgrade: Upgrade) -> Locked:
    """Return the lock of ``request`` as it would be written; no file changes."""
    with edges.store.lease(()):  # layers of the base are read, wheels are built
        return _resolved(request, previous, edges, upgrade)


def _resolved(request: Request, previous: Lock | None, edges: Edges, upgrade: Upgrade) -> Locked:
    resolver = edges.resolver.with_settings(request.recipe.resolve)
    site = preferred(request, uid=edges.store.uid)
    try:
        made = relock(
            Relocking(
                request=request,
                previous=previous,
                upgrade=upgrade,
                architecture=edges.resolver.architecture,
                resolver=resolver,
                bases=edges.bases,
                sources=lambda found: sourcing(edges, resolver, found),
                warn=lambda text: edges.report(Warned(f"warning: {text}")),
                note=lambda text: edges.report(Note(text)),
                site=site,
            )
        )
    except MissingDebs as error:
        hint = f"ds01 lock --update-missing {request.path}"
        raise MissingDebs(debs=error.debs, hint=hint) from error
    return Locked(
        request=request,
        path=lock_path(request.path),
        lock=made,
        content=_content(made),
        changed=made != previous,
    )


def _content(lock: Lock) -> Digest:
    return Digest.of(lockfile.dumps(lock).encode())


def reorder_lock(locked: Locked) -> Locked:
    """Return ``locked`` with its layers grouped and ordered as a first lock has them, written.

    Needs no network, and moves no package.
    """
    lock = replace(locked.lock, layers=layers(locked.lock, None, locked.request))
    if lock == locked.lock:
        return locked
    replace_file(locked.path, lockfile.dumps(lock))
    return replace(locked, lock=lock, content=_content(lock), changed=True)


def require_base(locked: Locked, bases: ImageBases) -> None:
    """Raise LockError where a lock contradicts its base, as far as that is known."""
    lock = locked.lock
    if not isinstance(lock.base, LockedImage):
        return
    issues = list(bases.contradictions(lock.base))
    known = bases.known(lock.base) if not issues else None
    if known is not None:
        if lock.target not in (None, known.target):
            issues.append(Issue("target", "is not that of the base"))
        if lock.base.ground != ground(lock, known):
            issues.append(Issue("base", "directories and links are not those of the base"))
    if issues:
        hint = f"remove {locked.path}, then: ds01 lock {locked.request.path}"
        raise LockError(source=str(locked.path), issues=tuple(issues), hint=hint)


def read_lock(path: Path) -> tuple[Lock | None, Digest]:
    """Return the lock of a file, None where there is no file, and the digest of its bytes."""
    try:
        content = beneath.read(path.parent, path.name, limit=LOCK_LIMIT)
    except Ds01Error as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None, Digest.of(b"")
        raise
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise LockError(source=str(path), issues=(Issue("", "not UTF-8 text"),)) from error
    return lockfile.loads(text, source=str(path)), Digest.of(content)
