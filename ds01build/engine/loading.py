"""Loads the layers of an image into an engine while later ones are still being made."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, final

from ds01build.engine import intermediate
from ds01build.engine.archive import Loadable
from ds01build.engine.known import find_known, nearby
from ds01build.engine.load import Loaded, send
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from ds01build.digest import Digest
    from ds01build.engine.api import Engine, EngineImage
    from ds01build.engine.archive import PlainLayers
    from ds01build.engine.intermediate import Builder
    from ds01build.layer import Layer

__all__ = ["Loading"]

_LEAST = 16 << 20  # bytes of stored layers that are worth an image of their own
_PATIENCE = 2.0  # seconds for the engine to notice that nothing more comes


@final
class Loading:
    """An image on its way into an engine, to be used in a ``with`` block.

    ``add`` takes layers from the lowest up and returns at once; a thread sends them as intermediate
    images. What goes wrong there is no error yet: ``finish`` sends whatever the engine lacks.
    ``labels`` of the image to come help to find others in the engine that have its layers.
    """

    def __init__(
        self,
        engine: Engine,
        source: PlainLayers,
        builder: Builder,
        *,
        base: Sequence[Layer] = (),
        base_digests: frozenset[Digest] = frozenset(),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._engine = engine
        self._source = source
        self._builder = builder
        self._base = len(base)
        self._base_digests = base_digests
        self._labels = labels or {}
        self._layers = list(base)
        self._changed = threading.Condition()
        self._is_ending = self._is_hurried = False
        self._there: list[EngineImage] | None = None  # None until the engine was asked
        self._sent: list[Loaded] = []
        self._thread = threading.Thread(target=self._work, name="ds01-load", daemon=True)

    def __enter__(self) -> Loading:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and remove the intermediate images; those of a dead process go with the next."""
        self._end(hurried=True)
        self._thread.join(_PATIENCE)
        if not self._thread.is_alive():
            with contextlib.suppress(Ds01Error):  # what stays is removed by the next build
                self._remove(self._sent)

    def add(self, layer: Layer) -> None:
        """Take the next layer up. Its tar has to be there for as long as the block runs."""
        with self._changed:
            self._layers.append(layer)
            self._changed.notify()

    def finish(self, config: bytes, layers: Sequence[Layer], tags: Iterable[str] = ()) -> Loaded:
        """Make the engine have the image, and then let ``tags`` stand for it, the last one last.

        Raises as ``load`` does; no tag has moved then.
        """
        self._end(hurried=False)
        self._thread.join()
        whole = send(self._engine, self._image(config, layers), self._source, self._there)
        for tag in tags:
            self._engine.tag(whole.engine_id, tag)
        parts = (*self._sent, whole)
        return Loaded(
            engine_id=whole.engine_id,
            size=sum(part.size for part in parts),
            layers=tuple(dict.fromkeys(diff_id for part in parts for diff_id in part.layers)),
        )

    def _end(self, *, hurried: bool) -> None:
        with self._changed:
            self._is_ending = True
            self._is_hurried = hurried
            self._changed.notify()

    def _work(self) -> None:
        """Send what was added, until there is no more. The engine's objections can wait."""
        with contextlib.suppress(Ds01Error, _Hurried):
            self._there = list(nearby(self._engine, self._labels, self._base_digests))
            while (layers := self._next()) is not None:
                self._send(layers)

    def _next(self) -> tuple[Layer, ...] | None:
        """Wait for enough to send, and return all layers so far; None at the end."""
        with self._changed:
            while not self._is_ending:
                layers = tuple(self._layers)
                known = self._known(layers)
                if sum(layer.size for layer in layers[known:]) >= _LEAST:
                    return layers
                self._changed.wait()
        return None

    def _known(self, layers: Sequence[Layer]) -> int:
        image = self._image(b"", layers)
        return find_known(self._engine.kind, image, self._there or ()).layers

    def _send(self, layers: tuple[Layer, ...]) -> None:
        config = intermediate.config(layers, self._builder, self._engine.architecture)
        loaded = send(self._engine, self._image(config, layers), self, self._there)
        earlier = self._sent[-1:]
        self._sent.append(loaded)
        found = self._engine.inspect(str(loaded.engine_id))
        if self._there is not None and found is not None:
            self._there.append(found)
        self._remove(earlier)

    def _remove(self, parts: Iterable[Loaded]) -> None:
        for part in parts:
            self._engine.remove(str(part.engine_id))

    def _image(self, config: bytes, layers: Sequence[Layer]) -> Loadable:
        return Loadable(
            config=config,
            layers=tuple(layers),
            base=self._base,
            base_digests=self._base_digests,
        )

    def plain_size(self, layer: Layer) -> int:
        """Return the bytes of a layer's tar."""
        return self._source.plain_size(layer)

    def plain(self, layer: Layer) -> Iterator[bytes]:
        """Yield a layer's tar, but break off when nobody waits for it any more."""
        for piece in self._source.plain(layer):
            if self._is_hurried:
                raise _Hurried
            yield piece


class _Hurried(Exception):
    """A load was given up."""
