"""The plan of a recipe with very many tiers, in this process and as a command."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from values import suite_of

from bench.figures import Outcome, Series, Verdict
from bench.room import seconds
from ds01build import graph, grouping, lockfile, plan
from ds01build.digest import Digest
from ds01build.grouping import Item
from ds01build.layers import root
from ds01build.lock import Lock, LockedDebian, LockedLayer, LockedTier
from ds01build.pin import DebPin, WheelPin
from ds01build.plan import Present
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from bench.room import Room

BOUND = 1.0  # seconds
TIERS = 1000
_WHEELS = 2  # of each tier


def measure(room: Room, rounds: int, tiers: int = TIERS) -> Outcome:
    place = room.part("plan")
    place = replace(place, recipe=place.directory / "many.toml")
    lock = many(tiers)
    place.recipe.write_text(recipe(lock), encoding="utf-8")
    lock_path(place.recipe).write_text(lockfile.dumps(lock), encoding="utf-8")
    runs = [(_plan(lock), seconds(_command(place), place.environment)) for _ in range(rounds)]
    place.clear()
    inside, command = zip(*runs, strict=True)
    series = (
        Series(name="graph.of, plan.make", unit="s", values=inside),
        Series(name="ds01 plan --frozen", unit="s", values=command),
    )
    return Outcome(
        scenario="plan",
        series=series,
        verdicts=tuple(
            Verdict(name=one.name, value=one.median, bound=BOUND, unit="s") for one in series
        ),
        note=f"{tiers} tiers, {len(lock.wheels)} wheels, {len(lock.layers)} layers",
    )


def _command(place: Room) -> list[str]:
    return place.command("plan", "--frozen", "--quiet")


def _plan(lock: Lock) -> float:
    start = time.perf_counter()
    made = plan.make(graph.of(lock), Present(layers={}, sources=frozenset(), facts=frozenset()))
    assert len(made.downloads) == len(lock.wheels) + len(lock.debs)
    return time.perf_counter() - start


def many(tiers: int) -> Lock:
    """Return a lock of Python tiers, each after the two before it, in as many layers as fit."""
    names = [f"tier-{number}" for number in range(tiers)]
    wheels = tuple(_wheel(name, number) for name in names for number in range(_WHEELS))
    debs = (_deb("libc6", "2.36-9"), _deb("python3.11-minimal", "3.11.2-6"))
    items = [
        *(Item("base", "debs", pin.name, pin.size, pin.digest) for pin in debs),
        *(Item(pin.tier, "wheels", pin.name, pin.size, pin.digest) for pin in wheels),
    ]
    return Lock(
        name="many",
        recipe=Digest.of(b""),
        base=LockedDebian(suite="bookworm", architecture="amd64"),
        target=root.target("3.11.2"),
        tiers=tuple(
            LockedTier(name=name, kind="python", after=tuple(names[max(0, place - 2) : place]))
            for place, name in enumerate(names)
        ),
        debs=debs,
        wheels=tuple(sorted(wheels)),
        layers=tuple(
            LockedLayer(tier=one.tier, kind=one.kind, names=one.names)
            for one in grouping.group(items, ["base", *names])
        ),
    )


def recipe(lock: Lock) -> str:
    lines = ["schema = 1", f'name = "{lock.name}"', "[base]", f'debian = "{suite_of(lock)}"']
    for tier in lock.tiers:
        own = [f'"{pin.name}=={pin.version}"' for pin in lock.wheels if pin.tier == tier.name]
        after = ", ".join(f'"{name}"' for name in tier.after)
        lines += [
            f"[tiers.{tier.name}]",
            f'kind = "{tier.kind}"',
            f"packages = [{', '.join(own)}]",
            *([f"after = [{after}]"] if after else []),
        ]
    return "\n".join([*lines, ""])


def _wheel(tier: str, number: int) -> WheelPin:
    name = f"package-{tier}-{number}"
    return WheelPin(
        name=name,
        version="1.0",
        file=f"{name.replace('-', '_')}-1.0-py3-none-any.whl",
        size=100_000 + len(tier),
        digest=Digest.of(name.encode()),
        tier=tier,
    )


def _deb(name: str, version: str) -> DebPin:
    return DebPin(
        name=name,
        version=version,
        architecture="amd64",
        path=f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb",
        size=1000,
        digest=Digest.of(name.encode()),
        tier="base",
    )
