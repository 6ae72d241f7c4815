"""Manifests and indexes, OCI's and Docker's, as values (OCI image-spec 1.1; Docker's schema 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.digest import DiffId, Digest
from ds01build.errors import Ds01Error, MismatchError, RejectedFile
from ds01build.http.settings import is_near
from ds01build.layer import GZIP, TAR, ZSTD, Layer
from ds01build.registry.document import parse

if TYPE_CHECKING:
    from ds01build.reference import Reference
    from ds01build.registry.document import Table

__all__ = [
    "ACCEPT",
    "MANIFESTS",
    "Descriptor",
    "Manifest",
    "RemoteImage",
    "assemble",
    "choose",
    "is_index",
    "read_manifest",
    "tags_of",
]

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"
_INDEXES = (f"{_OCI}.index.v1+json", f"{_DOCKER}.distribution.manifest.list.v2+json")
MANIFESTS = (f"{_OCI}.manifest.v1+json", f"{_DOCKER}.distribution.manifest.v2+json")
_CONFIGS = (f"{_OCI}.config.v1+json", f"{_DOCKER}.container.image.v1+json")
_SCHEMA1 = f"{_DOCKER}.distribution.manifest.v1+"
_ROOTFS = f"{_DOCKER}.image.rootfs.diff.tar"
_LAYERS = {
    **{name: name for name in (TAR, GZIP, ZSTD)},
    _ROOTFS: TAR,
    f"{_ROOTFS}.gzip": GZIP,
    f"{_ROOTFS}.zstd": ZSTD,
}
_KEPT_ELSEWHERE = (f"{_OCI}.layer.nondistributable.", f"{_DOCKER}.image.rootfs.foreign.")
ACCEPT = ", ".join((*MANIFESTS, *_INDEXES))

ENTRY_LIMIT = 1000  # of an index, and layers of an image
_VERSION = 2
# What a processor that OCI calls by the bare name runs, best first (containerd's platforms).
_VARIANTS = {"amd64": ("", "v1"), "arm64": ("v8", "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What one document says of another (OCI image-spec, descriptor.md)."""

    media_type: str
    digest: Digest
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The manifest of one image; ``layers`` are as they are compressed, lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteImage:
    """An image in a registry, for one architecture; layers lowest first, none of them fetched."""

    reference: Reference
    architecture: str  # as OCI names it, such as amd64
    digest: Digest  # of the image's own manifest
    manifest: bytes = field(repr=False)
    config_digest: Digest
    config: bytes = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)


def is_index(document: Table, announced: str) -> bool:
    """Say whether a document is an index of images, rather than one image's manifest.

    ``announced`` is what a descriptor or the server calls it; the document has to agree. Raises
    RejectedFile for anything else than these two.
    """
    media_type = document.media_type("mediaType") or announced
    if announced in (*_INDEXES, *MANIFESTS) and media_type != announced:
        problem = f"it says that it is {media_type}, not {announced} as announced"
        raise RejectedFile(name=document.name, problem=problem)
    version = document.number("schemaVersion")
    if media_type.startswith(_SCHEMA1) or version == 1:
        problem = "a manifest of Docker's schema 1, which ds01 does not read: push the image again"
        raise RejectedFile(name=document.name, problem=problem)
    if media_type not in (*_INDEXES, *MANIFESTS):
        problem = f"neither an image nor an index of images: {media_type!r:.100}"
        raise RejectedFile(name=document.name, problem=problem)
    if version != _VERSION:
        raise RejectedFile(name=document.name, problem="schemaVersion is not 2")
    other = "layers" if media_type in _INDEXES else "manifests"
    if other in document.values:  # the two could be taken for each other
        raise RejectedFile(name=document.name, problem=f"{media_type} with {other}")
    return media_type in _INDEXES


