"""A build with a new store and new caches, against fetching the same files and dropping them."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from bench.figures import Outcome, Series, Verdict, ratio
from bench.room import seconds
from ds01build.http.names import Names, pools
from ds01build.http.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.room import Room
    from ds01build.pin import DebPin, WheelPin

BOUND = 1.25
CONNECTIONS = 16


class Remote(NamedTuple):
    """A file, and how long it must turn out to be."""

    size: int  # bytes
    url: str


def measure(room: Room, rounds: int) -> Outcome:
    lock = room.lock()
    urls = room.part("locate").urls()
    pins: list[WheelPin | DebPin] = [*lock.wheels, *lock.debs]
    files = [Remote(pin.size, urls[pin.digest]) for pin in pins]
    rows = [_round(room, files, number) for number in range(rounds)]
    fetched, built = zip(*rows, strict=True)
    floor = Series(name=f"fetch, {CONNECTIONS} connections", unit="s", values=fetched)
    build = Series(name="ds01 build --frozen, nothing there", unit="s", values=built)
    size = sum(file.size for file in files)
    return Outcome(
        scenario="cold",
        series=(floor, build),
        verdicts=(Verdict(name="build / fetch", value=ratio(build, floor), bound=BOUND, unit="x"),),
        note=f"{len(lock.wheels)} wheels, {len(lock.debs)} .debs, {size / 1e6:.0f} MB",
    )


def _round(room: Room, files: Sequence[Remote], number: int) -> tuple[float, float]:
    if number % 2:
        built = _build(room)
        return discard(files), built
    return discard(files), _build(room)


def _build(room: Room) -> float:
    fresh = room.part("cold")
    taken = seconds(fresh.command("build", "--frozen", "--quiet"), fresh.environment)
    fresh.clear()
    return taken


def discard(files: Iterable[Remote]) -> float:
    """Fetch all files, the largest first, keep none, and return the seconds that it took."""
    line, failures = deque(sorted(files, reverse=True)), deque[Exception]()
    pools = {proxy: _pool(proxy) for proxy in ("", *getproxies().values())}

    def work() -> None:
        while line and not failures:
            try:
                file = line.popleft()
                _read(pools[_proxy(file.url)], file)
            except IndexError:  # noqa: PERF203 (another thread took the last one)
                return
            except Exception as error:  # noqa: BLE001 (raised where it is waited for)
                failures.append(error)

    start = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - start


def _proxy(url: str) -> str:
    parts = urlsplit(url)
    direct = parts.hostname == "127.0.0.1" or proxy_bypass(parts.hostname or "")
    return "" if direct else getproxies().get(parts.scheme, "")


def _pool(proxy: str) -> urllib3.PoolManager:
    if proxy:
        return urllib3.ProxyManager(proxy, maxsize=CONNECTIONS)
    pool = urllib3.PoolManager(maxsize=CONNECTIONS)
    pool.pool_classes_by_scheme = pools(
        Names(), Trust(None)
    )  # lost answers of a resolver are no floor
    return pool


def _read(pool: urllib3.PoolManager, file: Remote) -> None:
    response = pool.request("GET", file.url, preload_content=False, decode_content=False)
    size = 0
    while chunk := response.read(1 << 18):
        size += len(chunk)
    response.release_conn()
    if response.status != 200 or size != file.size:
        raise OSError(f"a file of {file.size} bytes came as {size}, status {response.status}")
