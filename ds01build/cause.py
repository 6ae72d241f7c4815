"""What of a layer's inputs differs from those of an earlier one, down to field and package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from ds01build.change import Change, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ds01build.digest import Canonical, Key
    from ds01build.lock import Lock

    Inputs = Mapping[str, Canonical]
    Pins = dict[str, tuple[str, str]]  # by name: version, or the mode of a file, and digest

__all__ = ["Cause", "Whole", "causes", "pins_of", "whole"]

_TABLES = {"wheels": "package", "debs": "package", "files": "file"}
_FORMATS = ("capture", "compressor", "rules", "schema", "writer")
_SHOWN = 19  # characters of a digest: sha256: and 12 digits


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cause:
    """One input that differs; a side that has nothing there is empty.

    ``place`` is a package that comes from or went to another layer, ``below`` a layer that this
    one stands on, by its tier, and ``format`` a part of ds01 that decides how layers are written.
    """

    kind: Literal["package", "file", "place", "field", "below", "base", "format"]
    name: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return _PHRASES[self.kind](self)


def _pin(cause: Cause) -> str:
    what = f"{cause.kind} {cause.name}"
    if cause.before and cause.after:
        return f"{what} {cause.before} -> {cause.after}"
    return f"{what} {cause.after} is new" if cause.after else f"{what} {cause.before} is gone"


def _place(cause: Cause) -> str:
    if cause.after:
        return f"{cause.name} {cause.after} comes from another layer"
    return f"{cause.name} {cause.before} is in another layer now"


def _below(cause: Cause) -> str:
    if cause.before and cause.after:
        return f"tier {cause.name}, which it stands on, changed"
    return f"it stands on tier {cause.name} {'now' if cause.after else 'no longer'}"


_PHRASES: dict[str, Callable[[Cause], str]] = {
    "package": _pin,
    "file": _pin,
    "place": _place,
    "field": lambda cause: str(Change(field=cause.name, before=cause.before, after=cause.after)),
    "below": _below,
    "base": lambda cause: f"{cause.name}: {cause.before} -> {cause.after}",
    "format": lambda cause: f"ds01's own {cause.name}: {cause.before} -> {cause.after}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All of a build that a layer of it is seen against: pins by table, tiers by layer key."""

    pins: Mapping[str, Pins]
    tiers: Mapping[str, str]


def whole(lock: Lock, tiers: Mapping[Key, str]) -> Whole:
    """Return what a layer of ``lock`` is seen against; ``tiers`` are those of its layers."""
    return Whole(
        pins={
            "wheels": {pin.name: (pin.version, str(pin.digest)) for pin in lock.wheels},
            "debs": {pin.name: (pin.version, str(pin.digest)) for pin in lock.debs},
            "files": {pin.to: (f"{pin.mode:04o}", str(pin.digest)) for pin in lock.files},
        },
        tiers={str(key): tier for key, tier in tiers.items()},
    )


def causes(new: Inputs, all_new: Whole, old: Inputs | None, all_old: Whole) -> tuple[Cause, ...]:
    """Return why the layer of ``new`` is not that of ``old``; None where there was none like it.

    ``new`` and ``old`` are inputs of layer specs (``spec.inputs``). Whatever differs has a cause.
    """
    found = [
        cause
        for table in _TABLES
        for cause in _pinned(
            table, pins_of(new, table), pins_of(old or {}, table), all_new, all_old
        )
    ]
    if old is not None:
        found += _formats(new, old)
        found += _stack(new, all_new, old, all_old)
        found += _fields(new, old)
    return tuple(found)


def pins_of(inputs: Inputs, table: str) -> Pins:
    """Return the pins of inputs; a row is a name, what tells versions apart, and a digest."""
    rows = cast("Sequence[Sequence[str]]", inputs.get(table, ()))
    return {row[0]: (row[1], row[-1]) for row in rows}


