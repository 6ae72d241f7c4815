"""Puts an image of the store into an engine: only what it lacks travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ds01build.base.unpack import unpacked
from ds01build.engine.archive import Loadable
from ds01build.engine.connect import ABSENT
from ds01build.engine.load import find_known, load
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.errors import Unavailable
from ds01build.events import Note
from ds01build.lock import LockedImage
from ds01build.workflow.downloads import fetch_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ds01build.digest import Digest
    from ds01build.engine.api import Engine
    from ds01build.engine.load import Loaded
    from ds01build.events import Report
    from ds01build.image import Image
    from ds01build.layer import Layer
    from ds01build.lock import Lock, LockedBase
    from ds01build.store import DirStore
    from ds01build.workflow.steps import Edges

__all__ = [
    "Cache",
    "InEngine",
    "Load",
    "Loader",
    "StoredLayers",
    "engine_for",
    "load_image",
    "loader",
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
    """Return the engine that images are loaded into. Raises Unavailable where one has to be."""
    if load == "never":
        return None
    try:
        return edges.engine()
    except Unavailable as error:
        if load == "always":
            raise
        if error.hint != ABSENT:  # there is one, and it could not be used
            edges.report(Note(f"the image is not loaded: {error}"))
        return None


def load_image(image: Image, lock: Lock, engine: Engine, edges: Edges) -> InEngine:
    """Load an image of the store into ``engine`` under the tags of its name."""
    return loader(engine, edges).load(lock.name, image.config, image.layers, lock.base)


def loader(engine: Engine, edges: Edges) -> Loader:
    """Return what loads images of the store of ``edges``."""
    return Loader(
        engine=engine,
        source=StoredLayers(store=edges.store, cache=edges.facts),
        fetch=lambda base, layers: fetch_layers(base, layers, edges),
        report=edges.report,
        uid=edges.store.uid,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayers:
    """The tars of layers whose blobs a store has. How long one is, is remembered."""

    store: DirStore
    cache: Cache

    def plain_size(self, layer: Layer) -> int:
        """Return the bytes of a layer's tar; what is not remembered is inflated to count it."""
        known = self.cache.get("plain", str(layer.diff_id))
        if isinstance(known, int) and known >= 0:
            return known
        size = sum(len(piece) for piece in self.plain(layer))
        self.cache.put("plain", str(layer.diff_id), size)
        return size

    def plain(self, layer: Layer) -> Iterator[bytes]:
        """Yield a layer's tar. Raises MismatchError where its bytes are not those of its names."""
        source = self.store.source(layer.digest)
        chunks = (source.read(at, _CHUNK) for at in range(0, source.size, _CHUNK))
        return iter(unpacked(layer, chunks))


@dataclass(frozen=True, slots=True, kw_only=True)
class InEngine:
    """An image in an engine: the tag that moves, what the engine calls it, what it took."""

    tag: str
    engine_id: Digest
    sent: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Loads images for a user; ``fetch`` brings layers of a base into the store."""

    engine: Engine
    source: StoredLayers
    fetch: Callable[[LockedImage, Sequence[Layer]], None]
    report: Report
    uid: int

    def load(
        self, name: str, config: bytes, layers: tuple[Layer, ...], base: LockedBase
    ) -> InEngine:
        """Make the engine have an image under the tags of ``name``, and return what it took.

        The tag that moves does so last. Raises what engine and registry raise; until then it
        stands for what it stood for before.
        """
        image = loadable(config, layers, base)
        tags = [fixed_tag(self.uid, name, image.config_digest), moving_tag(self.uid, name)]
        loaded = self._load(image, base, tags)
        return InEngine(tag=tags[-1], engine_id=loaded.engine_id, sent=loaded.size)

    def intermediate(self, config: bytes, layers: tuple[Layer, ...], base: LockedBase) -> Loaded:
        """Make the engine have an image without a name, for a container that executes a tier."""
        return self._load(loadable(config, layers, base), base, [])

    def _load(self, image: Loadable, base: LockedBase, tags: Sequence[str]) -> Loaded:
        known = find_known(self.engine.kind, image, self.engine.images())
        missing = image.layers[known.layers :]
        below = [layer for layer in missing if not self.source.store.has(layer.digest, layer.size)]
        if below and isinstance(base, LockedImage):
            self.fetch(base, below)
        self.report(Note(f"loading {len(missing)} layers into the engine"))
        return load(self.engine, image, self.source, tags)


def loadable(config: bytes, layers: Iterable[Layer], base: LockedBase) -> Loadable:
    """Return an image over ``base`` as an engine gets it."""
    if not isinstance(base, LockedImage):
        return Loadable(config=config, layers=tuple(layers))
    return Loadable(
        config=config,
        layers=tuple(layers),
        base=len(base.layers),
        base_digests=frozenset({base.manifest}),
    )
