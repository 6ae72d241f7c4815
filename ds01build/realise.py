"""Makes the layers of a plan exist: each is written as soon as what it is made from is there."""

from __future__ import annotations

import hashlib
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from queue import PriorityQueue
from typing import TYPE_CHECKING, Literal, Protocol

from ds01build import spec
from ds01build.digest import DiffId, Digest
from ds01build.errors import RejectedFile, StoreError
from ds01build.layer import Layer
from ds01build.layers import deb, files, listing, merge, pack, root, tree, wheel
from ds01build.layers.deb import DebFacts
from ds01build.pin import FilePin
from ds01build.spec import DebSpec, FileSpec, StateSpec, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ds01build.digest import Canonical, Key
    from ds01build.layers.entry import Entry, Piece, Source
    from ds01build.pin import DebPin, WheelPin
    from ds01build.plan import LayerStep, Plan
    from ds01build.spec import LayerSpec
    from ds01build.stack import Listing

__all__ = ["Facts", "Made", "Materials", "Store", "realise"]

_CHUNK = 1 << 20  # bytes
_DEB = 11  # times as long takes a .deb as a wheel of its size: xz, and compressing anew


class BlobWriter(Protocol):
    """A blob that is being written."""

    def write(self, content: bytes) -> object:
        """Add ``content`` to the blob."""

    def commit(self) -> tuple[Digest, int]:
        """Make the blob durable and return its digest and size in bytes."""


class Store(Protocol):
    """What realising needs of a store."""

    def layer(self, key: Key) -> Layer | None:
        """Return the layer that was recorded for ``key``, if its blob is there."""

    def record(self, key: Key, layer: Layer, inputs: Mapping[str, Canonical]) -> None:
        """Remember durably that ``layer`` is what ``key`` comes to."""

    def lock(self, key: Key, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold the lock of ``key`` among all processes."""

    def source(self, digest: Digest) -> Source:
        """Return a reader of the blob."""

    def quarantine(self, digest: Digest) -> None:
        """Move a blob to where nothing reads it."""

    def writer(self) -> AbstractContextManager[BlobWriter]:
        """Return a writer of a new blob; leaving without commit drops it."""


class Facts(Protocol):
    """Derived facts that may be lost at any time: JSON values by kind and address."""

    def get(self, kind: str, key: str) -> object:
        """Return the value, or None."""

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep ``value`` while there is room for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """Where the makings of layers come from and go to."""

    store: Store
    facts: Facts
    fetch: Callable[[Sequence[WheelPin | DebPin]], Generator[Digest, None, None]]
    read_file: Callable[[FilePin], bytes]  # content as the pin says, or MismatchError
    on_layer: Callable[[LayerStep, Layer], None]  # called from worker threads
    on_wait: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A layer that exists, and what was done for it."""

    step: LayerStep
    layer: Layer
    action: Literal["reused", "written"]
    listing: Listing = field(repr=False)


def realise(plan: Plan, materials: Materials, *, workers: int) -> tuple[Made, ...]:
    """Return the layers of ``plan`` in stack order after making those that do not exist.

    Layers are written by ``workers`` threads while later downloads still run. Raises what
    fetching, wheels, .debs and the store raise; what was finished by then stays in the store.
    """
    shop = _Workshop(materials)
    with (
        closing(materials.fetch(plan.downloads)) as arrivals,
        closing(_Pool(workers, shop.write)) as pool,
    ):
        early = {step.key: step for step in plan.stack if _is_early(step)}
        _write_early(early, arrivals, {pin.digest for pin in plan.downloads}, pool)
        late = [step for step in plan.stack if step.action == "write" and step.key not in early]
        made = {step.key: shop.write(step) for step in late}
        made.update(pool.results())
    return tuple(made.get(step.key) or shop.reuse(step) for step in plan.stack)


def _is_early(step: LayerStep) -> bool:
    """Wheels and .debs depend on nothing else; state and files need the facts of all .debs."""
    return step.action == "write" and isinstance(step.spec, (WheelSpec, DebSpec))


def _write_early(
    steps: Mapping[Key, LayerStep],
    arrivals: Iterable[Digest],
    expected: set[Digest],
    pool: _Pool,
) -> None:
    waiting = {key: _digests(step.spec) & expected for key, step in steps.items()}
    for digest in chain([None], arrivals):
        for missing in waiting.values():
            missing.discard(digest)
        for key in [key for key, missing in waiting.items() if not missing]:
            del waiting[key]
            pool.submit(steps[key])
        pool.raise_failure()
    pool.join()


def _digests(layer: LayerSpec) -> set[Digest | None]:
    return {pin.digest for pin in spec.sources(layer)}


class _Pool:
    """Threads that write layers, the heaviest that is ready first; one failure stops the rest."""

    def __init__(self, workers: int, write: Callable[[LayerStep], Made]) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="layer")
        self._write = write
        self._ready: PriorityQueue[tuple[int, Key, LayerStep]] = PriorityQueue()
        self._futures: list[Future[Made]] = []

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def submit(self, step: LayerStep) -> None:
        self._ready.put((-_weight(step.spec), step.key, step))
        self._futures.append(self._executor.submit(self._write_heaviest))

    def _write_heaviest(self) -> Made:
        return self._write(self._ready.get_nowait()[-1])

    def raise_failure(self) -> None:
        for future in self._futures:
            if future.done():
                future.result()

    def join(self) -> None:
        wait(self._futures, return_when=FIRST_EXCEPTION)
        self.raise_failure()

    def results(self) -> dict[Key, Made]:
        return {made.step.key: made for made in (future.result() for future in self._futures)}


