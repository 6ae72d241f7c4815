"""Builds a recipe again from nothing, and compares what comes out with what the store has."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ds01build import lockfile
from ds01build.digest import Digest
from ds01build.errors import Ds01Error, Unavailable
from ds01build.events import Note
from ds01build.fetch import NotThere
from ds01build.labels import labels_of
from ds01build.layers.contrast import contrast, inside
from ds01build.pin import WheelPin
from ds01build.spec import InstallSpec, RunSpec
from ds01build.store import roots
from ds01build.store.blobs import CHUNK, digest_of
from ds01build.store.facts import open_facts
from ds01build.workflow.assembling import assembled, title
from ds01build.workflow.executing import Executing
from ds01build.workflow.making import Making, made_of, native
from ds01build.workflow.missing import missing_debs, not_there
from ds01build.workflow.planning import make_plan
from ds01build.workflow.scratch import scratch_store
from ds01build.workflow.sourcing import build_again
from ds01build.workflow.steps import check_lock
from ds01build.workflow.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ds01build.layer import Layer
    from ds01build.layers.contrast import Difference
    from ds01build.pin import DebPin
    from ds01build.plan import LayerStep
    from ds01build.realise import Made
    from ds01build.store import DirStore
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["Compared", "Outcome", "Verified", "verify"]

# "alike": executed, and of the same paths and packages, though bytes of files differ.
Outcome = Literal["equal", "alike", "different", "damaged", "not compared"]

_NAMED = 5  # packages of a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A layer, or the image, as stored and as made again; None where there is none."""

    tier: str  # empty for the image
    title: str
    outcome: Outcome
    stored: Digest | None
    made: Digest | None
    reason: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was compared: the layers above the base in stack order, then the image."""

    name: str
    rows: tuple[Compared, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing came out otherwise than it is stored."""
        return not any(row.outcome in ("different", "damaged") for row in self.rows)


def verify(recipe: Path, edges: Edges, *, offline: bool, scratch: Path | None) -> Verified:
    """Build what the lock of ``recipe`` says in a store of its own, and compare.

    Files are fetched again, or with ``offline`` taken from the store. ``scratch`` is a directory
    for that store; None puts it beside the other one. Changes neither lock nor store.

    Raises what ``check_lock`` and a build raise, and Ds01Error where nothing has been built yet.
    """
    locked = check_lock(recipe)
    expected = make_plan(locked, edges)
    if not any(step.layer for step in expected.plan.stack):
        raise Ds01Error(
            f"no layer of {locked.lock.name} is in the store: there is nothing to compare with",
            hint=f"ds01 build {recipe}",
        )
    with ExitStack() as stack:
        there = scratch_store(scratch or edges.store.root.parent, uid=edges.store.uid)
        apart = replace(edges, store=stack.enter_context(there))
        facts = stack.enter_context(closing(open_facts(apart.store.root / "facts")))
        apart = replace(apart, facts=facts)
        planned = _planned(locked, edges, apart, offline=offline)
        made = _made(planned, apart, recipe)
        rows = [
            _compared(step, made.get(str(step.key)), edges.store, apart.store)
            for step in expected.plan.stack
        ]
        image = _image(planned, list(made.values()), edges, apart)
    return Verified(name=locked.lock.name, rows=(*rows, image))


def _planned(locked: Locked, edges: Edges, apart: Edges, *, offline: bool) -> Planned:
    """Plan a build from nothing, with what cannot be fetched again taken from the store."""
    planned = make_plan(locked, apart)
    pins = [pin for pin in planned.plan.downloads if offline or _is_built(pin)]
    lacking = [pin for pin in pins if not edges.store.has(pin.digest, pin.size)]
    if offline and lacking:
        more = ", ..." if len(lacking) > _NAMED else ""
        names = ", ".join(map(str, lacking[:_NAMED])) + more
        raise Unavailable(
            f"{len(lacking)} files are not in the store, and --offline forbids to fetch them:"
            f" {names}",
            hint=f"ds01 verify {locked.request.path}",
        )
    for pin in pins:
        if pin not in lacking:
            _copy(pin, edges.store, apart.store)
    build_again([pin for pin in lacking if isinstance(pin, WheelPin)], locked, apart)
    return make_plan(locked, apart)


