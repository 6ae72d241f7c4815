"""Manifests of a store's images: what they name, read with suspicion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.image import BASE_LAYERS, MANIFEST_TYPE
from ds01build.store.sealed import parse_json

if TYPE_CHECKING:
    from ds01build.digest import Canonical
    from ds01build.store import DirStore

__all__ = ["LIMIT", "Part", "document", "needed", "parts"]

LIMIT = 64 * 1024 * 1024  # bytes of a manifest, row or index

_COUNT = re.compile(r"[0-9]{1,3}")

Part = tuple[Digest, int]  # of an image, with its size in bytes


def needed(store: DirStore, manifest: Digest) -> tuple[Part, ...]:
    """Return the configuration of an image and the layers that the store has to have.

    Raises ValueError where it is not an image, and StoreError where its manifest is not there.
    """
    config, layers = parts(store, manifest)
    return config, *layers[_base_layers(store, manifest) :]


def parts(store: DirStore, manifest: Digest) -> tuple[Part, list[Part]]:
    """Return the configuration and the layers of an image. Raises ValueError."""
    found = document(store, manifest)
    layers = found.get("layers")
    if found.get("mediaType") != MANIFEST_TYPE or not isinstance(layers, list):
        raise ValueError("not a manifest of an image")
    return _part(found.get("config")), [_part(one) for one in layers]


def _base_layers(store: DirStore, manifest: Digest) -> int:
    """Return how many layers are those of a base: they are fetched only for who needs them."""
    annotations = document(store, manifest).get("annotations")
    count = annotations.get(BASE_LAYERS) if isinstance(annotations, dict) else None
    return int(count) if isinstance(count, str) and _COUNT.fullmatch(count) else 0


def _part(value: Canonical) -> Part:
    if not isinstance(value, dict):
        raise ValueError("not a descriptor")  # noqa: TRY004 (of the file, not of a caller)
    digest, size = value.get("digest"), value.get("size")
    if type(size) is not int or not isinstance(digest, str):
        raise ValueError("not a descriptor")
    return Digest(digest), size


def document(store: DirStore, digest: Digest) -> dict[str, Canonical]:
    """Return the JSON object of a blob. Raises ValueError, and StoreError where it isn't there."""
    source = store.source(digest)
    if source.size > LIMIT:
        raise ValueError(f"{source.size} bytes of JSON")
    found = parse_json(source.read(0, source.size))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 (of the file, not of a caller)
    return found
