"""A layer as a value: where its bytes are and what they unpack to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.digest import DiffId, Digest

__all__ = ["GZIP", "TAR", "ZSTD", "Layer"]

# The media types of layers (OCI image-spec 1.1, layer.md). Docker's own names for the same bytes
# are translated where a registry answers.
TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"
ZSTD = f"{TAR}+zstd"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Layer:
    """An OCI layer: ``digest`` of the stored stream, ``diff_id`` of the tar inside it.

    ds01 writes gzip; layers of a base come as the registry has them.
    """

    digest: Digest
    diff_id: DiffId
    size: int  # bytes of the stored stream
    media_type: str = GZIP
