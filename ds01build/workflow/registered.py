"""The layers of a base that a registry has: they are fetched only for who needs their bytes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, MismatchError
from ds01build.events import Expected
from ds01build.fetch import Download, NotThere, fetch
from ds01build.lock import LockedImage
from ds01build.reference import parse_reference
from ds01build.workflow.transfers import telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.events import Report
    from ds01build.layer import Layer
    from ds01build.lock import LockedBase
    from ds01build.reference import Reference
    from ds01build.registry import RegistryClient
    from ds01build.store import DirStore

__all__ = ["Registered", "fetch_layers", "pinned", "registered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An image by its digest in a registry, and its layers, lowest first."""

    reference: Reference
    layers: tuple[Layer, ...]


def registered(base: LockedBase) -> Registered | None:
    """Return what a registry has of a lock's base, None for a root made of .debs."""
    if not isinstance(base, LockedImage):
        return None
    return Registered(reference=pinned(base), layers=base.layers)


def pinned(image: LockedImage) -> Reference:
    """Return the reference by which exactly ``image`` is fetched."""
    return replace(parse_reference(image.reference), digest=image.manifest)


def fetch_layers(
    reference: Reference,
    layers: Sequence[Layer],
    *,
    registry: RegistryClient,
    store: DirStore,
    tell: Report,
) -> None:
    """Bring layers of a base into the store.

    Raises what ``fetch`` raises, and Ds01Error where the registry has one no longer.
    """
    tell(Expected(files=len(layers), size=sum(layer.size for layer in layers), layers=0))

    wanted = [
        Download(
            digest=layer.digest,
            size=layer.size,
            urls=registry.blob_urls(reference, layer.digest),
            name=f"layer {layer.digest.hex[:12]}",
        )
        for layer in layers
    ]
    told = telling(tell, [])
    try:
        with closing(fetch(wanted, store=store, transport=registry, report=told)) as arriving:
            for _ in arriving:
                pass
    except MismatchError as error:
        where = f"{error.where} of {reference.familiar}"
        raise replace(error, where=where, hint=registry.doubt(reference)) from error
    except NotThere as error:
        names = ", ".join(one.name for one in error.downloads)
        raise Ds01Error(
            f"{reference.familiar}: its registry no longer has {names}",
            hint="ds01 lock --upgrade RECIPE, or push the image again",
        ) from error