def choose(index: Table, reference: Reference, architecture: str) -> Descriptor:
    """Return the entry for linux on ``architecture``. Raises Ds01Error with those there are."""
    there: dict[str, Descriptor] = {}
    for entry in index.tables("manifests", ENTRY_LIMIT):
        platform = entry.table("platform")
        parts = [platform.text(key) for key in ("os", "architecture", "variant")]
        there.setdefault("/".join(parts).rstrip("/"), _descriptor(entry))
    for variant in _VARIANTS.get(architecture, ("",)):
        found = there.get(f"linux/{architecture}/{variant}".rstrip("/"))
        if found is not None:
            return found
    raise _not_for(reference, architecture, list(there))


def read_manifest(document: Table) -> Manifest:
    """Return the manifest of an image. Raises RejectedFile for one that holds something else."""
    config = _descriptor(document.table("config"))
    if config.media_type not in _CONFIGS:
        problem = f"not an image that runs: its configuration is {config.media_type!r:.100}"
        raise RejectedFile(name=document.name, problem=problem)
    layers = map(_layer, document.tables("layers", ENTRY_LIMIT))
    return Manifest(config=config, layers=tuple(layers))


def assemble(
    reference: Reference, architecture: str, manifest: bytes, config: bytes
) -> RemoteImage:
    """Return the image that ``manifest`` and its ``config`` are, both verified by the caller.

    Raises RejectedFile where they contradict each other, Ds01Error for another platform.
    """
    read = read_manifest(parse(manifest, str(reference)))
    name = f"the configuration of {reference}"
    document = parse(config, name)
    platform = "/".join(filter(None, map(document.text, ("os", "architecture", "variant"))))
    if document.text("os") != "linux" or document.text("architecture") != architecture:
        raise _not_for(reference, architecture, [platform])
    diff_ids = document.table("rootfs").texts("diff_ids", ENTRY_LIMIT)
    if len(diff_ids) != len(read.layers):
        raise MismatchError(
            where=name,
            expected=f"{len(read.layers)} diff_ids",
            actual=str(len(diff_ids)),
            hint=f"the image contradicts itself: ask who pushed {reference.familiar}",
        )
    return RemoteImage(
        reference=reference,
        architecture=architecture,
        digest=Digest.of(manifest),
        manifest=manifest,
        config_digest=read.config.digest,
        config=config,
        layers=tuple(
            Layer(
                digest=layer.digest,
                diff_id=_diff_id(diff_id, name),
                size=layer.size,
                media_type=layer.media_type,
            )
            for layer, diff_id in zip(read.layers, diff_ids, strict=True)
        ),
    )


def _layer(table: Table) -> Descriptor:
    """Return a layer's descriptor, by OCI's name of its media type."""
    found = _descriptor(table)
    if found.media_type.startswith(_KEPT_ELSEWHERE):
        problem = f"{table.path} is kept outside the registry ({found.media_type})"
        raise RejectedFile(name=table.name, problem=problem)
    if found.media_type not in _LAYERS:
        problem = f"{table.path} is no layer that ds01 reads: {found.media_type!r:.100}"
        raise RejectedFile(name=table.name, problem=problem)
    media_type = _LAYERS[found.media_type]
    return Descriptor(media_type=media_type, digest=found.digest, size=found.size)


def _descriptor(table: Table) -> Descriptor:
    return Descriptor(
        media_type=table.media_type("mediaType"),
        digest=table.digest("digest"),
        size=table.number("size"),
    )


def _diff_id(text: str, name: str) -> DiffId:
    try:
        return DiffId(text)
    except ValueError as error:
        raise RejectedFile(name=name, problem=f"a diff_id is {error}") from error


def tags_of(reference: Reference) -> str:
    """Return the command that lists what else there is in the repository of an image."""
    plain = " --tls-verify=false" if is_near(f"http://{reference.registry}") else ""
    return f"skopeo list-tags{plain} docker://{reference.registry}/{reference.repository}"


def _not_for(reference: Reference, architecture: str, there: list[str]) -> Ds01Error:
    # Attestations stand in an index as images for an unknown platform.
    known = sorted({f"{one!r:.60}"[1:-1] for one in there if one and "unknown" not in one})
    listed = ", ".join(known[:20]) or "no platform that it names"
    return Ds01Error(
        f"{reference} is not for linux/{architecture}; there is {listed}",
        hint=f"name an image for {architecture}: {tags_of(reference)}",
    )