def _is_built(pin: WheelPin | DebPin) -> bool:
    return isinstance(pin, WheelPin) and pin.is_built


def _copy(pin: WheelPin | DebPin, store: DirStore, apart: DirStore) -> None:
    """Copy a file, compared with its digest: bytes that lie are MismatchError."""
    source = store.source(pin.digest)
    with apart.writer(pin.digest, pin.size, name=str(pin)) as writer:
        for offset in range(0, source.size, CHUNK):
            writer.write(source.read(offset, CHUNK))
        writer.commit()


def _made(planned: Planned, apart: Edges, recipe: Path) -> dict[str, Made]:
    """Make all layers, by key; without an engine those alone that need none."""
    lock = planned.locked.lock
    labels = labels_of(lock, planned.graph)
    with Executing(locked=planned.locked, edges=apart, labels=labels) as executing:
        if any(_is_executed(step) for step in planned.plan.stack):
            try:
                apart.engine()
            except Unavailable as error:
                apart.report(Note(f"what an engine executes is not compared: {error}"))
                planned = native(planned)
        making = Making(
            executor=executing, timer=Timer(apart.clock), take=lambda _step, _layer: None
        )
        try:
            made = made_of(planned, apart, making)
        except NotThere as error:
            raise not_there(error, missing_debs(error, lock), recipe) from error
    return {str(one.step.key): one for one in made}


def _is_executed(step: LayerStep) -> bool:
    return isinstance(step.spec, (InstallSpec, RunSpec))


def _compared(step: LayerStep, made: Made | None, store: DirStore, apart: DirStore) -> Compared:
    stored = step.layer
    row = Compared(
        tier=step.tier,
        title=title(step),
        outcome="not compared",
        stored=stored.digest if stored else None,
        made=made.layer.digest if made else None,
    )
    if stored is None:
        return replace(row, reason="it is not in the store")
    if not _is_whole(stored, store):
        reason = "its bytes in the store are others: ds01 store verify --repair"
        return replace(row, outcome="damaged", reason=reason)
    if made is None:
        return replace(row, reason="no engine answers")
    if stored.digest == made.layer.digest:
        return replace(row, outcome="equal")
    return _contrasted(row, step, (stored, store), (made.layer, apart))


def _is_whole(layer: Layer, store: DirStore) -> bool:
    try:
        return digest_of(store.path(layer.digest)) == (layer.digest, layer.size)
    except OSError:
        return False


def _contrasted(
    row: Compared, step: LayerStep, one: tuple[Layer, DirStore], other: tuple[Layer, DirStore]
) -> Compared:
    if one[0].diff_id == other[0].diff_id:
        reason = "the same tar, compressed otherwise"
        return replace(row, outcome="different", reason=reason)
    first, second = (inside(store.source(layer.digest)) for layer, store in (one, other))
    found = contrast(first, second)
    if not _is_executed(step):
        reason = "" if found else "the same files in another order or form"
        return replace(row, outcome="different", reason=reason, differences=found)
    real = tuple(each for each in found if not each.in_bytes)
    reason = f"{len(found) - len(real)} files have other bytes or times, as what is executed may"
    return replace(
        row, outcome="different" if real else "alike", reason=reason, differences=real or found
    )


def _image(planned: Planned, made: Sequence[Made], edges: Edges, apart: Edges) -> Compared:
    lock = planned.locked.lock
    last = roots.latest(edges.store.root, lock.name)
    row = Compared(tier="", title="image", outcome="not compared", stored=None, made=None)
    if last is None or last.lock != Digest.of(lockfile.dumps(lock).encode()):
        return replace(row, reason="the last build of it was from another lock")
    row = replace(row, stored=last.image)
    if any(_is_executed(step) for step in planned.plan.stack):
        return replace(row, reason="what an engine executes need not be the same twice")
    image = assembled(planned, made, apart)
    outcome: Outcome = "equal" if image.digest == last.image else "different"
    return replace(row, made=image.digest, outcome=outcome)
