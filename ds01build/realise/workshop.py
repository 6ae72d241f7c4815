"""Makes single layers: written from their files, or executed, and remembered in the store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from ds01build import spec
from ds01build.base.wheelneeds import to_fact
from ds01build.digest import DiffId, Digest, Key
from ds01build.errors import RejectedFile, StoreError
from ds01build.layer import Layer
from ds01build.layers import (
    deb,
    files,
    listing,
    merge,
    pack,
    removed,
    root,
    tree,
    wheel,
)
from ds01build.layers.deb import DebFacts
from ds01build.pin import FilePin
from ds01build.realise.materials import Made
from ds01build.spec import (
    DebSpec,
    FileSpec,
    InstallSpec,
    RemovedSpec,
    RunSpec,
    StateSpec,
    WheelSpec,
)
from ds01build.target import Ground

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ds01build.layers.entry import Entry, Piece, Source
    from ds01build.pin import DebPin, WheelPin
    from ds01build.plan import LayerStep
    from ds01build.realise.materials import Materials
    from ds01build.spec import LayerSpec
    from ds01build.stack import Listing

__all__ = ["Workshop"]

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Workshop:
    """Writes single layers, and remembers the facts of .debs that it has seen."""

    materials: Materials
    seen: dict[Digest, DebFacts] = field(default_factory=dict)

    def write(self, step: LayerStep) -> Made:
        """Write the layer, unless another process did so in the meantime."""
        store = self.materials.store
        with store.lock(step.key, self.materials.on_wait):
            found = store.layer(step.key)
            if found is not None:
                return self.made(step, found)
            paths: Listing = {}
            layer = self._store_layer(step.spec, paths)
            self._remember_listing(layer, paths)
            store.record(step.key, layer, spec.inputs(step.spec))
        self.materials.on_layer(step, layer)
        return Made(step=step, layer=layer, action="written", listing=paths)

    def execute(self, step: LayerStep, below: Sequence[Layer]) -> Made:
        """Run the tier over ``below``, unless what it comes to over these very bytes is known."""
        assert isinstance(step.spec, (InstallSpec, RunSpec)), "only these are executed"
        store = self.materials.store
        outcome = spec.outcome_inputs(step.spec, (layer.diff_id for layer in below))
        with store.lock(Key.of(outcome), self.materials.on_wait):
            found = store.layer(step.key) or store.layer(Key.of(outcome))
            if found is not None:
                store.record(step.key, found, spec.inputs(step.spec))
                return self.made(step, found)
            paths: Listing = {}
            with self.materials.executor.run(step.tier, step.spec, below) as entries:
                layer = self._store(pack.compress(listing.noted(entries, paths)))
            self._remember_listing(layer, paths)
            store.record(Key.of(outcome), layer, outcome)
            store.record(step.key, layer, spec.inputs(step.spec))
        self.materials.on_layer(step, layer)
        return Made(step=step, layer=layer, action="ran", listing=paths)

    def made(self, step: LayerStep, layer: Layer) -> Made:
        """Return ``layer`` as one that was there."""
        return Made(step=step, layer=layer, action="reused", listing=self.listing(layer))

    def _remember_listing(self, layer: Layer, paths: Listing) -> None:
        self.materials.facts.put("listing", str(layer.diff_id), listing.to_json(paths))

    def reuse(self, step: LayerStep) -> Made:
        """Return the layer that the plan found, here or where it was fetched from by now."""
        assert step.layer is not None, "a step is reused because its layer was found"
        made = self.made(step, step.layer)
        return replace(made, action="fetched") if step.action == "fetch" else made

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
        plain_sum, plain_size = hashlib.sha256(), 0
        with self.materials.store.writer() as writer, self.materials.spool() as spool:
            for plain, packed in pack.batched(pieces):
                plain_sum.update(plain)
                plain_size += len(plain)
                writer.write(packed)
                spool.write(plain)
            digest, size = writer.commit()
            diff_id = DiffId(f"sha256:{plain_sum.hexdigest()}")
            spool.keep(diff_id)
        self.materials.facts.put("plain", str(diff_id), plain_size)  # an engine is told it
        return Layer(digest=digest, diff_id=diff_id, size=size)

    def _pieces(self, layer: LayerSpec, paths: Listing) -> Iterator[Piece]:
        if isinstance(layer, WheelSpec):
            return pack.splice(listing.noted(self._wheels(layer), paths))
        if isinstance(layer, RemovedSpec):
            gone = [path for one in layer.removed for path in one.paths]
            return pack.compress(listing.noted(removed.entries(gone, layer.ground), paths))
        assert not isinstance(layer, (InstallSpec, RunSpec)), "these are executed"
        return pack.compress(listing.noted(self._plain(layer), paths))

    def _wheels(self, layer: WheelSpec) -> Iterable[Entry]:
        source = self.materials.store.source
        owned = (
            wheel.install(source(pin.digest), pin, layer.target, partial(self._remember_needs, pin))
            for pin in layer.wheels
        )
        return tree.complete(chain.from_iterable(owned), layer.target.directories)

    def _remember_needs(self, pin: WheelPin, metadata: bytes) -> None:
        """Keep what a wheel needs, which is asked for when the wheel is gone."""
        if self.materials.facts.get("wheel", str(pin.digest)) is None:
            self.materials.facts.put("wheel", str(pin.digest), to_fact(metadata, pin))

    def _plain(self, layer: DebSpec | StateSpec | FileSpec) -> Iterable[Entry]:
        if isinstance(layer, DebSpec):
            return merge.merged(chain.from_iterable(map(self._unpack, layer.debs)))
        if isinstance(layer, FileSpec):
            return self._files(layer)
        facts = [self._facts_of(pin) for pin in layer.debs]
        state = root.entries(facts, layer.architecture)
        return tree.complete(state, root.directories(facts, ()))

    def _files(self, layer: FileSpec) -> Iterable[Entry]:
        ground = layer.base if isinstance(layer.base, Ground) else self._ground(layer.base)
        contents = [(pin, self.materials.read_file(pin)) for pin in layer.files]
        links = {link.path: link.to for link in ground.links}
        return tree.complete(files.entries(contents, links), ground.directories)

    def _ground(self, base: StateSpec) -> Ground:
        facts = [self._facts_of(pin) for pin in base.debs]
        made = [entry for _, entry in root.entries(facts, base.architecture)]
        return Ground(directories=root.directories(facts, made), links=root.links(facts, made))

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
