"""Archives that an engine loads, as streams: all that it needs and none of what it has.

A docker-archive names its layers by file, and a graph driver opens only the files of layers that
it lacks. An OCI layout (OCI image-spec 1.1, image-layout.md) names blobs, and the containerd store
reads only those that it has not unpacked yet. Layers travel as plain tars, since an engine inflates
slower than a socket carries.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ds01build.digest import Digest, canonical
from ds01build.errors import MismatchError
from ds01build.image import CONFIG_TYPE, MANIFEST_TYPE
from ds01build.layer import TAR
from ds01build.layers.tar import END, header, padding
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.digest import Canonical
    from ds01build.layer import Layer

__all__ = [
    "CHUNK",
    "Known",
    "Loadable",
    "PlainLayers",
    "chunks",
    "docker_archive",
    "manifest",
    "oci_archive",
]

CHUNK = 4 << 20  # bytes; an engine takes 32 KiB at a time three times slower
_FILE = Stat(kind="file", mode=0o644, uid=0, gid=0, content="")
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadable:
    """An image as an engine gets it: its configuration, and its layers, lowest first.

    The lowest ``base`` layers are those of a base image, as a registry has them; ``base_digests``
    name it there: its manifest, and the index that led to it.
    """

    config: bytes
    layers: tuple[Layer, ...]
    base: int = 0
    base_digests: frozenset[Digest] = frozenset()

    @property
    def config_digest(self) -> Digest:
        """The digest of the configuration."""
        return Digest.of(self.config)


@dataclass(frozen=True, slots=True)
class Known:
    """How many of an image's layers, from the lowest, an engine has already."""

    layers: int = 0
    compressed: int = 0  # of these, how many it keeps in a registry's form


class PlainLayers(Protocol):
    """Where the tars of layers come from."""

    def plain_size(self, layer: Layer) -> int:
        """Return the bytes of a layer's tar. Not asked for a layer that is known compressed."""

    def plain(self, layer: Layer) -> Iterable[bytes]:
        """Yield a layer's tar in pieces of any length."""


def docker_archive(image: Loadable, known: Known, source: PlainLayers) -> Iterator[bytes]:
    """Yield what ``docker save`` writes, without the layers that are ``known``."""
    for layer in _sent(image, known.layers):
        yield from _layer(f"{layer.diff_id.value[7:]}.tar", layer, source)
    config = f"{image.config_digest.hex}.json"
    row = {
        "Config": config,
        "RepoTags": None,
        "Layers": [f"{layer.diff_id.value[7:]}.tar" for layer in image.layers],
    }
    yield _file(config, image.config)
    yield _file("manifest.json", json.dumps([row]).encode())
    yield END


def manifest(image: Loadable, known: Known, source: PlainLayers) -> bytes:
    """Return the manifest under which a containerd store has ``image``.

    Each layer has the descriptor of the blob that is there, or is sent: an image that names others
    would run, but neither be listed nor pushed.
    """
    rows = [
        _descriptor(layer.media_type, layer.digest, layer.size)
        if place < known.compressed
        else _descriptor(TAR, layer.diff_id, source.plain_size(layer))
        for place, layer in enumerate(image.layers)
    ]
    document: dict[str, Canonical] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, image.config_digest, len(image.config)),
        "layers": rows,
    }
    return canonical(document)


def oci_archive(image: Loadable, known: Known, source: PlainLayers) -> Iterator[bytes]:
    """Yield an OCI layout without the layers that are ``known``."""
    named = manifest(image, known, source)
    index: dict[str, Canonical] = {
        "schemaVersion": 2,
        "mediaType": _INDEX_TYPE,
        "manifests": [_descriptor(MANIFEST_TYPE, Digest.of(named), len(named))],
    }
    yield _file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    yield _file("index.json", canonical(index))
    yield _file(_blob(Digest.of(named)), named)
    yield _file(_blob(image.config_digest), image.config)
    for layer in _sent(image, known.layers):
        yield from _layer(_blob(layer.diff_id), layer, source)
    yield END


def chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``pieces`` joined to runs of at least ``CHUNK`` bytes, the last one with the rest."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _sent(image: Loadable, known: int) -> tuple[Layer, ...]:
    """Return the layers above the ``known`` ones, each once."""
    return tuple({layer.diff_id: layer for layer in image.layers[known:]}.values())


def _layer(name: str, layer: Layer, source: PlainLayers) -> Iterator[bytes]:
    size = source.plain_size(layer)
    yield header(name, _FILE, size)
    length = 0
    for piece in source.plain(layer):
        length += len(piece)
        if length > size:
            break
        yield piece
    if length != size:
        raise MismatchError(
            where=f"layer {layer.diff_id}",
            expected=f"{size} bytes",
            actual=f"{'more' if length > size else length} bytes",
            hint="ds01 store verify",
        )
    yield padding(size)


def _file(name: str, content: bytes) -> bytes:
    return header(name, _FILE, len(content)) + content + padding(len(content))


def _blob(address: object) -> str:
    return f"blobs/sha256/{str(address)[7:]}"


def _descriptor(media_type: str, address: object, size: int) -> dict[str, Canonical]:
    return {"mediaType": media_type, "digest": str(address), "size": size}
