"""Archives that an engine loads: made while they travel, all that it needs and none of what it has.

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
    "Archive",
    "Known",
    "Loadable",
    "PlainLayers",
    "docker_archive",
    "manifest",
    "oci_archive",
]

CHUNK = 256 << 10  # bytes; what a layer's tar comes in is mostly longer
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


@dataclass(frozen=True, slots=True)
class _Tar:
    """The tar of a layer as a file of an archive."""

    layer: Layer
    size: int  # bytes, without what fills its last block
    source: PlainLayers

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes. Raises MismatchError unless they are as many as was promised."""
        length = 0
        for piece in self.source.plain(self.layer):
            length += len(piece)
            if length > self.size:
                break
            yield piece
        if length != self.size:
            raise MismatchError(
                where=f"layer {self.layer.diff_id}",
                expected=f"{self.size} bytes",
                actual=f"{'more' if length > self.size else length} bytes",
                hint="ds01 store verify",
            )


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose length is known before its layers are read: they are read as it is.

    An engine that is told the length takes what comes as it is; in the chunks of HTTP without a
    length, the same took half as long again to arrive, and two copies.
    """

    parts: tuple[bytes | _Tar, ...]

    def __len__(self) -> int:
        return sum(len(each) if isinstance(each, bytes) else each.size for each in self.parts)

    def __iter__(self) -> Iterator[bytes]:
        """Yield it in pieces of at least ``CHUNK`` bytes, or of what a layer's tar comes in."""
        return _joined(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from part.pieces()


def docker_archive(image: Loadable, known: Known, source: PlainLayers) -> Archive:
    """Return what ``docker save`` writes, without the layers that are ``known``."""
    layers = (
        part
        for layer in _sent(image, known.layers)
        for part in _layer(f"{layer.diff_id.value[7:]}.tar", layer, source)
    )
    config = f"{image.config_digest.hex}.json"
    row = {
        "Config": config,
        "RepoTags": None,
        "Layers": [f"{layer.diff_id.value[7:]}.tar" for layer in image.layers],
    }
    rows = json.dumps([row]).encode()
    return Archive((*layers, _file(config, image.config), _file("manifest.json", rows), END))


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


def oci_archive(image: Loadable, known: Known, source: PlainLayers) -> Archive:
    """Return an OCI layout without the layers that are ``known``."""
    named = manifest(image, known, source)
    index: dict[str, Canonical] = {
        "schemaVersion": 2,
        "mediaType": _INDEX_TYPE,
        "manifests": [_descriptor(MANIFEST_TYPE, Digest.of(named), len(named))],
    }
    layers = (
        part
        for layer in _sent(image, known.layers)
        for part in _layer(_blob(layer.diff_id), layer, source)
    )
    return Archive(
        (
            _file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
            _file("index.json", canonical(index)),
            _file(_blob(Digest.of(named)), named),
            _file(_blob(image.config_digest), image.config),
            *layers,
            END,
        )
    )


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``pieces``, short ones together: each costs whoever passes it on the same."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held) if len(held) > 1 else piece
            held, size = [], 0
    if size:
        yield b"".join(held)


def _sent(image: Loadable, known: int) -> tuple[Layer, ...]:
    """Return the layers above the ``known`` ones, each once."""
    return tuple({layer.diff_id: layer for layer in image.layers[known:]}.values())


def _layer(name: str, layer: Layer, source: PlainLayers) -> tuple[bytes, _Tar, bytes]:
    size = source.plain_size(layer)
    return header(name, _FILE, size), _Tar(layer, size, source), padding(size)


def _file(name: str, content: bytes) -> bytes:
    return header(name, _FILE, len(content)) + content + padding(len(content))


def _blob(address: object) -> str:
    return f"blobs/sha256/{str(address)[7:]}"


def _descriptor(media_type: str, address: object, size: int) -> dict[str, Canonical]:
    return {"mediaType": media_type, "digest": str(address), "size": size}
