"""The key map as files: one sealed JSON document per key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.digest import DiffId, Digest, Key
from ds01build.layer import Layer
from ds01build.store.sealed import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.digest import Canonical

__all__ = [
    "LIMIT",
    "document_row",
    "key_of",
    "layer_row",
    "read_document",
    "read_inputs",
    "read_layer",
    "row_path",
    "subject",
]

LIMIT = 64 * 1024 * 1024  # bytes of a row or index

_LAYER = "ds01.layer/1"
_DOCUMENT = "ds01.document/1"
# How the row of a layer ends, since members of canonical JSON are sorted.
_END = re.compile(
    rb'"layer":\{"diff_id":"sha256:[0-9a-f]{64}","digest":"(sha256:[0-9a-f]{64})","size":[0-9]{1,18}\}'
    rb',"schema":"ds01\.layer/1"\}\n\Z'
)


def row_path(directory: Path, key: Key) -> Path:
    """Return where the row of ``key`` is kept."""
    return directory / key.hex[:2] / f"{key.hex}.json"


def key_of(directory: Path, path: Path) -> Key | None:
    """Return the key whose row would be at ``path``, None where no row could be."""
    try:
        key = Key(f"sha256:{path.name.removesuffix('.json')}")
    except ValueError:
        return None
    return key if row_path(directory, key) == path else None


def layer_row(key: Key, layer: Layer, inputs: Mapping[str, Canonical]) -> bytes:
    """Return the row that says ``key`` came out as ``layer``; ``inputs`` are for people."""
    return seal(
        {
            "schema": _LAYER,
            "key": key.value,
            "layer": {
                "digest": layer.digest.value,
                "diff_id": layer.diff_id.value,
                "size": layer.size,
            },
            "inputs": inputs,
        }
    )


def document_row(key: Key, document: Mapping[str, Canonical]) -> bytes:
    """Return the row that says ``key`` came out as ``document``."""
    return seal({"schema": _DOCUMENT, "key": key.value, "document": document})


def read_layer(row: bytes | None, key: Key) -> Layer | None:
    """Return the layer of a row, or None unless it is a whole and unchanged one of ``key``."""
    fields = _member(row, key, schema=_LAYER, name="layer")
    if fields is None or fields.keys() != {"digest", "diff_id", "size"}:
        return None
    digest, diff_id, size = fields["digest"], fields["diff_id"], fields["size"]
    if type(size) is not int or size < 0:
        return None
    if not isinstance(digest, str) or not isinstance(diff_id, str):
        return None
    try:
        return Layer(digest=Digest(digest), diff_id=DiffId(diff_id), size=size)
    except ValueError:
        return None


def read_inputs(row: bytes | None, key: Key) -> Mapping[str, Canonical] | None:
    """Return what the layer of a row was made from, or None unless it is a whole one of ``key``."""
    return _member(row, key, schema=_LAYER, name="inputs")


def read_document(row: bytes | None, key: Key) -> Mapping[str, Canonical] | None:
    """Return the document of a row, or None unless it is a whole and unchanged one of ``key``."""
    return _member(row, key, schema=_DOCUMENT, name="document")


def subject(row: bytes | None, key: Key) -> Digest | None:
    """Return the blob that a row is of: its layer, or what its document has as ``digest``.

    None where it is of none, or damaged, as far as one need look: thousands are read at a time.
    """
    end = _END.search(row) if row is not None else None
    if end is not None:
        return Digest(end[1].decode())
    named = (read_document(row, key) or {}).get("digest")
    try:
        return Digest(named) if isinstance(named, str) else None
    except ValueError:
        return None


def _member(
    row: bytes | None, key: Key, *, schema: str, name: str
) -> Mapping[str, Canonical] | None:
    fields = unseal(row) if row is not None else None
    if fields is None or fields.get("schema") != schema or fields.get("key") != key.value:
        return None
    member = fields.get(name)
    return member if isinstance(member, dict) else None
