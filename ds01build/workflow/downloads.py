"""The files of a plan on their way into the store, in the order that keeps all hands busy."""

from __future__ import annotations

from contextlib import closing
from itertools import chain, islice
from typing import TYPE_CHECKING

from ds01build.events import Expected
from ds01build.fetch import Download, fetch
from ds01build.location import origin
from ds01build.lock import LockedDebian
from ds01build.pin import DebPin, WheelPin
from ds01build.workflow.transfers import telling

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ds01build.digest import Digest
    from ds01build.fetch.transport import HttpTransport
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["arrivals", "fetch_file"]


def arrivals(
    pins: Sequence[WheelPin | DebPin], locked: Locked, edges: Edges, received: list[int]
) -> Generator[Digest, None, None]:
    """Yield the digest of each file as it becomes durable in the store.

    ``received`` gets the sizes in bytes of what came over the network. Raises what ``fetch`` and
    asking for the places of wheels raise.
    """
    report = telling(edges.report, received)

    def arriving(
        downloads: list[Download], transport: HttpTransport
    ) -> Generator[Download, None, None]:
        return fetch(downloads, store=edges.store, transport=transport, report=report)

    wheels = [pin for pin in pins if isinstance(pin, WheelPin)]
    debs = [pin for pin in pins if isinstance(pin, DebPin)]
    # First .debs: to unpack one takes ten times as long as to pass on a wheel of its size. And
    # once the first is here, the others go on arriving while the index is asked for the wheels.
    wanted = _deb_downloads(debs, locked, edges)
    with closing(arriving(wanted, _for_debs(wanted, edges))) as early:
        yield from (download.digest for download in islice(early, 1))
        with closing(arriving(_wheel_downloads(wheels, locked, edges), edges.transport)) as late:
            yield from (download.digest for download in chain(early, late))


def fetch_file(file: Download, edges: Edges) -> None:
    """Bring one file into the store, unless it is there. Raises what ``fetch`` raises."""
    edges.report(Expected(files=1, size=file.size, layers=0))
    fetched = fetch(
        [file], store=edges.store, transport=edges.transport, report=telling(edges.report, [])
    )
    with closing(fetched) as arriving:
        for _ in arriving:
            pass


def _deb_downloads(pins: Sequence[DebPin], locked: Locked, edges: Edges) -> list[Download]:
    if not pins:
        return []
    resolver = edges.resolver.with_settings(locked.request.recipe.resolve)
    base = locked.lock.base
    if isinstance(base, LockedDebian):
        return [_download(pin, resolver.deb_urls(pin, base.suite)) for pin in pins]
    facts = edges.bases.facts(base)
    return [_download(pin, resolver.deb_urls_over(pin, facts)) for pin in pins]


def _for_debs(downloads: list[Download], edges: Edges) -> HttpTransport:
    """Return a transport that asks archives over http, as apt does: the lock has the hashes.

    Which archives of a base may be asked at all was decided where their URLs were made.
    """
    urls = [url for download in downloads for url in download.urls if url.startswith("http:")]
    return edges.transport.allowing(frozenset(map(origin, urls)))


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
