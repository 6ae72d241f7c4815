"""Puts an image of the store into an engine: only what it lacks travels."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from ds01build.base.unpack import inflated
from ds01build.engine.archive import Loadable
from ds01build.engine.intermediate import remove_intermediates, this_builder
from ds01build.engine.known import labels_of, look_up, nearby
from ds01build.engine.load import send
from ds01build.engine.loading import Loading
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.engine.owner import current
from ds01build.engine.sandbox import sweep
from ds01build.errors import Ds01Error, NoEngine, RejectedFile, Unavailable
from ds01build.events import Note, Sent, Warned
from ds01build.workflow.registered import fetch_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ds01build.digest import Digest
    from ds01build.engine.api import Engine, Row
    from ds01build.engine.load import Loaded
    from ds01build.events import Report
    from ds01build.image import Image
    from ds01build.layer import Layer
    from ds01build.store import DirStore
    from ds01build.workflow.registered import Registered
    from ds01build.workflow.spools import Spools
    from ds01build.workflow.steps import Edges
    from ds01build.workflow.stored import Stored
__all__ = [
    "Cache",
    "InEngine",
    "Load",
    "Loader",
    "StoredLayers",
    "bring_base",
    "engine_for",
    "load_stored",
    "tidy",
]

Load = Literal["if-there", "always", "never"]

_CHUNK = 1 << 20  # bytes


class Cache(Protocol):
    """Derived facts that may be lost at any time."""

    def get(self, kind: str, key: str) -> object:
        """Return a fact, or None."""

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep a fact."""


def engine_for(load: Load, edges: Edges) -> Engine | None:
    """Return the engine that images are loaded into. Raises Unavailable where one has to be.

    An engine that is there or named and cannot be used is reported; none at all is no news.
    """
    if load == "never":
        return None
    try:
        return edges.engine()
    except Unavailable as error:
        if load == "always":
            raise
        if not isinstance(error, NoEngine):
            edges.report(Warned(f"the image is not loaded: {error}"))
        return None


