"""Looks whether a machine and its user have what ds01 works with, and says what to do.

Nothing is changed, and each look ends in bounded time.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.configuration import store_path
from ds01build.engine import containers as engines
from ds01build.engine.api import asking
from ds01build.errors import Ds01Error, NoEngine
from ds01build.once import once
from ds01build.quantities import counted, readable
from ds01build.resolve.session import has_apt
from ds01build.store import open_store
from ds01build.store.durable import free_bytes
from ds01build.store.layout import MOUNTS, refuse_network
from ds01build.workflow import reaching, settings
from ds01build.workflow.checked import Checked, guarded
from ds01build.workflow.configured import connected
from ds01build.workflow.drivers import drivers
from ds01build.workflow.inventory import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ds01build.engine.api import Engine
    from ds01build.workflow.checked import State

    Look = Callable[["Machine"], Iterator[Checked]]

__all__ = ["Machine", "engine", "examine", "looking", "machine", "store"]

_ROOM, _LEAST = 10_000_000_000, 1_000_000_000  # bytes: to build in comfort, and at all
_KINDS = {"graph": "Docker", "containerd": "Docker (containerd store)", "podman": "Podman"}
_ELSEWHERE = "DS01_STORE=DIRECTORY selects another place"
_REMEDIES = {  # by topic, of errors that have no hint of their own
    "store": _ELSEWHERE,
    "disk": _ELSEWHERE,
    "engine": "docker context ls",
    "uv": "pip install --force-reinstall uv",
    "index": "DS01_INDEX_URL=URL names another index",
    "mirror": "DS01_APT_MIRROR=URL names another mirror",
}
_NEEDS = {"read-only": "configuration", "uv": "configuration", "index": "uv"}
_NEEDS |= {"mirror": "configuration"}
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is looked at: a user's environment and home, and the root of the file system."""

    environment: Mapping[str, str]
    home: Path
    engine: Callable[[], Engine]  # raises Unavailable
    root: Path = Path("/")

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return self.environment.get("PATH", _SYSTEM_PATH)


def machine(environment: Mapping[str, str], home: Path) -> Machine:
    """Return this machine as its user sees it."""
    return Machine(
        environment=environment,
        home=home,
        engine=once(lambda: connected(environment, home)),
    )


def examine(looked_at: Machine, *, offline: bool = False) -> Iterator[Checked]:
    """Yield what was looked at, one after the other; ``offline`` asks no network but the engine."""
    looks: dict[str, Look] = {
        "configuration": settings.configuration,
        "limits": settings.limits,
        "store": store,
        "read-only": settings.lenders,
        "disk": _disk,
        "engine": engine,
        "drivers": _drivers,
        "uv": reaching.tool,
        "apt": _apt,
        "git": _git,
        **({} if offline else {"index": reaching.index, "mirror": reaching.mirror}),
    }
    return looking(looked_at, looks)


def looking(looked_at: Machine, looks: Mapping[str, Look]) -> Iterator[Checked]:
    """Yield what each of ``looks`` finds, by its topic.

    What cannot be looked at because of a problem of another topic is no problem of its own.
    """
    lost = {} if settings.is_valid(looked_at) else {"configuration": "configuration"}
    for topic, look in looks.items():
        fault = lost.get(_NEEDS.get(topic, ""))
        if fault:
            lost[topic] = fault
            says = f"not looked at, since {fault} has a problem"
            yield Checked(topic=topic, says=says, state="unknown")
            continue
        for each in guarded(topic, partial(look, looked_at), _REMEDIES.get(topic, "")):
            if each.state == "problem" and topic != "configuration":  # whose others matter to none
                lost[topic] = topic
            yield each


def store(looked_at: Machine) -> Iterator[Checked]:
    """Say how the store is. Raises StoreError for one that cannot be used; none is made."""
    root = store_path(looked_at.environment, looked_at.home)
    if not root.exists():
        refuse_network(root, MOUNTS)
        there = next(each for each in root.parents if each.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise Ds01Error(
                f"no store can be made at {root}: you may not write to {there}",
                hint=_ELSEWHERE,
            )
        yield Checked(topic="store", says=f"{root}: the first build makes it")
        return
    opened = open_store(root, uid=os.geteuid())
    seen = known(opened)
    yield Checked(topic="store", says=f"{opened.root}: {counted(len(seen.current), 'image')}")
    damaged = [name for name, one in seen.current.items() if one.image not in seen.inside]
    aside = sum(1 for _ in (opened.root / "quarantine").iterdir())
    if damaged or aside:
        found = [*damaged, *([counted(aside, "blob") + " in quarantine"] if aside else [])]
        yield Checked(
            topic="store",
            says=f"{opened.root} is damaged: {', '.join(found)}",
            state="problem" if damaged else "warning",
            remedy="ds01 store verify --repair",
        )


def _disk(looked_at: Machine) -> Iterator[Checked]:
    root = store_path(looked_at.environment, looked_at.home)
    free = free_bytes(root)
    says = f"{readable(free)} free for the store"
    if free >= _ROOM:
        yield Checked(topic="disk", says=says)
        return
    state: State = "problem" if free < _LEAST else "warning"
    yield Checked(topic="disk", says=says, state=state, remedy="ds01 store gc --dry-run")


def engine(looked_at: Machine) -> Iterator[Checked]:
    """Say which engine answers. Raises Unavailable for one that is named and does not."""
    try:
        found = looked_at.engine()
    except NoEngine as error:
        says = f"{error}: images go into the store, and there are no containers"
        yield Checked(topic="engine", says=says, state="warning", remedy=error.hint)
        return
    yield Checked(topic="engine", says=f"{_KINDS[found.kind]} {found.version} at {found.place}")
    if engines.maps_users(found):
        yield Checked(
            topic="engine",
            says="it is rootless, or has user namespaces: no container is made in it",
            state="warning",
            remedy="docker context ls, for an engine that runs as root",
        )


def _drivers(looked_at: Machine) -> Iterator[Checked]:
    yield from drivers(looked_at.root, looked_at.path, _runtimes(looked_at))


def _runtimes(looked_at: Machine) -> tuple[str, ...]:
    try:
        found = looked_at.engine()
        with asking(found.place, "how it runs containers"):
            answer = found.client.info().get("Runtimes")
    except Ds01Error:
        return ()
    return tuple(map(str, answer)) if isinstance(answer, dict) else ()


def _apt(looked_at: Machine) -> Iterator[Checked]:
    if has_apt(looked_at.environment):
        yield Checked(topic="apt", says="apt and gpgv are there")
        return
    yield Checked(
        topic="apt",
        says="apt-get, apt-cache or gpgv is not installed: .debs are locked in an engine alone",
        state="warning",
        remedy="sudo apt-get install apt gpgv",
    )


def _git(looked_at: Machine) -> Iterator[Checked]:
    if shutil.which("git", path=looked_at.path):
        yield Checked(topic="git", says="git is there")
        return
    says = "git is not installed: projects begin without a repository"
    remedy = "sudo apt-get install git"
    yield Checked(topic="git", says=says, state="warning", remedy=remedy)
