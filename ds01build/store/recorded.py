"""What the rows of a store say that its layers were made from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.digest import Key
from ds01build.store.durable import read_own
from ds01build.store.rows import read_inputs, read_layer, row_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from ds01build.digest import Canonical, Digest
    from ds01build.layer import Layer
    from ds01build.store import DirStore

__all__ = ["inputs_of", "recorded"]

_LIMIT = 64 * 1024 * 1024  # bytes of a row
_ROW = re.compile(r"[0-9a-f]{64}\.json")


def recorded(store: DirStore, key: Key) -> Layer | None:
    """Return what ``key`` came out as, whether its blob is there or not."""
    return read_layer(_row(store, key), key)


def inputs_of(
    store: DirStore, layers: Collection[Digest]
) -> Iterator[tuple[Digest, Mapping[str, Canonical]]]:
    """Yield each of ``layers`` with what it was made from; reads every row, and skips damaged ones.

    An executed layer comes twice: by what was below it, and by what that looked like.
    """
    for path in (store.root / "keys").glob("*/*.json"):
        if not _ROW.fullmatch(path.name):
            continue
        key = Key(f"sha256:{path.stem}")
        row = _row(store, key)
        layer, inputs = read_layer(row, key), read_inputs(row, key)
        if layer is not None and inputs is not None and layer.digest in layers:
            yield layer.digest, inputs


def _row(store: DirStore, key: Key) -> bytes | None:
    return read_own(row_path(store.root / "keys", key), uid=store.uid, limit=_LIMIT)
