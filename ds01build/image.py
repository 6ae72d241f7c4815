"""OCI images as values: configuration, manifest, and their digests (OCI image-spec 1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build import stack
from ds01build.digest import Digest, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.digest import Canonical
    from ds01build.layer import Layer
    from ds01build.stack import Stat

__all__ = ["BASE_LAYERS", "CONFIG_TYPE", "MANIFEST_TYPE", "Image", "ImageConfig", "StackedLayer"]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"

# The annotation of a manifest that says how many of its layers, from the lowest, are those of an
# image that it stands on: a store need not have them.
BASE_LAYERS = "ds01.base.layers"

# The time that every file of a native layer has: zip can't hold one before 1980.
CREATED = "1980-01-02T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What a container of the image starts with (OCI image-spec, config.md).

    ``inherited`` is what else an image that this one stands on says in its ``config``, such as
    Volumes and StopSignal.
    """

    architecture: str  # as Go and OCI name it, such as amd64
    env: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    workdir: str = ""
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    inherited: Mapping[str, Canonical] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedLayer:
    """A layer in its place: the tier it belongs to, and what it holds in a few words."""

    tier: str
    title: str
    layer: Layer
    listing: Mapping[str, Stat]
    sees: frozenset[int] = frozenset()  # places in the stack of what it was made over


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: the bytes of its configuration and manifest, and its layers, lowest first."""

    config: bytes
    manifest: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> Digest:
        """The manifest's digest, which names the image in a store or registry."""
        return Digest.of(self.manifest)

    @property
    def config_digest(self) -> Digest:
        """The configuration's digest, by which Docker's graph drivers know the image."""
        return Digest.of(self.config)

    @property
    def size(self) -> int:
        """Return the bytes that a registry would hold: layers, configuration, manifest."""
        return sum(layer.size for layer in self.layers) + len(self.config) + len(self.manifest)


def assemble(
    layers: Sequence[StackedLayer], config: ImageConfig, base: Sequence[Layer] = ()
) -> Image:
    """Return the image of ``layers`` over ``base``, lowest first, after checking that they commute.

    Raises CollisionError. Nothing in it depends on time or on who builds.
    """
    listings = ((f"{one.tier}: {one.title}", one.listing) for one in layers)
    stack.check(listings, {place: one.sees for place, one in enumerate(layers)})
    config_bytes = canonical(_config(layers, config, base))
    every = (*base, *(one.layer for one in layers))
    manifest: dict[str, Canonical] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, Digest.of(config_bytes), len(config_bytes)),
        "layers": [_descriptor(layer.media_type, layer.digest, layer.size) for layer in every],
        "annotations": {**config.annotations, **({BASE_LAYERS: str(len(base))} if base else {})},
    }
    return Image(config=config_bytes, manifest=canonical(manifest), layers=every)


def _descriptor(media_type: str, digest: Digest, size: int) -> dict[str, Canonical]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}


def _config(
    layers: Sequence[StackedLayer], config: ImageConfig, base: Sequence[Layer]
) -> dict[str, Canonical]:
    container: dict[str, Canonical] = {
        **config.inherited,
        "Env": [f"{name}={value}" for name, value in sorted(config.env.items())],
        "Labels": dict(config.labels),
    }
    optional: dict[str, Canonical] = {
        "WorkingDir": config.workdir,
        "User": config.user,
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "ExposedPorts": {port: {} for port in config.ports},
    }
    container.update({name: value for name, value in optional.items() if value})
    diff_ids = [*(layer.diff_id for layer in base), *(one.layer.diff_id for one in layers)]
    below: list[Canonical] = [{"created": CREATED, "created_by": "base"} for _ in base]
    above: list[Canonical] = [
        {"created": CREATED, "created_by": f"ds01 {one.tier}", "comment": one.title}
        for one in layers
    ]
    return {
        "architecture": config.architecture,
        "os": "linux",
        "created": CREATED,
        "config": container,
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]},
        "history": [*below, *above],
    }
