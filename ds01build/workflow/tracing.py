"""Why a package is in an image: who asks for it, what holds it, what bound its version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ds01build import graph
from ds01build.base.holding import hold
from ds01build.base.needs import variables
from ds01build.base.wheelneeds import wanted_of
from ds01build.errors import Ds01Error
from ds01build.fields import did_you_mean
from ds01build.grammar import requirement_name
from ds01build.layers.deb.needs import needs_of, versions_of
from ds01build.lock import LockedImage
from ds01build.origin import origins
from ds01build.platform import MACHINES
from ds01build.reference import parse_reference
from ds01build.workflow.steps import check_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ds01build.base.facts import BaseFacts
    from ds01build.lock import Lock
    from ds01build.origin import Origin
    from ds01build.workflow.request import Request
    from ds01build.workflow.steps import Edges, Facts, Locked

    # By who needs a package: of which versions; None where that is not known.
    Asked = Mapping[str, tuple[str, ...] | None]

__all__ = ["Bound", "InBase", "Traced", "why"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Something that decided about the version of a package: ``by`` whom, and what that says."""

    by: str  # a tier, a package that needs it, a constraint, an override, the base, the date
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InBase:
    """A package that the base image brings. ``is_held`` says that no tier may replace it."""

    kind: str  # python or debian
    version: str
    directory: str  # empty for a .deb
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """All that is known of a package; ``bounds`` are of the wheel or .deb at the same place.

    So are ``silent``: wheels that need it, and which versions of it is not known on this machine.
    ``unknown`` is the base image that nothing is remembered of on this machine; empty otherwise.
    """

    name: str
    origins: tuple[Origin, ...]
    bounds: tuple[tuple[Bound, ...], ...]
    silent: tuple[tuple[str, ...], ...]
    base: tuple[InBase, ...]
    unknown: str


def why(recipe: Path, name: str, edges: Edges) -> Traced:
    """Return why ``name`` is in the image of ``recipe``, which has a fresh lock.

    Raises as ``check_lock`` does, and Ds01Error where neither the lock nor the base has it.
    """
    locked = check_lock(recipe)
    lock, python = locked.lock, canonicalize_name(name)
    facts = edges.bases.known(lock.base) if isinstance(lock.base, LockedImage) else None
    made = graph.of(lock)
    found = [each for each in origins(lock, made, python, {}) if each.kind == "python"]
    controls = _controls(lock, edges.facts) if any(pin.name == name for pin in lock.debs) else {}
    debs = origins(lock, made, name, needs_of(controls))
    found += [each for each in debs if each.kind == "debian"]
    in_base = tuple(_in_base(name, python, facts)) if facts else ()
    if not found and not in_base:
        raise _unknown(name, locked, facts)
    wanted = [
        _of_debs(each, lock, controls)
        if each.kind == "debian"
        else _of_wheels(each, lock, edges.facts)
        for each in found
    ]
    is_unknown = isinstance(lock.base, LockedImage) and facts is None
    return Traced(
        name=name,
        origins=tuple(found),
        bounds=tuple(
            (*_bounds(each, locked, facts), *_of_needers(asked))
            for each, asked in zip(found, wanted, strict=True)
        ),
        silent=tuple(tuple(who for who, says in each.items() if says is None) for each in wanted),
        base=in_base,
        unknown=_base_name(lock) if is_unknown else "",
    )


def _base_name(lock: Lock) -> str:
    return (
        parse_reference(lock.base.reference).familiar if isinstance(lock.base, LockedImage) else ""
    )


def _controls(lock: Lock, facts: Facts) -> dict[str, dict[str, str]]:
    """Return the control files of .debs, of those that have been unpacked on this machine."""
    controls: dict[str, dict[str, str]] = {}
    for pin in lock.debs:
        known = facts.get("deb", str(pin.digest))
        rows = known.get("control") if isinstance(known, dict) else None
        if isinstance(rows, list):
            controls[pin.name] = {str(row[0]): str(row[-1]) for row in rows if row}
    return controls


def _of_debs(origin: Origin, lock: Lock, controls: Mapping[str, Mapping[str, str]]) -> Asked:
    """Return what each .deb that needs another asks of its versions."""
    return {
        str(pin): versions_of(controls[pin.name], origin.pin.name)
        for pin in lock.debs
        if pin.name in origin.needers
    }


def _of_wheels(origin: Origin, lock: Lock, facts: Facts) -> Asked:
    """Return what each wheel that needs another asks of its versions.

    That is known of wheels which a layer was made of on this machine.
    """
    assert lock.target is not None, "there are wheels"
    architecture = lock.base.architecture
    values = variables(lock.target.version, MACHINES.get(architecture, architecture))
    found: dict[str, tuple[str, ...] | None] = {}
    for pin in (pin for pin in lock.wheels if pin.name in origin.needers):
        needs = wanted_of(facts.get("wheel", str(pin.digest)), pin, origin.pin.name, values)
        asked = None if needs is None else tuple(str(need) for need in needs if need.versions)
        found[str(pin)] = asked
    return found


def _of_needers(asked: Asked) -> Iterator[Bound]:
    for who, says in asked.items():
        yield from (Bound(by=who, says=each) for each in says or ())


def _in_base(name: str, python: str, facts: BaseFacts) -> Iterator[InBase]:
    held = {each.name for each in hold(facts).held}
    for each in facts.distributions:
        if each.name == python:
            yield InBase(
                kind="python",
                version=each.version,
                directory=each.directory,
                is_held=each.is_held or python in held,
            )
    for deb in facts.debs:
        if deb.name == name:
            yield InBase(kind="debian", version=deb.version, directory="", is_held=False)


def _bounds(origin: Origin, locked: Locked, facts: BaseFacts | None) -> Iterator[Bound]:
    """Yield what decided about the version, as far as the recipe, the lock and the base say."""
    name, request = origin.pin.name, locked.request
    for asked in origin.asked:
        if asked.line != name:
            yield Bound(by=f"tier {asked.tier}", says=asked.line)
    if origin.kind == "debian":
        return
    yield from _of_recipe(name, request)
    if facts is not None:
        demands = hold(facts, request.recipe.resolve.allow_base_change).demands
        for demand in demands:
            if demand.need.name == name:
                yield Bound(by=f"the base's {demand.needer}", says=str(demand.need))
    for gone in locked.lock.removed:
        if gone.name == name:
            yield Bound(
                by="allow-base-change", says=f"in place of the base's {name} {gone.version}"
            )


def _of_recipe(name: str, request: Request) -> Iterator[Bound]:
    settings = request.recipe.resolve
    lines = {"a constraint": request.constraints, "an override": settings.overrides}
    for by, each in lines.items():
        yield from (Bound(by=by, says=line) for line in each if requirement_name(line) == name)
    if name in request.digests:
        yield Bound(by="a requirements file", says="lists the hashes that it may have")
    if settings.exclude_newer:
        yield Bound(by="exclude-newer", says=settings.exclude_newer)


def _unknown(name: str, locked: Locked, facts: BaseFacts | None) -> Ds01Error:
    lock = locked.lock
    names = {*(pin.name for pin in lock.wheels), *(pin.name for pin in lock.debs)}
    if facts is not None:
        names |= {each.name for each in facts.distributions} | {each.name for each in facts.debs}
    # Few are looked at, so those that start alike come first.
    near = sorted(names, key=lambda each: (each[:2] != name[:2].lower(), each))
    return Ds01Error(
        f"{locked.path.name} has no package {name!r:.100}{did_you_mean(name.lower(), near)}"
    )
