"""Small changes to an image that is there, into an engine: ds01 against BuildKit with warm caches.

Each round adds other packages, since whoever has built something once has it cached.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from standins.catalogue import STAND_INS
from standins.layout import Made, tar
from standins.registry import running
from standins.workshop import Workshop, directory

from bench.candidate import TIERS
from bench.figures import Outcome, Series, Verdict, ratio
from bench.image_base import graph_bench
from bench.over_image import recipe
from bench.peers import apt, pip, uv
from bench.room import DS01, Room, seconds
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from pathlib import Path

    from standins.layout import Layout
    from standins.registry import Registry

    from bench.peers import Bench, Tiers
    from bench.room import Room as Place

HAD = "rsync"  # the Debian package of the image as it was: the base does not have it
FIRST, LAST = ("tabulate", "inflection", "pyfiglet"), ("humanize", "munch", "parse")
DEBIAN = ("tree", "pv", "hello")
OVER = 64 * 1024  # bytes that an engine may be sent beside the changed layers
CHANGES = {
    "nothing": "nothing changed",
    "first": "a package added to the first Python tier",
    "last": "a package added to the last Python tier",
    "apt": "a Debian package added",
}
CACHED, COLD = "facts cached", "facts cold, image in the engine"
EXECUTED = "facts cached, and an apt tier"
LIMITS = {CACHED: 1.0, COLD: 5.0}  # seconds for a base that has moved
# What a peer's time over ours must be at least.
BOUNDS = (
    ("nothing", "uv", 1.0),
    ("first", "uv", 8.0),
    ("first", "pip", 20.0),
    ("last", "uv", 5.0),
    ("apt", "uv", 3.0),
    ("apt", "uv, apt last", 1.0),
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an image has: packages by tier, and Debian packages."""

    tiers: Tiers
    debs: tuple[str, ...] = (HAD,)


def asked(change: str, number: int) -> Asked:
    """Return what is asked for in a round after a change."""
    names = list(TIERS)
    more = {"first": (names[0], FIRST), "last": (names[-1], LAST)}.get(change)
    debs = (HAD, DEBIAN[number]) if change == "apt" else (HAD,)
    if more is None:
        return Asked(tiers=TIERS, debs=debs)
    tier, packages = more
    return Asked(tiers={**TIERS, tier: (*TIERS[tier], packages[number])}, debs=debs)


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A way with BuildKit; ``text`` is its Dockerfile."""

    name: str
    bench: Bench
    cache: str = "update"

    def seconds(self, wanted: Asked) -> float:
        context = self.bench.directory / self.place
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(self.text(wanted))
        return self.bench.builder.build(context, self.tag)

    @property
    def place(self) -> str:
        return self.name.replace(",", "").replace(" ", "-")

    @property
    def tag(self) -> str:
        return f"ds01-bench/update-{self.place}:latest"

    def text(self, wanted: Asked) -> str:
        if self.name == "pip":
            return apt(pip(self.bench.base, wanted.tiers), wanted.debs)
        text = uv(self.bench.base_with_uv, wanted.tiers, self.cache)
        return apt(text, wanted.debs, last=self.name == "uv, apt last")


@dataclass(frozen=True, kw_only=True)
class Ours:
    """ds01, with the recipe and lock of the image as it was kept aside."""

    bench: Bench
    room: Room
    name: str = "ds01"
    said: list[dict[str, Any]] = field(default_factory=list)

    def seconds(self, wanted: Asked) -> float:
        self.reset()
        self.room.recipe.write_text(self.text(wanted))
        command = self.room.command("build", "--load", "--keep-sources", "--quiet")
        return seconds(command, self.room.environment)

    def text(self, wanted: Asked) -> str:
        system = f'[tiers.system]\nkind = "apt"\npackages = {json.dumps([*wanted.debs])}\n'
        return recipe(self.bench.base, wanted.tiers) + (system if wanted.debs else "")

    def keep(self) -> None:
        lock = lock_path(self.room.recipe)
        shutil.copyfile(lock, lock.with_suffix(".kept"))

    def reset(self) -> None:
        lock = lock_path(self.room.recipe)
        if lock.with_suffix(".kept").exists():
            shutil.copyfile(lock.with_suffix(".kept"), lock)

    def rows(self) -> set[Path]:
        """Return the files by which the store knows layers."""
        return set((self.room.directory / "store/keys").rglob("*.json"))

    def sent_beside(self, wanted: Asked) -> float:
        """Build once more with another package, and return the bytes sent beside its layers."""
        self.reset()
        self.room.recipe.write_text(self.text(wanted))
        answer = json.loads(self.room.run("build", "--load", "--keep-sources", "--json", "--quiet"))
        blobs = self.room.directory / "store/blobs/sha256"
        new = [one for one in answer["layers"] if one["action"] != "reused"]
        plain = sum(
            len(gzip.decompress((blobs / one["digest"].removeprefix("sha256:")).read_bytes()))
            for one in new
        )
        return float(answer["bytes"]["sent"] - plain)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What bases that moved took, in seconds, and the Python layers that were written for them."""

    taken: dict[str, list[float]]
    written: int


