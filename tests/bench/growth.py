"""What stores and engines hold of many recipes that share most of what they use."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench import population
from bench.figures import Outcome, Series, Verdict
from bench.plan import many
from ds01build import graph, lockfile, plan, spec
from ds01build.digest import DiffId, Digest
from ds01build.layer import Layer
from ds01build.plan import Present
from ds01build.spec import StateSpec, WheelSpec
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.population import Where
    from bench.room import Room
    from ds01build.digest import Key
    from ds01build.lock import Lock
    from ds01build.spec import LayerSpec

COUNTS = (10, 100, 1000)
USERS = 30
STORE, ENGINE, LINEAR = 1.1, 1.2, 1.5  # bounds
# None of them is in the lock that is shared.
PACKAGES = (
    "polars",
    "pyarrow",
    "sympy",
    "bokeh",
    "nltk",
    "xarray",
    "shapely",
    "sqlalchemy",
    "networkx",
    "pydantic",
)
_WHERE: dict[Where, str] = {
    "own": "in a tier of its own",
    "last": "in the last shared tier",
    "all": "in every tier",
}


Stores = dict[tuple["Where", int, bool], "Held"]  # whether a site's lock is preferred


@dataclass
class Held:
    """What a store and an engine hold after images were built one after the other.

    Sizes of layers are what a plan expects: a fiftieth more than wheels, half more than .debs.
    """

    layers: dict[Key, Layer] = field(default_factory=dict)
    sources: dict[Digest, int] = field(default_factory=dict)
    chains: set[Digest] = field(default_factory=set)
    stored: int = 0  # bytes
    plain: int = 0  # bytes of pins, once for every layer
    extracted: int = 0  # bytes of pins, once for every layer over what lies below it
    wheels: tuple[int, int] = (0, 0)  # the same two, of layers of wheels alone
    seconds: list[float] = field(default_factory=list)

    def add(self, lock: Lock) -> None:
        files = files_of(lock)
        self.sources.update(files)
        there = frozenset(files)
        start = time.perf_counter()
        made = plan.make(
            graph.of(lock), Present(layers=self.layers, sources=there, facts=frozenset())
        )
        self.seconds.append(time.perf_counter() - start)
        self.stored += made.space
        chain = Digest.of(b"")
        for step in made.stack:
            chain = Digest.of(f"{chain} {step.key}".encode())
            self._count(step.spec, is_new=not step.layer, is_unknown=chain not in self.chains)
            self.chains.add(chain)
            self.layers.setdefault(step.key, _layer(step.key))

    def _count(self, layer: LayerSpec, *, is_new: bool, is_unknown: bool) -> None:
        size = sum(pin.size for pin in spec.sources(layer))
        if isinstance(layer, StateSpec):
            size //= 20  # as the plan has it
        self.plain += size * is_new
        self.extracted += size * is_unknown
        if isinstance(layer, WheelSpec):
            plain, extracted = self.wheels
            self.wheels = plain + size * is_new, extracted + size * is_unknown

    @property
    def growth(self) -> float:
        return self.stored / sum(self.sources.values())


def measure(
    room: Room,
    rounds: int,
    *,
    counts: Sequence[int] = COUNTS,
    packages: Sequence[str] = PACKAGES,
) -> Outcome:
    site = population.grouped(replace(room.lock(), files=()), None)
    stores = {
        (where, count, prefers): held(
            population.sharing(site, count, where), site if prefers else None
        )
        for where in _WHERE
        for count in counts
        for prefers in (False, True)
    }
    real = _real(room, packages)
    on_site = held(population.users(site, USERS), site)
    picked = held(population.picked(site, USERS), site)
    return Outcome(
        scenario="growth",
        series=(
            *(_times(_name(*key), one.growth) for key, one in stores.items()),
            _times(f"store / files, {USERS} on one site.lock", on_site.growth),
            _times("engine / layers of wheels alone", on_site.wheels[1] / on_site.wheels[0]),
            _times("store / files, 80 % picked, prefer", picked.growth),
            _times("engine / layers, 80 % picked, prefer", picked.extracted / picked.plain),
            *(_planning(count, stores["own", count, False]) for count in counts),
        ),
        verdicts=(
            *(_growth(stores, "own", count, prefers=False) for count in counts),
            *(_growth(stores, "last", count, prefers=True) for count in counts),
            _at_most(f"store / files, {len(packages)} real builds, prefer", real, STORE),
            _at_most(
                f"engine / layers, {USERS} on one site.lock",
                on_site.extracted / on_site.plain,
                ENGINE,
            ),
            _at_most(
                "plan, a last / a first recipe", _linear(stores["own", counts[-1], False]), LINEAR
            ),
            _at_most("plan, a tier of 1000 / of 100", _slope(rounds), LINEAR),
        ),
        note=f"{len(site.wheels)} wheels, {len(site.debs)} .debs, {len(site.layers)} layers",
    )


def _growth(stores: Stores, where: Where, count: int, *, prefers: bool) -> Verdict:
    return _at_most(_name(where, count, prefers), stores[where, count, prefers].growth, STORE)


def _at_most(name: str, value: float, bound: float) -> Verdict:
    return Verdict(name=name, value=value, bound=bound, unit="x")


def files_of(lock: Lock) -> dict[Digest, int]:
    """Return the sizes of the wheels and .debs of a lock."""
    wheels = {pin.digest: pin.size for pin in lock.wheels}
    return wheels | {pin.digest: pin.size for pin in lock.debs}


def held(locks: Iterable[Lock], site: Lock | None) -> Held:
    """Return what there is once all of ``locks`` were built, in their order."""
    store = Held()
    for lock in locks:
        store.add(population.grouped(lock, site))
    return store


def _name(where: Where, count: int, prefers: bool) -> str:  # noqa: FBT001 (a part of a key)
    return f"store / files, {count}, {_WHERE[where]}{', prefer' if prefers else ''}"


def _times(name: str, value: float) -> Series:
    return Series(name=name, unit="x", values=(value,))


def _planning(count: int, store: Held) -> Series:
    return Series(name=f"plan, each of {count}", unit="s", values=tuple(store.seconds))


def _linear(store: Held) -> float:
    """Return how much longer the plan of the last recipes takes than that of the first.

    The best of each tenth, since others use the machine, too.
    """
    tenth = max(1, len(store.seconds) // 10)
    return min(store.seconds[-tenth:]) / min(store.seconds[:tenth])


def _slope(rounds: int) -> float:
    """Return how much longer the plan of a tier takes where there are ten times as many."""
    locks = {tiers: many(tiers) for tiers in (100, 1000)}
    each: dict[int, list[float]] = {tiers: [] for tiers in locks}
    for _ in range(max(rounds, 3)):
        for tiers, lock in locks.items():
            store = Held()
            store.add(lock)
            each[tiers].append(store.seconds[0] / tiers)
    return min(each[1000]) / min(each[100])


def _real(room: Room, packages: Sequence[str]) -> float:
    """Build a recipe for each of ``packages`` beside all that the room's has, which it prefers."""
    place = room.part("growth")
    text = room.recipe.read_text(encoding="utf-8")
    (place.directory / "site.lock").write_bytes(lock_path(room.recipe).read_bytes())
    layers: dict[str, int] = {}
    files: dict[Digest, int] = {}
    for package in packages:
        own = f'[tiers.own]\nkind = "python"\npackages = ["{package}"]\n'
        one = replace(place, recipe=place.directory / f"{package}.toml")
        one.recipe.write_text(f'{text}\n{own}\n[resolve]\nprefer = "site.lock"\n', encoding="utf-8")
        built = json.loads(one.run("build", "--no-load", "--quiet", "--json"))
        layers.update((layer["digest"], layer["size"]) for layer in built["layers"])
        lock = lockfile.loads(
            lock_path(one.recipe).read_text(encoding="utf-8"), source=str(one.recipe)
        )
        files.update(files_of(lock))
    place.clear()
    return sum(layers.values()) / sum(files.values())


def _layer(key: Key) -> Layer:
    return Layer(digest=Digest(str(key)), diff_id=DiffId(str(key)), size=0)
