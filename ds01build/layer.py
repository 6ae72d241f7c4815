"""A layer as a value: where its bytes are and what they unpack to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.digest import DiffId, Digest

__all__ = ["Layer"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Layer:
    """A gzip-compressed OCI layer: ``digest`` of the stream, ``diff_id`` of the tar inside it."""

    digest: Digest
    diff_id: DiffId
    size: int  # bytes, compressed
