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
    from collections.abc import Iterable, Iterator, Sequence

    from ds01build.digest import DiffId
    from ds01build.engine.api import Engine, EngineImage
    from ds01build.engine.archive import Loadable, PlainLayers

__all__ = ["Loaded", "load", "send"]

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
    counter = _Counter()
    problem = _attempt(engine, image, known, source, counter)
    if problem and known.layers and _LACKING.search(problem):
        found = look_up(engine, image, None)
        # An engine that still claims to have it lists an image which it never unpacked.
        known = found if found.layers < known.layers else Known()
        problem = _attempt(engine, image, known, source, counter)
    if problem:
        raise _refused(engine, problem)
    sent = (layer.diff_id for layer in image.layers[known.layers :])
    return Loaded(
        engine_id=_verified(engine, image, known, source),
        size=counter.size,
        layers=tuple(dict.fromkeys(sent)),
    )


def _attempt(
    engine: Engine, image: Loadable, known: Known, source: PlainLayers, counter: _Counter
) -> str:
    """Send ``image`` without its lowest ``known`` layers, and return what the engine objects to."""
    form = archive.oci_archive if engine.kind == "containerd" else archive.docker_archive
    name = str(_engine_id(engine, image, known, source))
    is_new = engine.inspect(name) is None
    problem = engine.load(counter.counted(archive.chunks(form(image, known, source))))
    if not problem and engine.kind == "containerd" and not engine.lists(name):
        problem = "blobs of its layers were not found"  # which this store notices when it lists
    if problem and is_new and engine.kind == "containerd":
        _withdraw(engine, name)
    return problem


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


class _Counter:
    """Counts what travels."""

    def __init__(self) -> None:
        self.size = 0

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.size += len(piece)
            yield piece
