"""The most memory that ds01 itself has while it builds an image with one very large wheel."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import random
import subprocess
import time
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from values import suite_of

from bench.figures import Outcome, Series, Verdict
from ds01build import lockfile
from ds01build.lock import LockedLayer, LockedTier
from ds01build.pin import WheelPin
from ds01build.store.blobs import digest_of
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.room import Room
    from ds01build.lock import Lock

BOUND = 300.0  # MB
SIZE = 1_000_000_000  # bytes
_FILE = "large-1.0-py3-none-any.whl"
_CHUNK = 1 << 20
_EVERY = 0.005  # seconds between samples

_RECIPE = """\
schema = 1
name = "large"

[base]
debian = "{suite}"

[tiers.large]
kind = "python"
packages = ["large==1.0"]
"""


def measure(room: Room, rounds: int, size: int = SIZE) -> Outcome:
    lock = room.lock()
    place = room.part("memory")
    wheel = _publish(place.directory / "index", size)
    (place.directory / "large.toml").write_text(_RECIPE.format(suite=suite_of(lock)))
    index = ("DS01_INDEX_URL", (place.directory / "index").as_uri())
    place = replace(place, recipe=place.directory / "large.toml", extra=(*place.extra, index))
    base = _base(lock)
    _write(place, base)
    place.run("build", "--frozen", "--quiet", "--keep-sources")  # the .debs, and their layers
    _write(place, _with(base, wheel))
    peaks = [_build(place, wheel) for _ in range(rounds)]
    own = Series(name="ds01", unit="MB", values=tuple(peak.own / 1e6 for peak in peaks))
    uv = Series(name="uv", unit="MB", values=tuple(peak.children / 1e6 for peak in peaks))
    place.clear()
    return Outcome(
        scenario="memory",
        series=(own, uv),
        verdicts=(Verdict(name="peak of ds01", value=max(own.values), bound=BOUND, unit="MB"),),
        note=f"anonymous memory, a wheel of {wheel.size / 1e6:.0f} MB, {peaks[0].samples} samples",
    )


def _base(lock: Lock) -> Lock:
    """Return what ``lock`` has of its base, and nothing else."""
    return replace(
        lock,
        name="large",
        tiers=(),
        wheels=(),
        files=(),
        debs=tuple(pin for pin in lock.debs if pin.tier == "base"),
        layers=tuple(layer for layer in lock.layers if layer.tier == "base"),
    )


def _with(lock: Lock, wheel: WheelPin) -> Lock:
    return replace(
        lock,
        tiers=(LockedTier(name="large", kind="python", requests=("large==1.0",)),),
        wheels=(wheel,),
        layers=(*lock.layers, LockedLayer(tier="large", kind="wheels", names=("large",))),
    )


def _write(place: Room, lock: Lock) -> None:
    lock_path(place.recipe).write_text(lockfile.dumps(lock), encoding="utf-8")


def _publish(index: Path, size: int) -> WheelPin:
    """Write the wheel into an index of files (PEP 503) and return its pin."""
    folder = index / "large"
    folder.mkdir(parents=True)
    large(folder / _FILE, size)
    digest, length = digest_of(folder / _FILE)
    link = f'<a href="{_FILE}#sha256={digest.hex}">{_FILE}</a>'
    page = f"<!DOCTYPE html><html><body>{link}</body></html>"
    (folder / "index.html").write_text(page, encoding="utf-8")
    return WheelPin(
        name="large", version="1.0", file=_FILE, size=length, digest=digest, tier="large"
    )


def large(path: Path, size: int) -> None:
    """Write a sound wheel of about ``size`` bytes: half noise, half what packs to a tenth."""
    rows: list[list[str]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _files(size):
            summed, length = hashlib.sha256(), 0
            with archive.open(name, "w") as file:
                for chunk in content:
                    file.write(chunk)
                    summed.update(chunk)
                    length += len(chunk)
            checksum = base64.urlsafe_b64encode(summed.digest()).decode().rstrip("=")
            rows.append([name, f"sha256={checksum}", str(length)])
        text = io.StringIO()
        csv.writer(text).writerows([*rows, ["large-1.0.dist-info/RECORD", "", ""]])
        archive.writestr("large-1.0.dist-info/RECORD", text.getvalue())


def _files(size: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "large/noise.bin", _noise(size // 2)
    yield "large/mixed.bin", _mixed(size // 2)
    for name, content in {
        "large/__init__.py": b"",
        "large-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: large\nVersion: 1.0\n",
        "large-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }.items():
        yield name, iter([content])


def _noise(size: int) -> Iterator[bytes]:
    source = random.Random(1)
    for start in range(0, size, _CHUNK):
        yield source.randbytes(min(_CHUNK, size - start))


def _mixed(size: int) -> Iterator[bytes]:
    """Yield what is ``size`` bytes when it is packed, and about twice that before."""
    for chunk in _noise(size):
        yield chunk
        yield bytes(len(chunk))


@dataclass
class Peak:
    """Anonymous memory in bytes: of a process, and of all that it started together."""

    own: int = 0
    children: int = 0
    samples: int = 0
    command: list[str] = field(default_factory=list)


def _build(place: Room, wheel: WheelPin) -> Peak:
    fresh = place.store()
    for path in (place.directory / "store" / "keys").glob("*/*.json"):
        if f'"{wheel.digest}"' in path.read_text():
            path.unlink()
    fresh.remove(wheel.digest)
    process = subprocess.Popen(
        place.command("build", "--frozen", "--quiet"),
        env=place.environment,
        stdout=subprocess.DEVNULL,
    )
    peak = watch(process)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return peak


def watch(process: subprocess.Popen[bytes]) -> Peak:
    """Sample a process until it ends."""
    peak = Peak()
    while process.poll() is None:
        peak.own = max(peak.own, _anonymous(process.pid))
        peak.children = max(peak.children, sum(map(_anonymous, _children(process.pid))))
        peak.samples += 1
        time.sleep(_EVERY)
    return peak


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def _anonymous(pid: int) -> int:
    """Return the bytes of memory that no file is behind: proc_pid_status(5), RssAnon."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line[:8] == "RssAnon:"), 0)
