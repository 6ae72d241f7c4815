"""What an image needs of a store: read from its manifest, or that of an index of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.store.durable import read_own
from ds01build.store.sealed import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.digest import Canonical
    from ds01build.store import DirStore

__all__ = ["reached"]

_LIMIT = 64 * 1024 * 1024  # bytes of a manifest
_LISTS = ("layers", "manifests", "blobs")  # OCI image-spec: manifest.md, image-index.md; artifacts
_SINGLE = ("config", "subject")
_MANIFESTS = ("manifests", "subject")  # of these the documents are looked into


def reached(store: DirStore, image: Digest) -> frozenset[Digest] | None:
    """Return the blobs that a manifest names, itself among them, whether they are there or not.

    None where a manifest is missing or damaged.
    """
    found, waiting = {image}, [image]
    while waiting:
        document = _document(store, waiting.pop())
        if document is None:
            return None
        named = dict(_named(document))
        waiting += [
            each for each, is_manifest in named.items() if is_manifest and each not in found
        ]
        found.update(named)
    return frozenset(found)


def _document(store: DirStore, digest: Digest) -> dict[str, Canonical] | None:
    content = read_own(store.path(digest), uid=store.uid, limit=_LIMIT)
    if content is None or Digest.of(content) != digest:
        return None
    try:
        document = parse_json(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _named(document: dict[str, Canonical]) -> Iterator[tuple[Digest, bool]]:
    """Yield the digests of all descriptors, and whether each is of a manifest."""
    for member in (*_SINGLE, *_LISTS):
        value = document.get(member)
        for one in value if isinstance(value, list) else [value]:
            digest = one.get("digest") if isinstance(one, dict) else None
            if isinstance(digest, str):
                yield Digest(digest), member in _MANIFESTS