def _weight(layer: LayerSpec) -> int:
    """Return how long the layer takes, in bytes of wheels that would take as long."""
    size = sum(pin.size for pin in spec.sources(layer))
    return size * (_DEB if isinstance(layer, DebSpec) else 1)


@dataclass(frozen=True, slots=True)
class _Workshop:
    """Writes single layers, and remembers the facts of .debs that it has seen."""

    materials: Materials
    seen: dict[Digest, DebFacts] = field(default_factory=dict)

    def write(self, step: LayerStep) -> Made:
        """Write the layer, unless another process did so in the meantime."""
        store = self.materials.store
        with store.lock(step.key, self.materials.on_wait):
            found = store.layer(step.key)
            if found is not None:
                return Made(step=step, layer=found, action="reused", listing=self.listing(found))
            paths: Listing = {}
            layer = self._store_layer(step.spec, paths)
            self.materials.facts.put("listing", str(layer.diff_id), listing.to_json(paths))
            store.record(step.key, layer, spec.inputs(step.spec))
        self.materials.on_layer(step, layer)
        return Made(step=step, layer=layer, action="written", listing=paths)

    def reuse(self, step: LayerStep) -> Made:
        assert step.layer is not None, "a step is reused because its layer was found"
        return Made(step=step, layer=step.layer, action="reused", listing=self.listing(step.layer))

    def listing(self, layer: Layer) -> Listing:
        """Return the paths of ``layer``: as remembered, or read from its bytes."""
        known = listing.from_json(self.materials.facts.get("listing", str(layer.diff_id)))
        if known is None:
            known = listing.read(self.materials.store.source(layer.digest))
            self.materials.facts.put("listing", str(layer.diff_id), listing.to_json(known))
        return known

    def _store_layer(self, layer: LayerSpec, paths: Listing) -> Layer:
        try:
            return self._store(self._pieces(layer, paths))
        except RejectedFile as error:
            raise self._damage(layer) or error from None

    def _damage(self, layer: LayerSpec) -> StoreError | None:
        """Move a file aside that is not what was fetched; the next build fetches it again."""
        store = self.materials.store
        for pin in spec.sources(layer):
            if not isinstance(pin, FilePin) and _digest_of(store.source(pin.digest)) != pin.digest:
                store.quarantine(pin.digest)
                return StoreError(
                    f"{pin} was damaged in the store and has been moved aside",
                    hint="build again: it is fetched anew",
                )
        return None

    def _store(self, pieces: Iterable[Piece]) -> Layer:
        plain_sum = hashlib.sha256()
        with self.materials.store.writer() as writer:
            for plain, packed in pack.batched(pieces):
                plain_sum.update(plain)
                writer.write(packed)
            digest, size = writer.commit()
        return Layer(digest=digest, diff_id=DiffId(f"sha256:{plain_sum.hexdigest()}"), size=size)

    def _pieces(self, layer: LayerSpec, paths: Listing) -> Iterator[Piece]:
        if isinstance(layer, WheelSpec):
            return pack.splice(listing.noted(self._wheels(layer), paths))
        return pack.compress(listing.noted(self._plain(layer), paths))

    def _wheels(self, layer: WheelSpec) -> Iterable[Entry]:
        source = self.materials.store.source
        owned = (wheel.install(source(pin.digest), pin, layer.target) for pin in layer.wheels)
        return tree.complete(chain.from_iterable(owned), layer.target.directories)

    def _plain(self, layer: DebSpec | StateSpec | FileSpec) -> Iterable[Entry]:
        if isinstance(layer, DebSpec):
            return merge.merged(chain.from_iterable(map(self._unpack, layer.debs)))
        base = layer if isinstance(layer, StateSpec) else layer.base
        facts = [self._facts_of(pin) for pin in base.debs]
        state = root.entries(facts, base.architecture)
        if isinstance(layer, StateSpec):
            return tree.complete(state, root.directories(facts, ()))
        made = [entry for _, entry in state]
        contents = [(pin, self.materials.read_file(pin)) for pin in layer.files]
        links = {link.path: link.to for link in root.links(facts, made)}
        owned = files.entries(contents, links)
        return tree.complete(owned, root.directories(facts, made))

    def _unpack(self, pin: DebPin) -> Iterator[tuple[str, Entry]]:
        source = self.materials.store.source(pin.digest)
        for entry in deb.unpack(source, pin, lambda facts: self._remember(pin, facts)):
            yield str(pin), entry

    def _remember(self, pin: DebPin, facts: DebFacts) -> None:
        self.seen[pin.digest] = facts
        self.materials.facts.put("deb", str(pin.digest), facts.to_json())
        notes = [list(note.missing) for note in root.unreproduced([facts])]
        # Last, because a plan takes it as the sign that the facts above are known.
        self.materials.facts.put("scripts", str(pin.digest), notes[0] if notes else [])

    def _facts_of(self, pin: DebPin) -> DebFacts:
        if pin.digest not in self.seen:
            known = DebFacts.from_json(self.materials.facts.get("deb", str(pin.digest)))
            if known is not None:
                return known
            for _ in self._unpack(pin):
                pass
        return self.seen[pin.digest]


def _digest_of(source: Source) -> Digest:
    summed = hashlib.sha256()
    for offset in range(0, source.size, _CHUNK):
        summed.update(source.read(offset, _CHUNK))
    return Digest(f"sha256:{summed.hexdigest()}")
