"""What images of a store consist of, and which of their bytes others use too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.image import BASE_LAYERS
from ds01build.workflow.builds import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.digest import Canonical
    from ds01build.store import DirStore

__all__ = ["Base", "Contents", "Shares", "contents", "shares"]

_BASE_NAME = "org.opencontainers.image.base.name"  # OCI image-spec, annotations.md
_BASE_DIGEST = "org.opencontainers.image.base.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What an image stands on; ``digest`` is its manifest's, None for a root made of .debs."""

    reference: str
    digest: Digest | None

    def answer(self) -> dict[str, str | None]:
        """Return the object that commands print of it."""
        return {"reference": self.reference, "digest": str(self.digest) if self.digest else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a manifest says. ``layers`` are lowest first, ``base_layers`` of them are the base's."""

    digest: Digest
    config: Digest
    labels: Mapping[str, str] = field(repr=False)
    layers: tuple[Digest, ...]
    sizes: Mapping[Digest, int] = field(repr=False)  # bytes of manifest, configuration and layers
    base: Base | None
    base_layers: int = 0

    @property
    def size(self) -> int:
        """The bytes that a registry would hold: each blob once."""
        return sum(self.sizes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The names of a store that use each blob, with any of their generations."""

    users: Mapping[Digest, frozenset[str]]

    def others(self, name: str, blob: Digest) -> tuple[str, ...]:
        """Return the other names that use a blob of the image ``name``, sorted."""
        return tuple(sorted(self.users.get(blob, frozenset()) - {name}))

    def exclusive(self, name: str, image: Contents) -> int:
        """Return how many bytes of an image nobody but ``name`` uses."""
        return sum(size for blob, size in image.sizes.items() if not self.others(name, blob))


def shares(images: Mapping[str, Iterable[Contents]]) -> Shares:
    """Return who uses which blob, of the images of each name."""
    users: dict[Digest, set[str]] = {}
    for name, every in images.items():
        for image in every:
            for blob in image.sizes:
                users.setdefault(blob, set()).add(name)
    return Shares(users={blob: frozenset(names) for blob, names in users.items()})


def contents(store: DirStore, image: Digest) -> Contents | None:
    """Return what an image consists of, None where its manifest or configuration is damaged."""
    manifest = document(store, image)
    try:
        size = store.source(image).size if manifest else 0
        return _contents(store, image, manifest, size)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _contents(
    store: DirStore, image: Digest, manifest: Mapping[str, Canonical], size: int
) -> Contents:
    rows = [_descriptor(row) for row in _objects(manifest["layers"])]
    config, config_size = _descriptor(_object(manifest["config"]))
    notes = _object(manifest.get("annotations", {}))
    container = _object(document(store, config)["config"])
    labels = _object(container.get("Labels") or {})
    return Contents(
        digest=image,
        config=config,
        labels={name: str(text) for name, text in labels.items()},
        layers=tuple(digest for digest, _ in rows),
        sizes={**dict(rows), config: config_size, image: size},
        base=_base(notes),
        base_layers=int(str(notes.get(BASE_LAYERS, "0"))),
    )


def _base(notes: Mapping[str, Canonical]) -> Base | None:
    name, digest = notes.get(_BASE_NAME), notes.get(_BASE_DIGEST)
    if not isinstance(name, str):
        return None
    return Base(reference=name, digest=Digest(digest) if isinstance(digest, str) else None)


def _descriptor(row: Mapping[str, Canonical]) -> tuple[Digest, int]:
    size = row["size"]
    if type(size) is not int or size < 0:
        raise ValueError(f"not a size: {size!r:.40}")
    return Digest(str(row["digest"])), size


def _objects(value: Canonical) -> list[dict[str, Canonical]]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return [_object(each) for each in value]


def _object(value: Canonical) -> dict[str, Canonical]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value