def _pinned(table: str, new: Pins, old: Pins, all_new: Whole, all_old: Whole) -> Iterator[Cause]:
    for name in sorted({*new, *old}):
        if name in new and name in old:
            before, after = old[name], new[name]
        else:  # what the rest of the build has of it
            before = old.get(name) or all_old.pins[table].get(name) or ("", "")
            after = new.get(name) or all_new.pins[table].get(name) or ("", "")
        is_moved = (name in new) != (name in old) and before == after
        if is_moved:
            told = (before[0], "") if name in old else ("", after[0])
            yield Cause(kind="place", name=name, before=told[0], after=told[1])
        elif before != after:
            kind = cast('Literal["package", "file"]', _TABLES[table])
            texts = _told(before, after)
            yield Cause(kind=kind, name=name, before=texts[0], after=texts[1])


def _told(before: tuple[str, str], after: tuple[str, str]) -> tuple[str, str]:
    """Return the versions; of one version in two files their digests as well."""
    if before[0] != after[0]:
        return before[0], after[0]
    return f"{before[0]} ({before[1][:_SHOWN]})", f"{after[0]} ({after[1][:_SHOWN]})"


def _formats(new: Inputs, old: Inputs) -> Iterator[Cause]:
    for name in _FORMATS:
        if new.get(name) != old.get(name):
            before, after = (str(each.get(name, "none")) for each in (old, new))
            yield Cause(kind="format", name=name, before=before, after=after)


def _stack(new: Inputs, all_new: Whole, old: Inputs, all_old: Whole) -> Iterator[Cause]:
    """Say what of the layers below an executed one, or below files, changed."""
    had, has = _stood_on(old, all_old), _stood_on(new, all_new)
    gone, come = {had[key] for key in had.keys() - has}, {has[key] for key in has.keys() - had}
    for tier in sorted(gone | come):
        before, after = ("below" if tier in side else "" for side in (gone, come))
        yield Cause(kind="below", name=tier, before=before, after=after)
    if had.keys() == has.keys() and _keys(new) != _keys(old):
        yield Cause(kind="field", name="below", before="one order", after="another")
    images = cast("tuple[Sequence[str], ...]", (old.get("image", ()), new.get("image", ())))
    if images[0] != images[1]:
        shared = len({*images[0]} & {*images[1]})
        told = f"{len(images[0])} layers", f"{len(images[1])} layers, {shared} of them the same"
        yield Cause(kind="base", name="the base image", before=told[0], after=told[1])


def _keys(inputs: Inputs) -> list[str]:
    base = inputs.get("base")
    below = list(cast("Sequence[str]", inputs.get("below", ())))
    return [*below, base] if isinstance(base, str) else below


def _stood_on(inputs: Inputs, build: Whole) -> dict[str, str]:
    """Return the tiers of the layers that one stands on, by key."""
    return {key: build.tiers.get(key, "another build's") for key in _keys(inputs)}


def _fields(new: Inputs, old: Inputs) -> Iterator[Cause]:
    for each in changes(_readable(old), _readable(new)):
        yield Cause(kind="field", name=each.field, before=each.before, after=each.after)


def _readable(inputs: Inputs) -> dict[str, Canonical]:
    """Return the inputs that are compared field by field, modes in octal as people write them."""
    apart = {*_TABLES, *_FORMATS, "image", "below"}
    rest = {name: value for name, value in inputs.items() if name not in apart}
    if isinstance(rest.get("base"), str):  # the key of what files stand on
        del rest["base"]
    for name in ("target", "ground", "base"):
        table = rest.get(name)
        if isinstance(table, dict) and "directories" in table:
            rest[name] = {**table, "directories": _directories(table["directories"])}
    return rest


def _directories(rows: Canonical) -> dict[str, Canonical]:
    return {
        f"/{path}": {"mode": f"{mode:04o}", "owner": f"{uid}:{gid}"}
        for path, mode, uid, gid in cast("Sequence[tuple[str, int, int, int]]", rows)
    }
