"""What images a store holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.store import roots
from ds01build.store.durable import read_own
from ds01build.workflow.generations import current

if TYPE_CHECKING:
    from ds01build.store import DirStore

__all__ = ["Held", "images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An image by the name that moves. ``generation`` and ``created`` are of what it stands for."""

    name: str
    digest: Digest
    layers: int
    size: int  # bytes: layers, configuration, manifest
    generation: int
    created: str  # RFC 3339, UTC

    def answer(self) -> dict[str, object]:
        """Return the object that ``ds01 image list --json`` prints."""
        return {
            "name": self.name,
            "digest": str(self.digest),
            "layers": self.layers,
            "size": self.size,
            "generation": self.generation,
            "created": self.created,
        }


def images(store: DirStore) -> tuple[Held, ...]:
    """Return the images that have a name, sorted by it. Those with a damaged manifest are left out.

    ``ds01 store verify`` finds what is damaged.
    """
    held: list[Held] = []
    for tag in store.tags():
        latest = current(store, tag.name) if roots.fits(tag.name) else None
        content = read_own(store.path(tag.manifest), uid=store.uid, limit=tag.size)
        if latest is None or content is None or Digest.of(content) != tag.manifest:
            continue
        manifest = json.loads(content)
        sizes = [blob["size"] for blob in (manifest["config"], *manifest["layers"])]
        held.append(
            Held(
                name=tag.name,
                digest=tag.manifest,
                layers=len(manifest["layers"]),
                size=sum(sizes) + tag.size,
                generation=latest.number,
                created=latest.created,
            )
        )
    return tuple(held)