def measure(room: Place, rounds: int) -> Outcome:
    """Compare over the stand-in for a framework's image, in the engine that most people have."""
    place = room.part("update")
    with running(place.directory / "registry") as registry:
        layout = Workshop(directory()).layout("a", STAND_INS["a"])
        base = registry.push(layout)
        bench = graph_bench(place.directory / "graph", base)
        own = bench.directory / "ds01"
        own.mkdir()
        environment = (("DOCKER_HOST", bench.builder.host),)
        ours = Ours(
            bench=bench,
            room=Room(directory=own, recipe=own / "stack.toml", extra=environment),
        )
        peers = [Peer(name=name, bench=bench) for name in ("pip", "uv", "uv, apt last")]
        try:
            taken = _compare(ours, peers, min(rounds, len(FIRST)))
            extra = ours.sent_beside(asked("first", 0))
            copy = layout.copied(place.directory / "layout")
            moved = _moved(ours, registry, copy, min(rounds, len(FIRST)))
            return _outcome(taken, extra, moved)
        finally:
            bench.builder.forget(base, bench.base_with_uv, *(each.tag for each in peers))
            place.clear()


def _compare(ours: Ours, peers: list[Peer], rounds: int) -> dict[tuple[str, str], list[float]]:
    taken: dict[tuple[str, str], list[float]] = {}
    ways: list[Ours | Peer] = [ours, *peers]
    for one in ways:
        one.seconds(asked("nothing", 0))
    ours.keep()
    for number in range(rounds):
        for change, title in CHANGES.items():
            for one in ways:
                if _is_measured(change, one.name):
                    one.seconds(asked("nothing", number))
                    found = one.seconds(asked(change, number))
                    taken.setdefault((change, one.name), []).append(found)
                    sys.stderr.write(f"{one.name}, {title}: {found:.2f} s\n")
    return taken


def _is_measured(change: str, name: str) -> bool:
    return name != ("pip" if change == "apt" else "uv, apt last")


def _moved(ours: Ours, registry: Registry, layout: Layout, rounds: int) -> Moved:
    """Return what a base that has moved takes into the store: facts known, and image at hand.

    An apt tier is executed over the new base; how long that takes is a line of its own.
    """
    taken: dict[str, list[float]] = {}
    written = 0
    for number in range(rounds):
        for state in (CACHED, COLD, EXECUTED):
            ours.seconds(Asked(tiers=TIERS, debs=(HAD,) if state == EXECUTED else ()))
            content = f"{state} {number}\n".encode()
            layout.append(tar([Made(path="srv/moved", content=content, mode=0o644)]))
            base = registry.push(layout)
            ours.bench.builder.pull(base)
            if state != COLD:
                seconds([str(DS01), "base", "show", base], ours.room.environment)
            before = ours.rows()
            command = ours.room.command("rebase", "--build", "--no-load")
            found = seconds(command, ours.room.environment)
            taken.setdefault(state, []).append(found)
            written += sum(map(_is_python, ours.rows() - before))
            sys.stderr.write(f"base moved, {state}: {found:.2f} s\n")
    return Moved(taken=taken, written=written)


def _is_python(row: Path) -> bool:
    content = row.read_bytes()
    return b'"schema":"ds01.layer/' in content and b'"wheels"' in content


def _outcome(taken: dict[tuple[str, str], list[float]], extra: float, moved: Moved) -> Outcome:
    series = {
        (change, name): Series(name=f"{name}, {CHANGES[change]}", unit="s", values=tuple(values))
        for (change, name), values in taken.items()
    }
    moves = {
        state: Series(name=f"ds01, base moved, {state}", unit="s", values=tuple(values))
        for state, values in moved.taken.items()
    }
    verdicts = [
        Verdict(
            name=f"{name} / ds01, {CHANGES[change]}",
            value=ratio(series[change, name], series[change, "ds01"]),
            bound=bound,
            unit="x",
            kind="at least",
        )
        for change, name, bound in BOUNDS
    ]
    verdicts.append(
        Verdict(name="sent beside the changed layer", value=extra, bound=OVER, unit="B")
    )
    verdicts += [
        Verdict(name=f"base moved, {state}", value=moves[state].median, bound=bound, unit="s")
        for state, bound in LIMITS.items()
    ]
    written = "base moved: Python layers written"
    verdicts.append(Verdict(name=written, value=moved.written, bound=0.0, unit=""))
    return Outcome(
        scenario="update",
        series=(*series.values(), *moves.values()),
        verdicts=tuple(verdicts),
        note=f"load {os.getloadavg()[0]:.1f}",
    )
