"""Loads an image into an engine: only missing layers travel, and the outcome is verified."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.engine import archive
from ds01build.engine.api import shown
from ds01build.engine.archive import Known
from ds01build.engine.known import look_up
from ds01build.errors import Ds01Error, MismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ds01build.digest import DiffId
    from ds01build.engine.api import Engine, EngineImage
    from ds01build.engine.archive import Archive, Loadable, PlainLayers

__all__ = ["Loaded", "load", "send", "send_above"]

# What engines say of a layer that was left out though they do not have it: a graph driver names a
# file of the archive, a containerd store a blob.
_LACKING = re.compile(r"no such file or directory|not found")
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load came to."""

    engine_id: Digest  # the image's name in this engine: containers are created from it
    size: int  # bytes that travelled, with what was sent in vain
    layers: tuple[DiffId, ...]  # that travelled


def load(engine: Engine, image: Loadable, source: PlainLayers, tags: Sequence[str] = ()) -> Loaded:
    """Make ``engine`` have ``image``, and let ``tags`` stand for it once it is complete.

    The last tag moves last. Raises Ds01Error with what the engine says, MismatchError if it made
    another image, Unavailable if it stopped answering; no tag has moved then.
    """
    loaded = send(engine, image, source)
    for tag in tags:
        engine.tag(loaded.engine_id, tag)
    return loaded


def send(
    engine: Engine,
    image: Loadable,
    source: PlainLayers,
    there: Iterable[EngineImage] | None = None,
) -> Loaded:
    """Make ``engine`` have ``image``, without a name. Raises as ``load`` does.

    ``there`` are images that it has, if the caller asked already. A layer that was thought to be
    there and is not, because somebody removed it meanwhile, is sent on a second attempt.
    """
    known = look_up(engine, image, there)
    problem, size = _attempt(engine, image, known, source)
    if problem and known.layers and _LACKING.search(problem):
        found = look_up(engine, image, None)
        # An engine that still claims to have it lists an image which it never unpacked.
        known = found if found.layers < known.layers else Known()
        problem, more = _attempt(engine, image, known, source)
        size += more
    return _loaded(engine, image, known, source, (problem, size))


def send_above(
    engine: Engine,
    image: Loadable,
    known: Known,
    source: PlainLayers,
    before_end: Callable[[], None],
) -> Loaded:
    """Make ``engine`` have ``image``, which will have its ``known`` layers by the archive's end.

    An engine receives the whole of an archive before it reads it. ``before_end`` is called when all
    but the last piece was sent, and returns when the engine has those layers; what it raises breaks
    the load off. Raises as ``load`` does, also where a layer is lacking after all.
    """
    outcome = _attempt(engine, image, known, source, before_end)
    return _loaded(engine, image, known, source, outcome)


def _loaded(
    engine: Engine, image: Loadable, known: Known, source: PlainLayers, outcome: tuple[str, int]
) -> Loaded:
    """Return what a load came to. Raises what the engine's objection means, if there is one."""
    problem, size = outcome
    if problem:
        raise _refused(engine, problem)
    sent = (layer.diff_id for layer in image.layers[known.layers :])
    return Loaded(
        engine_id=_verified(engine, image, known, source),
        size=size,
        layers=tuple(dict.fromkeys(sent)),
    )


def _attempt(
    engine: Engine,
    image: Loadable,
    known: Known,
    source: PlainLayers,
    before_end: Callable[[], None] = lambda: None,
) -> tuple[str, int]:
    """Send ``image`` without its lowest ``known`` layers.

    Returns what the engine objects to, and the bytes that travelled.
    """
    form = archive.oci_archive if engine.kind == "containerd" else archive.docker_archive
    name = str(_engine_id(engine, image, known, source))
    is_new = engine.inspect(name) is None
    travelling = _Travelling(form(image, known, source), before_end)
    problem = engine.load(travelling)
    if not problem and engine.kind == "containerd" and not engine.lists(name):
        problem = "blobs of its layers were not found"  # which this store notices when it lists
    if problem and is_new and engine.kind == "containerd":
        _withdraw(engine, name)
    return problem, travelling.size


def _withdraw(engine: Engine, name: str) -> None:
    """Remove an image that a containerd store lists although it could not unpack it."""
    image = engine.inspect(name)
    if image is not None and not image.tags:
        engine.remove(name)


def _engine_id(engine: Engine, image: Loadable, known: Known, source: PlainLayers) -> Digest:
    if engine.kind == "containerd":
        return Digest.of(archive.manifest(image, known, source))
    return image.config_digest


def _verified(engine: Engine, image: Loadable, known: Known, source: PlainLayers) -> Digest:
    """Return the name of the image in the engine, after making sure that it is what was sent."""
    expected = _engine_id(engine, image, known, source)
    found = engine.inspect(str(expected))
    if found is None:
        raise _mismatch(engine, str(expected), "no such image")
    if found.diff_ids != tuple(layer.diff_id for layer in image.layers):
        raise _mismatch(engine, "the layers of the image", "others")
    return found.engine_id


def _mismatch(engine: Engine, expected: str, actual: str) -> MismatchError:
    return MismatchError(
        where=f"the image loaded into the engine at {engine.place}",
        expected=expected,
        actual=actual,
    )


def _refused(engine: Engine, problem: str) -> Ds01Error:
    hint = "docker system df" if _FULL.search(problem) else ""
    return Ds01Error(f"the engine at {engine.place} did not load the image: {shown(problem)}", hint)


class _Travelling:
    """An archive that counts what was read of it, and calls ``before_end`` ahead of its end."""

    def __init__(self, whole: Archive, before_end: Callable[[], None]) -> None:
        self.size = 0
        self._whole = whole
        self._before_end = before_end

    def __len__(self) -> int:
        return len(self._whole)

    def __iter__(self) -> Iterator[bytes]:
        held = b""
        for piece in self._whole:
            self.size += len(held)
            yield held
            held = piece
        self._before_end()
        self.size += len(held)
        yield held
