"""Which layers of an image an engine has already: asked of the images that resemble it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.engine import archive, intermediate
from ds01build.engine.api import attempted
from ds01build.engine.archive import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ds01build.digest import DiffId
    from ds01build.engine.api import Engine, EngineImage, Kind, Row
    from ds01build.engine.archive import Loadable
    from ds01build.layer import Layer

__all__ = ["find_known", "labels_of", "look_up", "nearby"]

# An answer about one image takes an engine milliseconds, on a busy machine 35, and it may have
# hundreds. Those which share labels with the image in question are asked about first.
_KIN, _OTHERS = 64, 256


def nearby(
    engine: Engine,
    labels: Mapping[str, str],
    base_digests: frozenset[Digest],
    rows: Sequence[Row] | None = None,
) -> Iterator[EngineImage]:
    """Yield the images of ``engine`` that may have layers of one with those labels and base.

    The likeliest come first: ds01 labels an image with the key of each tier. ``rows`` are its
    images, if the caller asked already. None does where the engine fails to list them: any damaged
    image is enough for that.
    """
    if rows is None:
        rows = attempted(engine.rows) or ()
    bases = [row for row in rows if not base_digests.isdisjoint(row.digests)]
    kin = sorted(
        (row for row in rows if row.labels.items() & labels.items()),
        key=lambda row: len(row.labels.items() & labels.items()),
        reverse=True,
    )
    yield from engine.described([*bases, *kin[:_KIN]])
    if not bases if base_digests else not kin:
        yield from engine.described(rows[:_OTHERS])


def labels_of(config: bytes) -> dict[str, str]:
    """Return the labels of a configuration, none for one that is not JSON."""
    with suppress(ValueError, AttributeError, KeyError, TypeError):
        return dict(json.loads(config)["config"].get("Labels") or {})
    return {}


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
        if depth == len(wanted) and (is_pulled or not image.base):
            break
    return Known(max(depth, image.base), image.base) if is_pulled else Known(depth)


def look_up(engine: Engine, image: Loadable, there: Iterable[EngineImage] | None) -> Known:
    """Return what ``engine`` has of ``image``, also where only trying can tell.

    ``there`` are images that it has, if the caller asked already.
    """
    if there is None:
        there = nearby(engine, labels_of(image.config), image.base_digests)
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


class _Nothing:
    """Has no layers."""

    def plain_size(self, layer: Layer) -> int:
        raise LookupError(layer.diff_id)

    def plain(self, layer: Layer) -> Iterator[bytes]:
        raise LookupError(layer.diff_id)
