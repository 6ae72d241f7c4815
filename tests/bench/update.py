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
from bench.room import Room, seconds
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from bench.peers import Bench, Tiers
    from bench.room import Room as Place

HAD = "less"  # the Debian package of the image as it was
FIRST, LAST = ("tabulate", "inflection", "pyfiglet"), ("humanize", "munch", "parse")
DEBIAN = ("tree", "pv", "hello")
OVER = 64 * 1024  # bytes that an engine may be sent beside the changed layers
CHANGES = {
    "nothing": "nothing changed",
    "first": "a package added to the first Python tier",
    "last": "a package added to the last Python tier",
    "apt": "a Debian package added",
}
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
        return recipe(self.bench.base, wanted.tiers) + system

    def keep(self) -> None:
        lock = lock_path(self.room.recipe)
        shutil.copyfile(lock, lock.with_suffix(".kept"))

    def reset(self) -> None:
        lock = lock_path(self.room.recipe)
        if lock.with_suffix(".kept").exists():
            shutil.copyfile(lock.with_suffix(".kept"), lock)

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
            moved = _moved(ours, registry, layout.copied(place.directory / "layout"))
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


def _moved(ours: Ours, registry: Any, layout: Any) -> dict[str, float]:  # noqa: ANN401
    """Return what a base that has moved takes into the store: facts known, and image at hand."""
    ours.seconds(asked("nothing", 0))
    found = {}
    for state in ("facts cached", "facts cold, image in the engine"):
        content = f"{state}\n".encode()
        layout.append(tar([Made(path="srv/moved", content=content, mode=0o644)]))
        base = registry.push(layout)
        ours.bench.builder.pull(base)
        if state == "facts cached":
            show = [ours.room.command("base", "show")[0], "base", "show", base]
            seconds(show, ours.room.environment)
        before = set((ours.room.directory / "store/keys").rglob("*.json"))
        plain = {**ours.room.environment}
        command = [ours.room.command()[0], "rebase", str(ours.room.recipe), "--build", "--no-load"]
        found[state] = seconds(command, plain)
        new = set((ours.room.directory / "store/keys").rglob("*.json")) - before
        found[f"{state}: Python layers written"] = float(
            sum(
                b'"schema":"ds01.layer/' in each.read_bytes() and b'"wheels"' in each.read_bytes()
                for each in new
            )
        )
        sys.stderr.write(f"base moved, {state}: {found[state]:.2f} s\n")
    return found


def _outcome(
    taken: dict[tuple[str, str], list[float]], extra: float, moved: dict[str, float]
) -> Outcome:
    series = {
        (change, name): Series(name=f"{name}, {CHANGES[change]}", unit="s", values=tuple(values))
        for (change, name), values in taken.items()
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
    limits = {"facts cached": 1.0, "facts cold, image in the engine": 5.0}
    verdicts += [
        Verdict(
            name=f"base moved, {name}",
            value=value,
            bound=limits.get(name, 0.0),
            unit="s" if name in limits else "",
        )
        for name, value in moved.items()
    ]
    return Outcome(
        scenario="update",
        series=tuple(series.values()),
        verdicts=tuple(verdicts),
        note=f"load {os.getloadavg()[0]:.1f}",
    )
