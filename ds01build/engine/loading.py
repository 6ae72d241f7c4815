"""Loads the layers of an image into an engine while later ones are still being made."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from ds01build.engine import intermediate
from ds01build.engine.archive import Known, Loadable
from ds01build.engine.known import find_known, look_up, nearby
from ds01build.engine.load import Loaded, send, send_above
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from ds01build.engine.api import Engine, EngineImage
    from ds01build.engine.archive import PlainLayers
    from ds01build.engine.intermediate import Builder
    from ds01build.layer import Layer

__all__ = ["Loading"]

_LEAST = 16 << 20  # bytes of stored layers that are worth an image of their own
_LEAST_IDLE = 4 << 20  # the same, while the engine has nothing to do and more layers are to come
_SENDERS = 2  # one run is received while the engine unpacks the one below it
_NOTHING = Loadable(config=b"", layers=())
_PATIENCE = 2.0  # seconds for the engine to notice that nothing more comes


@dataclass(frozen=True, slots=True)
class _Run:
    """Layers that travel together: all of ``layers`` but the ``known`` ones below."""

    number: int
    layers: tuple[Layer, ...]
    known: Known


@final
class Loading:
    """An image on its way into an engine, to be used in a ``with`` block.

    ``add`` takes layers from the lowest up and returns at once; threads send them as intermediate
    images, each upon the one before. What goes wrong there is no error yet: ``finish`` sends
    whatever the engine lacks. ``labels`` of the image to come help to find others in the engine
    that have its layers; ``height`` is how many layers it will have, 0 where nobody knows.
    """

    def __init__(
        self,
        engine: Engine,
        source: PlainLayers,
        builder: Builder,
        *,
        base: Loadable = _NOTHING,
        labels: Mapping[str, str] | None = None,
        height: int = 0,
    ) -> None:
        self._engine = engine
        self._source = source
        self._builder = builder
        self._base = base
        self._labels = labels or {}
        self._height = height
        self._layers = list(base.layers)
        self._changed = threading.Condition()
        self._is_ending = self._is_hurried = self._has_failed = False
        self._there: list[EngineImage] | None = None  # None until the engine was asked
        self._known = Known()  # what it has, with what is on its way
        self._runs = 0
        self._sent: list[Loaded] = []  # one for each run, in order
        self._senders = [
            threading.Thread(target=self._work, name=f"ds01-load-{number}", daemon=True)
            for number in range(_SENDERS)
        ]
        self._starter = threading.Thread(target=self._start, name="ds01-load", daemon=True)

    def __enter__(self) -> Loading:
        self._starter.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and remove the intermediate images; those of a dead process go with the next."""
        self._end(hurried=True)
        if self.wait(_PATIENCE):
            with contextlib.suppress(Ds01Error):  # what stays is removed by the next build
                self._remove(self._sent)

    def add(self, layer: Layer) -> None:
        """Take the next layer up. Its tar has to be there for as long as the block runs."""
        with self._changed:
            self._layers.append(layer)
            self._changed.notify_all()

    def finish(self, config: bytes, layers: Sequence[Layer], tags: Iterable[str] = ()) -> Loaded:
        """Make the engine have the image, and then let ``tags`` stand for it, the last one last.

        Raises as ``load`` does; no tag has moved then.
        """
        self._end(hurried=False)
        self.wait()
        whole = send(self._engine, self._image(config, layers), self._source, self._there)
        for tag in tags:
            self._engine.tag(whole.engine_id, tag)
        parts = (*self._sent, whole)
        return Loaded(
            engine_id=whole.engine_id,
            size=sum(part.size for part in parts),
            layers=tuple(dict.fromkeys(diff_id for part in parts for diff_id in part.layers)),
        )

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being sent ahead, and say whether that is so."""
        end = None if seconds is None else time.monotonic() + seconds
        for thread in (self._starter, *self._senders):
            if thread.ident is not None:
                thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in (self._starter, *self._senders))

    def _end(self, *, hurried: bool) -> None:
        with self._changed:
            self._is_ending = True
            self._is_hurried = hurried
            self._changed.notify_all()

    def _start(self) -> None:
        """Ask what the engine has, and start to send. Its objections can wait."""
        if self._engine.kind == "podman":  # takes no archive with layers left out
            return
        with contextlib.suppress(Ds01Error):
            self._there = list(nearby(self._engine, self._labels, self._base.base_digests))
            self._known = look_up(self._engine, self._base, self._there)
            for thread in self._senders:
                thread.start()

    def _work(self) -> None:
        """Send what was added, until there is no more or something fails."""
        try:
            while (run := self._next()) is not None:
                self._send(run)
        except (Ds01Error, _Hurried):
            with self._changed:
                self._has_failed = True
                self._changed.notify_all()

    def _next(self) -> _Run | None:
        """Wait for enough to send, and return the lowest run of it; None at the end."""
        with self._changed:
            while not self._is_hurried and not self._has_failed:
                run = self._ready()
                if run is not None:
                    self._runs += 1
                    self._known = replace(self._known, layers=len(run.layers))
                    return run
                if self._is_ending:
                    return None
                self._changed.wait()
        return None

    def _ready(self) -> _Run | None:
        layers = tuple(self._layers)
        found = find_known(self._engine.kind, self._image(b"", layers), self._there or ())
        known = replace(self._known, layers=max(found.layers, self._known.layers))
        size, least = 0, self._least()
        for place in range(known.layers, len(layers)):
            size += layers[place].size
            if size >= least:
                return _Run(self._runs, layers[: place + 1], known)
        return None

    def _least(self) -> int:
        is_idle = self._runs == len(self._sent)
        return _LEAST_IDLE if is_idle and len(self._layers) < self._height else _LEAST

    def _send(self, run: _Run) -> None:
        config = intermediate.config(run.layers, self._builder, self._engine.architecture)
        image = self._image(config, run.layers)
        loaded = send_above(self._engine, image, run.known, self, lambda: self._follow(run))
        found = self._engine.inspect(str(loaded.engine_id))
        with self._changed:
            earlier = self._sent[-1:]
            self._sent.append(loaded)
            if self._there is not None and found is not None:
                self._there.append(found)
            self._changed.notify_all()
        self._remove(earlier)

    def _follow(self, run: _Run) -> None:
        """Wait until the engine has the runs below."""
        with self._changed:
            while len(self._sent) < run.number:
                if self._is_hurried or self._has_failed:
                    raise _Hurried
                self._changed.wait()

    def _remove(self, parts: Iterable[Loaded]) -> None:
        for part in parts:
            self._engine.remove(str(part.engine_id))

    def _image(self, config: bytes, layers: Sequence[Layer]) -> Loadable:
        return replace(self._base, config=config, layers=tuple(layers))

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
