"""Finds which package of a layer owns a path: a collision is about packages, not about layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build import spec
from ds01build.errors import CollisionError, StoreError
from ds01build.layers import wheel
from ds01build.layers.deb import DebFacts
from ds01build.pin import DebPin, WheelPin
from ds01build.spec import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.pin import Pin
    from ds01build.realise import Facts, Store
    from ds01build.spec import LayerSpec

__all__ = ["named"]


def named(
    error: CollisionError, layers: Mapping[str, LayerSpec], store: Store, facts: Facts
) -> CollisionError:
    """Return ``error`` with packages in the place of the ``layers`` that it names.

    A layer's own name stays where nothing says any more which of its packages has the path.
    """

    def owner(name: str) -> str:
        pins = spec.sources(layers[name]) if name in layers else ()
        found = (str(pin) for pin in pins if _has(pin, error.path, layers[name], store, facts))
        return next(found, name)

    return replace(error, first=owner(error.first), second=owner(error.second))


def _has(pin: Pin, path: str, layer: LayerSpec, store: Store, facts: Facts) -> bool:
    if isinstance(pin, WheelPin) and isinstance(layer, WheelSpec):
        try:
            entries = wheel.install(store.source(pin.digest), pin, layer.target)
        except StoreError:  # its layer is there, the wheel itself no longer
            return False
        return any(entry.path == path for _, entry in entries)
    if isinstance(pin, DebPin):
        known = DebFacts.from_json(facts.get("deb", str(pin.digest)))
        return known is not None and path in known.listing
    return False
