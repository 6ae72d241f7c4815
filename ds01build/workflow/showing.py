"""One image in full: its recipe, base, tiers, layers, generations, and who uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.errors import Ds01Error, StoreError
from ds01build.lock import LockedDebian, LockedTier
from ds01build.workflow.builds import document, tags_of
from ds01build.workflow.generations import pinned, read_lock
from ds01build.workflow.inventory import asker, generations_of, in_engine, in_use, known
from ds01build.workflow.stored import find, parse_numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.digest import Canonical
    from ds01build.engine.api import Engine
    from ds01build.engine.holdings import Holdings
    from ds01build.events import Report
    from ds01build.lock import Lock
    from ds01build.pin import DebPin, FilePin, WheelPin
    from ds01build.store import DirStore
    from ds01build.workflow.engine_use import Unasked
    from ds01build.workflow.inventory import Held, Known
    from ds01build.workflow.stored import Stored

__all__ = ["Shown", "ShownLayer", "ShownTier", "show"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTier:
    """A tier of a lock: what it asks for, and how much is locked for that."""

    name: str
    kind: str
    requests: tuple[str, ...]  # of a tier of kind run: its commands
    wheels: int
    debs: int
    files: int

    def answer(self) -> dict[str, object]:
        """Return the object that ``image-show --json`` prints."""
        return {
            "tier": self.name,
            "kind": self.kind,
            "asked": list(self.requests),
            "wheels": self.wheels,
            "debs": self.debs,
            "files": self.files,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLayer:
    """A layer, lowest first, and the other names of the store whose images have it, too."""

    tier: str
    title: str
    digest: Digest
    size: int  # bytes
    others: tuple[str, ...]
    is_here: bool  # in the store, where those of a base need not be

    def answer(self) -> dict[str, object]:
        """Return the object that ``image-show --json`` prints."""
        return {
            "tier": self.tier,
            "title": self.title,
            "digest": str(self.digest),
            "size": self.size,
            "shared_with": list(self.others),
            "in_store": self.is_here,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An image in full. ``tiers`` is None where it has no lock that this ds01 can read."""

    held: Held
    config: Digest
    tiers: tuple[ShownTier, ...] | None
    layers: tuple[ShownLayer, ...]
    past: tuple[Held, ...]  # generations of its name, newest first
    pins: frozenset[int]  # numbers of those that stay whatever is asked

    def answer(self) -> dict[str, object]:
        """Return the object that ``image-show --json`` prints."""
        return {
            "schema": "ds01.image/1",
            **self.held.answer(),
            "config_digest": str(self.config),
            "tiers": None if self.tiers is None else [each.answer() for each in self.tiers],
            "layers": [each.answer() for each in self.layers],
            "history": [
                {
                    "number": each.generation,
                    "created": each.created,
                    "digest": str(each.digest),
                    "size": each.size,
                    "current": each.is_current,
                    "pinned": each.generation in self.pins,
                }
                for each in self.past
            ],
        }


def show(store: DirStore, engine: Engine | Unasked, report: Report, image: str) -> Shown:
    """Return all that there is to say of ``image``: a name, NAME@N, or a digest.

    Raises Ds01Error where there is none, with what there is, and StoreError for a damaged one.
    """
    there = in_engine(engine, report)
    stored = _found(store, there, image)
    seen, name, digest = known(store), stored.name, Digest.of(stored.manifest)
    past: tuple[Held, ...] = ()
    if name in seen.past:
        used = in_use(store, seen, name, there, asker(engine))
        past = tuple(generations_of(store, seen, name, used))
    number = (parse_numbered(image) or ("", None))[1]
    held = next(
        (each for each in past if each.digest == digest and number in (None, each.generation)), None
    )
    if held is None:
        raise StoreError(f"{image!r:.200} is no generation that is whole", hint="ds01 store verify")
    one = next(each for each in seen.past[name] if each.number == held.generation)
    lock = read_lock(store, one)
    return Shown(
        held=held,
        config=seen.inside[digest].config,
        tiers=_tiers(lock) if lock else None,
        layers=tuple(_layers(store, seen, held)),
        past=tuple(sorted(past, key=lambda each: -each.generation)),
        pins=pinned(store, name),
    )


def _found(store: DirStore, there: Holdings | None, image: str) -> Stored:
    try:
        return find(store, image)
    except Ds01Error as error:
        _, _, name = image.rpartition("/")
        tags = tags_of(there, store.uid, name.partition(":")[0]) if there else ()
        if not tags:
            raise
        raise Ds01Error(
            f"{image!r:.200} is in the engine alone, and the store has not what it was made from",
            hint=f"docker image inspect {tags[-1]}",
        ) from error


def _tiers(lock: Lock) -> tuple[ShownTier, ...]:
    base = LockedTier(name="base", kind="base")
    if isinstance(lock.base, LockedDebian):
        base = LockedTier(name="base", kind="base", requests=lock.base.packages)
    return tuple(
        ShownTier(
            name=tier.name,
            kind=tier.kind,
            requests=tier.requests or tier.commands,
            wheels=_count(lock.wheels, tier),
            debs=_count(lock.debs, tier),
            files=_count(lock.files, tier),
        )
        for tier in (base, *lock.tiers)
    )


def _count(pins: Iterable[WheelPin | DebPin | FilePin], tier: LockedTier) -> int:
    return sum(pin.tier == tier.name for pin in pins)


def _layers(store: DirStore, seen: Known, held: Held) -> Iterator[ShownLayer]:
    inside = seen.inside[held.digest]
    rows = document(store, inside.config).get("history")
    told = rows if isinstance(rows, list) and len(rows) == len(inside.layers) else []
    for place, digest in enumerate(inside.layers):
        is_base, row = place < inside.base_layers, told[place] if told else None
        tier, title = ("base", "of the base image") if is_base else _named(row)
        yield ShownLayer(
            tier=tier,
            title=title,
            digest=digest,
            size=inside.sizes[digest],
            others=seen.shares.others(held.name, digest),
            is_here=store.has(digest, inside.sizes[digest]),
        )


def _named(row: Canonical) -> tuple[str, str]:
    """Return the tier of a layer, and what is in it, as a configuration's history says."""
    told = row if isinstance(row, dict) else {}
    return str(told.get("created_by", "")).removeprefix("ds01 "), str(told.get("comment", ""))
