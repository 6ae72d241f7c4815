"""Does to a store what a build does, once: run as ``python store_writer.py STORE``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from store_contract import layer_of

from ds01build.digest import Digest, Key, canonical
from ds01build.errors import StoreError
from ds01build.store import open_store, roots
from ds01build.store.roots import Generation

CONTENT = b"layer " * 50_000
KEY = Key.of({"a": 1})
CONFIG = b"{}"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = canonical(
    {
        "mediaType": MANIFEST_TYPE,
        "config": {"digest": str(Digest.of(CONFIG)), "size": len(CONFIG)},
        "layers": [{"digest": str(Digest.of(CONTENT)), "size": len(CONTENT)}],
    }
)


def write(root: Path) -> int:
    """Store a layer and an image of it, and return the number of its generation."""
    store = open_store(root, uid=os.geteuid())
    with store.lease([Digest.of(CONTENT)]), store.lock(KEY, lambda _: None):
        with store.writer(Digest.of(CONTENT), len(CONTENT)) as writer:
            for start in range(0, len(CONTENT), 100_000):
                writer.write(CONTENT[start : start + 100_000])
            writer.commit()
        store.record(KEY, layer_of(CONTENT), {"a": 1})
    store.put(CONFIG)
    image = store.put(MANIFEST)
    size = len(MANIFEST)
    for name in (f"a@{image}", "a"):
        store.tag(name, manifest=image, size=size, media_type=MANIFEST_TYPE, annotations={})
    created = "2026-11-01T12:00:00Z"
    return roots.append(store.root, "a", Generation(image=image, lock=None, created=created)).number


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except StoreError as error:
        sys.exit(f"refused: {error}")
