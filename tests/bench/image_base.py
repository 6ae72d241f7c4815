"""The seed's stack over a base image, into an engine: ds01 against what people build today.

A ``Candidate`` is one way to get the image into an engine; all are measured in the same rounds.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Literal

from engines import DIRECTORY
from engines import place as engine
from standins.catalogue import STAND_INS
from standins.registry import running
from standins.workshop import Workshop, directory

from bench.buildkit import builder
from bench.candidate import ADDED, STATES, TIERS, Candidate, State
from bench.figures import Outcome, Series, Verdict, ratio
from bench.over_image import ours
from bench.peers import Bench, held

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.room import Room

# The newer engine brings buildx with it.
BUILDX = DIRECTORY / "containerd/root/usr/libexec/docker/cli-plugins/docker-buildx"
KINDS = ("graph", "containerd")

# ds01 against a peer, in a state: what the peer's time over ours must be at least.
BOUNDS: tuple[tuple[State, str, float], ...] = (
    ("cold", "uv", 1.0),
    ("cold", "pip", 2.5),
    ("warm", "uv", 1.5),
)


def measure(room: Room, rounds: int) -> Outcome:
    """Compare over the stand-in for a framework's image, in both kinds of engine.

    pip and uv build where most people do, in the older engine; the expert needs the newer one.
    """
    place = room.part("image-base")
    with running(place.directory / "registry") as registry:
        base = registry.push(Workshop(directory()).layout("a", STAND_INS["a"]))
        graph, newer = (_bench(place.directory / kind, engine(kind), base) for kind in KINDS)
        try:
            peers = (peer("pip", graph), peer("uv", graph), peer("expert", newer))
            candidates = (ours(graph), *peers)
            return compare(candidates, rounds, f"load {os.getloadavg()[0]:.1f}")
        finally:
            tags = [base, graph.base_with_uv, *map(_tag, ("pip", "uv", "expert"))]
            for bench in (graph, newer):
                bench.builder.forget(*tags)
            place.clear()


def _bench(place: Path, host: str, base: str) -> Bench:
    place.mkdir()
    found = builder(host, place / "secrets", [BUILDX])
    found.pull(base)
    with_uv = f"ds01-bench/with-uv:{secrets.token_hex(4)}"
    own = held(found, base)
    bench = Bench(builder=found, base=base, base_with_uv=with_uv, held=own, directory=place)
    bench.prepare()
    return bench


def graph_bench(directory: Path, base: str) -> Bench:
    """Return a bench in the engine with a graph driver, with ``base`` in it."""
    return _bench(directory, engine("graph"), base)


def _tag(kind: str) -> str:
    return f"ds01-bench/{kind}:latest"


def peer(kind: Literal["pip", "uv", "expert"], bench: Bench) -> Candidate:
    """Return a peer. What pip lacks when warm is a cache: it is what it is when cold."""
    caches = [f"{secrets.token_hex(4)}-{kind}"]
    tag = _tag(kind)
    more = {name: (*each, ADDED) if not n else each for n, (name, each) in enumerate(TIERS.items())}

    def seconds(state: State) -> float:
        if state == "cold":
            caches.append(f"{secrets.token_hex(4)}-{kind}")
        tiers = more if state == "added" else TIERS
        context, locking = bench.context(kind, tiers, caches[-1])
        options = ("--no-cache",) if state in {"cold", "warm"} else ()
        built = bench.builder.build(context, tag, *options)
        return built + (locking if state == "added" else 0.0)

    return Candidate(name=kind, seconds=seconds)


def compare(candidates: Sequence[Candidate], rounds: int, note: str = "") -> Outcome:
    """Measure all candidates in turn, another one first in each round."""
    taken: dict[tuple[State, str], list[float]] = {
        (state, one.name): [] for state in STATES for one in candidates
    }
    for number in range(rounds):
        first = number % len(candidates)
        for state in STATES:
            for one in (*candidates[first:], *candidates[:first]):
                found = one.seconds(state)
                taken[state, one.name].append(found)
                sys.stderr.write(f"{one.name}, {STATES[state]}: {found:.1f} s\n")
    series = {
        (state, name): Series(name=f"{name}, {STATES[state]}", unit="s", values=tuple(values))
        for (state, name), values in taken.items()
    }
    verdicts = tuple(
        Verdict(
            name=f"{name} / ds01, {state}",
            value=ratio(series[state, name], series[state, "ds01"]),
            bound=bound,
            unit="x",
            kind="at least",
        )
        for state, name, bound in BOUNDS
        if {(state, name), (state, "ds01")} <= series.keys()
    )
    return Outcome(
        scenario="image-base", series=tuple(series.values()), verdicts=verdicts, note=note
    )