def tidy(engine: Engine, rows: Sequence[Row] | None = None) -> None:
    """Remove what builds of this user left in ``engine`` that are no more.

    ``rows`` are its images, if the caller asked already.
    """
    owner = current()
    sweep(engine.client, owner)
    remove_intermediates(engine, owner.uid, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayers:
    """The tars of layers whose blobs a store has. How long one is, is remembered.

    ``spools`` may have the tars of those that were made just now. ``bring`` puts layers into the
    store that it has no longer, or never needed before.
    """

    store: DirStore
    cache: Cache
    report: Report
    spools: Spools | None
    bring: Callable[[Sequence[Layer]], None]

    def knows(self, layer: Layer) -> bool:
        """Say whether the length of a layer's tar is remembered."""
        return self._remembered(layer) is not None

    def plain_size(self, layer: Layer) -> int:
        """Return the bytes of a layer's tar; what is not remembered is inflated to count it."""
        known = self._remembered(layer)
        if known is not None:
            return known
        size = sum(map(len, self._inflated(layer)))
        self.cache.put("plain", str(layer.diff_id), size)
        return size

    def plain(self, layer: Layer) -> Iterator[bytes]:
        """Yield a layer's tar. An engine compares it with the diff_id by itself.

        Raises StoreError where the blob is not there, RejectedFile where it is damaged.
        """
        spooled = self.spools.take(layer.diff_id) if self.spools else None
        for piece in self._inflated(layer) if spooled is None else spooled:
            yield piece
            self.report(Sent(size=len(piece)))

    def _remembered(self, layer: Layer) -> int | None:
        known = self.cache.get("plain", str(layer.diff_id))
        return known if isinstance(known, int) and known >= 0 else None

    def _inflated(self, layer: Layer) -> Iterator[bytes]:
        if not self.store.has(layer.digest, layer.size):
            self.bring([layer])
        source = self.store.source(layer.digest)
        chunks = (source.read(at, _CHUNK) for at in range(0, source.size, _CHUNK))
        try:
            yield from inflated(layer, chunks)
        except RejectedFile as error:
            error.hint = "ds01 store verify --repair"
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class InEngine:
    """An image in an engine: the tag that moves, what the engine calls it, what it took."""

    tag: str
    engine_id: Digest
    sent: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Loads images of the store of ``edges`` into ``engine``; ``spools`` spare it to unpack."""

    engine: Engine
    edges: Edges
    spools: Spools | None = None

    def begin(self, base: Registered | None, labels: Mapping[str, str], own: int = 0) -> Loading:
        """Return an image of ``own`` layers over ``base`` on its way, to be used in ``with``.

        Layers of the base that neither engine nor store has are fetched first, and what killed
        builds of this user left in the engine is removed. ``labels`` are those of the image:
        images that share some are likely to share layers.
        """
        rows = None
        with contextlib.suppress(Ds01Error):  # what stays goes with the next build
            rows = self.engine.rows()
            tidy(self.engine, rows)
        self._bring(base, rows)
        return Loading(
            self.engine,
            self._source(base),
            this_builder(),
            base=_bare(base),
            labels=labels,
            height=own and own + (len(base.layers) if base else 0),
        )

    def finish(self, loading: Loading, name: str, image: Image) -> InEngine:
        """Make the engine have ``image`` under the tags of ``name``, and return what it took.

        The tag that moves does so last. Raises what the engine raises; until then it stands for
        what it stood for before.
        """
        uid = self.edges.store.uid
        tags = [fixed_tag(uid, name, image.config_digest), moving_tag(uid, name)]
        self.edges.report(Note("loading the image into the engine"))
        loaded = loading.finish(image.config, image.layers, tags)
        return InEngine(tag=tags[-1], engine_id=loaded.engine_id, sent=loaded.size)

    def intermediate(
        self,
        config: bytes,
        layers: Sequence[Layer],
        base: Registered | None,
        labels: Mapping[str, str],
    ) -> Loaded:
        """Make the engine have an image without a name, for a container that executes a tier.

        Its layers are looked for in images that share some of ``labels``, too.
        """
        self._bring(base)
        image = replace(_bare(base), config=config, layers=tuple(layers))
        there = nearby(self.engine, {**labels, **labels_of(config)}, image.base_digests)
        return send(self.engine, image, self._source(base), list(there))

    def _source(self, base: Registered | None) -> StoredLayers:
        edges = self.edges

        def bring(layers: Sequence[Layer]) -> None:
            theirs = [each for each in layers if base and each in base.layers]
            if base and theirs:
                _fetch(base, theirs, edges)

        return StoredLayers(
            store=edges.store,
            cache=edges.facts,
            report=edges.report,
            spools=self.spools,
            bring=bring,
        )

    def _bring(self, base: Registered | None, rows: Sequence[Row] | None = None) -> None:
        """Fetch together, of a base, what neither the engine has nor the store.

        ``rows`` are the images of the engine, if the caller asked already. What an engine has
        changes while one looks: the source brings the rest when it is asked.
        """
        if base is None:
            return
        layers = base.layers
        bare = _bare(base)
        known = look_up(self.engine, bare, nearby(self.engine, {}, bare.base_digests, rows))
        needed = list(layers[known.layers :])
        if self.engine.kind == "containerd":  # a manifest has the length of every plain layer
            source = self._source(base)
            unpacked = layers[known.compressed : known.layers]
            needed += [each for each in unpacked if not source.knows(each)]
        missing = [each for each in needed if not self.edges.store.has(each.digest, each.size)]
        if missing:
            _fetch(base, missing, self.edges)


def load_stored(stored: Stored, edges: Edges) -> InEngine:
    """Load an image of the store into the engine, under the tags of its name."""
    with edges.store.lease(stored.blobs()):
        return _load_stored(stored, edges)


def _load_stored(stored: Stored, edges: Edges) -> InEngine:
    image, base = stored.image(), stored.base()
    engine_loader = Loader(engine=edges.engine(), edges=edges)
    own = image.layers[len(base.layers) if base else 0 :]
    with engine_loader.begin(base, labels_of(image.config)) as loading:
        for layer in own:
            loading.add(layer)
        return engine_loader.finish(loading, stored.name, image)


def bring_base(stored: Stored, edges: Callable[[], Edges]) -> None:
    """Fetch the layers of the base of an image that the store does not have."""
    base = stored.base()
    missing = (
        [each for each in base.layers if not stored.path(each.digest).exists()] if base else []
    )
    if base and missing:
        _fetch(base, missing, edges())


def _fetch(base: Registered, layers: Sequence[Layer], edges: Edges) -> None:
    fetch_layers(
        base.reference,
        layers,
        registry=edges.bases.registry,
        store=edges.store,
        tell=edges.report,
    )


def _bare(base: Registered | None) -> Loadable:
    """Return a base as the lowest part of an image, and by what registries know it."""
    layers, digest = (base.layers, base.reference.digest) if base else ((), None)
    digests = frozenset({digest} if digest else ())
    return Loadable(config=b"", layers=layers, base=len(layers), base_digests=digests)
