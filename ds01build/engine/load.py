"""Loads an image into an engine: only missing layers travel, and the outcome is verified."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.engine import archive, intermediate
from ds01build.engine.api import shown
from ds01build.engine.archive import Known
from ds01build.errors import Ds01Error, MismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ds01build.digest import DiffId
    from ds01build.engine.api import Engine, EngineImage, Kind
    from ds01build.engine.archive import Loadable, PlainLayers
    from ds01build.layer import Layer

__all__ = ["Loaded", "find_known", "load", "send"]

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
    known = _looked_up(engine, image, engine.images() if there is None else there)
    counter = _Counter()
    problem = _attempt(engine, image, known, source, counter)
    if problem and known.layers and _LACKING.search(problem):
        found = _looked_up(engine, image, engine.images())
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


def find_known(kind: Kind, image: Loadable, there: Iterable[EngineImage]) -> Known:
    """Return which layers of ``image`` an engine has whose images are ``there``.

    An engine keeps a layer together with all below it, so it is known there by the way down.
    """
    if kind == "podman":  # takes no archive with layers left out
        return Known()
    wanted = [layer.diff_id for layer in image.layers]
    depth, is_pulled = 0, False
    for each in there:
        depth = max(depth, _common(each.diff_ids, wanted))
        is_pulled = is_pulled or not image.base_digests.isdisjoint(each.digests)
    return Known(max(depth, image.base), image.base) if is_pulled else Known(depth)


def _looked_up(engine: Engine, image: Loadable, there: Iterable[EngineImage]) -> Known:
    """Return what ``engine`` has of ``image``, also where only trying can tell."""
    known = find_known(engine.kind, image, there)
    is_in_doubt = 0 < image.base <= known.layers and not known.compressed
    if engine.kind == "containerd" and is_in_doubt and _holds(engine, image):
        return Known(known.layers, image.base)
    return known


def _holds(engine: Engine, image: Loadable) -> bool:
    """Say whether a containerd store has the blobs of a base whose own name is gone.

    They stay for as long as an image made upon it does, but no answer of the engine lists blobs.
    """
    layers = image.layers[: image.base]
    config = intermediate.config(layers, intermediate.this_builder(), engine.architecture)
    bare, known = replace(image, config=config, layers=layers), Known(image.base, image.base)
    name = str(Digest.of(archive.manifest(bare, known, _Nothing())))
    problem = engine.load(archive.oci_archive(bare, known, _Nothing()))
    has_all = not problem and engine.lists(name)
    engine.remove(name)
    return has_all


def _common(first: Sequence[DiffId], second: Sequence[DiffId]) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


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


class _Nothing:
    """Has no layers."""

    def plain_size(self, layer: Layer) -> int:
        raise LookupError(layer.diff_id)

    def plain(self, layer: Layer) -> Iterator[bytes]:
        raise LookupError(layer.diff_id)


class _Counter:
    """Counts what travels."""

    def __init__(self) -> None:
        self.size = 0

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.size += len(piece)
            yield piece
