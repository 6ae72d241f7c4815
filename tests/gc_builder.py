"""Builds one small image after another: run as ``python gc_builder.py STORE NAME SECONDS``.

Does what a build does: finds or makes layers that other builders make too, and checks at its end,
before its lease ends, that all of the image is there.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from store_contract import layer_of

from ds01build.digest import Digest, Key, canonical
from ds01build.image import MANIFEST_TYPE
from ds01build.store import open_store, roots
from ds01build.store.roots import Generation

CHOICES = 24  # layers that there are, of which each image has some


def build(root: Path, name: str, chance: random.Random) -> None:
    """Make one image, and raise AssertionError if a part of it is gone."""
    store = open_store(root, uid=os.geteuid())
    parts = []
    with store.lease([]):
        for number in sorted(chance.sample(range(CHOICES), 6)):
            content, key = b"layer %d " % number * 500, Key.of({"layer": number})
            with store.lock(key, lambda _: None):
                found = store.layer(key)
                if found is None:
                    store.put(content)
                    store.record(key, found := layer_of(content), {"layer": number})
            parts.append(found)
            time.sleep(chance.random() / 100)
        config = store.put(canonical({"of": [str(part.diff_id) for part in parts]}))
        manifest = canonical(
            {
                "mediaType": MANIFEST_TYPE,
                "config": {"digest": str(config), "size": store.source(config).size},
                "layers": [{"digest": str(one.digest), "size": one.size} for one in parts],
            }
        )
        image = store.put(manifest)
        kind, size = MANIFEST_TYPE, len(manifest)
        store.tag(f"{name}@{image}", manifest=image, size=size, media_type=kind, annotations={})
        made = Generation(image=image, lock=None, created="2026-11-01T12:00:00Z")
        number = roots.append(store.root, name, made).number
        notes = {roots.CURRENT: str(number)}
        store.tag(name, manifest=image, size=size, media_type=kind, annotations=notes)
        for digest in (image, config, *(one.digest for one in parts)):
            assert store.has(digest), f"{name}: {digest} is gone"
    for digest in (image, config, *(one.digest for one in parts)):
        assert Digest.of(store.path(digest).read_bytes()) == digest


if __name__ == "__main__":
    place, title, end = Path(sys.argv[1]), sys.argv[2], time.monotonic() + float(sys.argv[3])
    dice = random.Random(title)
    count = 0
    while time.monotonic() < end:
        build(place, title, dice)
        count += 1
    sys.stdout.write(f"{count}\n")
