"""The files of a plan on their way into the store, in the order that keeps all hands busy."""

from __future__ import annotations

from contextlib import closing
from itertools import chain, islice
from typing import TYPE_CHECKING

from ds01build.events import Expected, Note, Received
from ds01build.fetch import Download, Finished, Retrying, Waiting, fetch
from ds01build.fetch import Received as Progress
from ds01build.lock import LockedDebian
from ds01build.pin import DebPin, WheelPin
from ds01build.workflow.bases import pinned

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ds01build.digest import Digest
    from ds01build.fetch import Event as FetchEvent
    from ds01build.layer import Layer
    from ds01build.lock import LockedImage
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["arrivals", "fetch_file", "fetch_layers"]


def arrivals(
    pins: Sequence[WheelPin | DebPin], locked: Locked, edges: Edges, received: list[int]
) -> Generator[Digest, None, None]:
    """Yield the digest of each file as it becomes durable in the store.

    ``received`` gets the sizes in bytes of what came over the network. Raises what ``fetch`` and
    asking for the places of wheels raise.
    """

    def report(event: FetchEvent) -> None:
        if isinstance(event, Progress):
            edges.report(Received(name=event.download.name, size=event.size))
        elif isinstance(event, Finished):
            received.append(event.fetched)
            edges.report(Received(name=event.download.name, size=0, complete=True))
        else:
            edges.report(Note(_delay(event)))

    def arriving(downloads: list[Download]) -> Generator[Download, None, None]:
        return fetch(downloads, store=edges.store, transport=edges.transport, report=report)

    wheels = [pin for pin in pins if isinstance(pin, WheelPin)]
    debs = [pin for pin in pins if isinstance(pin, DebPin)]
    # First .debs: to unpack one takes ten times as long as to pass on a wheel of its size. And
    # once the first is here, the others go on arriving while the index is asked for the wheels.
    with closing(arriving(_deb_downloads(debs, locked, edges))) as early:
        yield from (download.digest for download in islice(early, 1))
        with closing(arriving(_wheel_downloads(wheels, locked, edges))) as late:
            yield from (download.digest for download in chain(early, late))


def fetch_layers(image: LockedImage, layers: Sequence[Layer], edges: Edges) -> None:
    """Bring layers of a base into the store. Raises what ``fetch`` raises."""
    reference = pinned(image)
    edges.report(Expected(files=len(layers), size=sum(layer.size for layer in layers), layers=0))

    def report(event: FetchEvent) -> None:
        if isinstance(event, Progress):
            edges.report(Received(name=event.download.name, size=event.size))
        elif isinstance(event, Finished):
            edges.report(Received(name=event.download.name, size=0, complete=True))
        else:
            edges.report(Note(_delay(event)))

    registry = edges.bases.registry
    wanted = [
        Download(
            digest=layer.digest,
            size=layer.size,
            urls=registry.blob_urls(reference, layer.digest),
            name=f"layer {layer.digest.hex[:12]}",
        )
        for layer in layers
    ]
    with closing(fetch(wanted, store=edges.store, transport=registry, report=report)) as arriving:
        for _ in arriving:
            pass


def fetch_file(file: Download, edges: Edges) -> None:
    """Bring one file into the store, unless it is there. Raises what ``fetch`` raises."""

    def report(event: FetchEvent) -> None:
        if isinstance(event, (Retrying, Waiting)):
            edges.report(Note(_delay(event)))

    with closing(
        fetch([file], store=edges.store, transport=edges.transport, report=report)
    ) as arriving:
        for _ in arriving:
            pass


def _delay(event: Retrying | Waiting) -> str:
    if isinstance(event, Retrying):
        return f"{event.download.name}: {event.reason}; once more in {event.seconds:.0f} s"
    return f"{event.download.name}: waiting for {event.holder}"


def _deb_downloads(pins: Sequence[DebPin], locked: Locked, edges: Edges) -> list[Download]:
    if not pins:
        return []
    resolver = edges.resolver.with_settings(locked.request.recipe.resolve)
    base = locked.lock.base
    if isinstance(base, LockedDebian):
        return [_download(pin, resolver.deb_urls(pin, base.suite)) for pin in pins]
    facts = edges.bases.facts(base)
    return [_download(pin, resolver.deb_urls_over(pin, facts)) for pin in pins]


def _wheel_downloads(pins: Sequence[WheelPin], locked: Locked, edges: Edges) -> list[Download]:
    if not pins:
        return []
    resolver = edges.resolver.with_settings(locked.request.recipe.resolve)
    assert locked.lock.target is not None, "a lock with wheels has a target"
    named = {pin: pin.source.place for pin in pins if pin.source and not pin.is_built}
    offered = [pin for pin in pins if pin.source is None]
    found = {**named, **resolver.wheel_urls(offered, locked.lock.target.version)}
    return [_download(pin, (found[pin],) if pin in found else ()) for pin in pins]


def _download(pin: WheelPin | DebPin, urls: tuple[str, ...]) -> Download:
    return Download(digest=pin.digest, size=pin.size, urls=urls, name=str(pin))
