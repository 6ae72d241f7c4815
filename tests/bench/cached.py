"""The layers of wheels that are there already, against installing and packing the same wheels."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from uv import find_uv_bin
from values import target_of

from bench.figures import Outcome, Series, Verdict, ratio
from bench.room import seconds
from ds01build import graph, spec
from ds01build.spec import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from bench.room import Room
    from ds01build.lock import Lock
    from ds01build.store import DirStore

GZIPPED, PLAIN = 4.0, 1.0  # bounds


def measure(room: Room, rounds: int) -> Outcome:
    lock = room.lock()
    kept = room.part("kept")
    kept.run("build", "--frozen", "--quiet", "--keep-sources")
    wheels = _wheels(kept, lock)
    rows = [_round(kept, lock, wheels, number) for number in range(rounds)]
    names = (
        "ds01 build --offline, wheels there, no Python layers",
        "uv pip install --target",
        "uv pip install --target, warm cache",
        "tar | gzip -1",
        "tar",
    )
    series = [
        Series(name=name, unit="s", values=values)
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    ]
    build, cold, warm, gzipped, plain = series
    # For the reader: what each round took in all.
    totals = [_sum(install, pack) for install in (cold, warm) for pack in (gzipped, plain)]
    size = sum(pin.size for pin in lock.wheels)
    return Outcome(
        scenario="cached",
        series=(*series, *totals),
        verdicts=(
            Verdict(
                name="install, tar | gzip -1 / build",
                value=ratio(totals[0], build),
                bound=GZIPPED,
                unit="x",
                kind="at least",
            ),
            Verdict(
                name="build / install, tar", value=ratio(build, totals[1]), bound=PLAIN, unit="x"
            ),
        ),
        note=f"{len(lock.wheels)} wheels, {size / 1e6:.0f} MB",
    )


def _wheels(kept: Room, lock: Lock) -> Path:
    """Return a folder of the wheels under their own names."""
    folder = kept.directory / "wheels"
    folder.mkdir()
    store = kept.store()
    for pin in lock.wheels:
        (folder / pin.file).hardlink_to(store.path(pin.digest))
    lines = [f"{pin.name}=={pin.version}\n" for pin in lock.wheels]
    (folder / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def _round(
    kept: Room, lock: Lock, wheels: Path, number: int
) -> tuple[float, float, float, float, float]:
    if number % 2:
        built = _build(kept, lock)
        return (built, *_install(kept, lock, wheels))
    installed = _install(kept, lock, wheels)
    return (_build(kept, lock), *installed)


def _build(kept: Room, lock: Lock) -> float:
    forget(kept.store(), lock)
    arguments = ("build", "--frozen", "--offline", "--quiet", "--keep-sources")
    return seconds(kept.command(*arguments), kept.environment)


def _install(kept: Room, lock: Lock, wheels: Path) -> tuple[float, float, float, float]:
    """Return the seconds of an install with a new cache, one with a warm cache, and two tars."""
    place = kept.part("install")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[lock.base.architecture]
    command = [
        *(find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--offline", "--no-index"),
        *("--no-deps", "--find-links", str(wheels), "-r", str(wheels / "requirements.txt")),
        *("--python-version", target_of(lock).version, "--cache-dir", str(place.directory / "uv")),
        *("--python-platform", f"{machine}-manylinux_2_36", "--target"),
    ]
    cold = seconds([*command, place.directory / "cold"])
    warm = seconds([*command, place.directory / "warm"])
    source = str(place.directory / "warm")
    gzipped = _timed_shell(f"tar -C {source} -cf - . | gzip -1 >{place.directory}/layer.tar.gz")
    plain = _timed_shell(f"tar -C {source} -cf {place.directory}/layer.tar .")
    shutil.rmtree(place.directory)
    return cold, warm, gzipped, plain


def _timed_shell(line: str) -> float:
    start = time.perf_counter()
    seconds(["sh", "-c", line])
    return time.perf_counter() - start


def _sum(one: Series, other: Series) -> Series:
    values = tuple(sum(pair) for pair in zip(one.values, other.values, strict=True))
    return Series(name=f"{one.name}, {other.name}", unit="s", values=values)


def forget(store: DirStore, lock: Lock) -> None:
    """Remove the layers of wheels; a row whose blob is missing counts for nothing."""
    for _, layer in graph.of(lock).stack:
        found = store.layer(spec.key(layer)) if isinstance(layer, WheelSpec) else None
        if found:
            store.remove(found.digest)
