"""Containers that people work in: which there are, what they do, how they go."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound

from ds01build.engine.api import address, asking, shown
from ds01build.engine.interim import interim
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.engine.api import Engine
    from ds01build.engine.interim import Interim

__all__ = [
    "Row",
    "claims",
    "find",
    "maps_users",
    "pause",
    "remove",
    "replaced",
    "rows",
    "start",
    "stop",
    "unpause",
]

_STOP = 10  # seconds that a container has to end
_MOMENT = 0.3  # seconds in which ends what does not work at all
_LINES = 3  # of what a container said before it ended
_RUNNING = ("running", "paused", "restarting")
_STATE = re.compile(r"[a-z]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A container of an engine's list; ``labels`` are anybody's words."""

    container_id: str
    name: str
    image: str  # what whoever made it called its image
    image_id: str  # with its algorithm, as EngineImage.engine_id
    state: str  # created, running, paused, exited, ...
    status: str  # the same in the engine's words, with since when
    created: int  # seconds since the epoch
    labels: Mapping[str, str]
    is_whole: bool = True  # or it is being made, or replaced: that is not its name just now

    @property
    def rank(self) -> tuple[int, str]:
        """Who was first: no two have the same, and none changes."""
        return (self.created, self.container_id)

    @property
    def is_running(self) -> bool:
        """Whether something runs in it; one that is paused is running, too."""
        return self.state in _RUNNING


def rows(engine: Engine, label: str = "") -> tuple[Row, ...]:
    """Return the containers of an engine, running or not, by name; those with a label if given.

    What is not whole yet is left out, and what is being replaced.
    """
    found = (row for row, told in _listed(engine, label) if told is None)
    return tuple(sorted(found, key=lambda row: row.name))


def claims(engine: Engine) -> tuple[Row, ...]:
    """Return the containers of an engine by rank, those that are being made among them.

    What dead processes left half-made claims nothing.
    """
    found = (row for row, told in _listed(engine) if told is None or told.may_live)
    return tuple(sorted(found, key=lambda row: row.rank))


def replaced(engine: Engine, name: str) -> Row | None:
    """Return the container of that name that a living process replaces just now, if there is one.

    Nobody else may have its name meanwhile.
    """
    found = (
        row
        for row, told in _listed(engine)
        if told and row.name == name and told.why != "creating" and told.may_live
    )
    return next(found, None)


def _listed(engine: Engine, label: str = "") -> Iterator[tuple[Row, Interim | None]]:
    """Yield what an engine lists, and what names tell that are not for people."""
    with asking(engine.place, "for its containers"):
        answer = engine.client.containers(all=True, filters={"label": label} if label else None)
    for each in answer:
        names = [str(name).removeprefix("/") for name in each.get("Names") or ()]
        name = next((name for name in names if "/" not in name), "")  # others are those of links
        if name:
            told = interim(name)
            yield _row(told.name if told else name, each, is_whole=told is None), told


def _state(said: object) -> str:
    """Return what an engine says that a container does: one word."""
    return said if isinstance(said, str) and _STATE.fullmatch(said) else "unknown"


def find(engine: Engine, name: str) -> Row | None:
    """Return the container of that very name, None where there is none."""
    return next((row for row in rows(engine) if row.name == name), None)


def _row(name: str, answer: Mapping[str, Any], *, is_whole: bool) -> Row:
    labels = answer.get("Labels") or {}
    return Row(
        container_id=str(answer.get("Id") or ""),
        name=name,
        image=str(answer.get("Image") or ""),
        image_id=address(str(answer.get("ImageID") or "")),
        state=_state(answer.get("State")),
        status=str(answer.get("Status") or ""),
        created=int(answer.get("Created") or 0),
        labels={str(key): str(value) for key, value in labels.items()},
        is_whole=is_whole,
    )


def maps_users(engine: Engine) -> bool:
    """Say whether the uid of a process in a container is another one outside.

    So it is in rootless engines and with user namespaces: files in a workspace would be of nobody.
    """
    with asking(engine.place, "how it runs containers"):
        info = engine.client.info()
    options = {str(each).partition(",")[0] for each in info.get("SecurityOptions") or ()}
    # Podman says it in a field of its own.
    return not options.isdisjoint(("name=rootless", "name=userns")) or info.get("Rootless") is True


def start(engine: Engine, name: str) -> None:
    """Start a container, and be sure that it runs; one that does stays as it is.

    Raises Ds01Error with what it said where it ends at once, as without a shell in its image.
    """
    with asking(engine.place, f"to start the container {name}"):
        engine.client.start(name)
        time.sleep(_MOMENT)
        state = engine.client.inspect_container(name)["State"]
        if state["Running"]:
            return
        said = engine.client.logs(name, tail=_LINES)
    told = f": {shown(said.decode(errors='replace'))}" if said.strip() else ""
    raise Ds01Error(f"{name} ended as soon as it was started (exit code {state['ExitCode']}){told}")


def stop(engine: Engine, name: str, seconds: int = _STOP, *, is_killed: bool = False) -> None:
    """Stop a container, or kill it; one that is paused goes on first. A stopped one stays so."""
    client = engine.client
    with asking(engine.place, f"to stop the container {name}"):
        with suppress(APIError):  # most are not paused
            client.unpause(name)
        if is_killed:
            with suppress(APIError):  # it is stopped
                client.kill(name)
            return
        client.stop(name, timeout=seconds)


def pause(engine: Engine, name: str) -> None:
    """Freeze all processes of a container."""
    with asking(engine.place, f"to pause the container {name}"):
        engine.client.pause(name)


def unpause(engine: Engine, name: str) -> None:
    """Let the processes of a container go on."""
    with asking(engine.place, f"to unpause the container {name}"):
        engine.client.unpause(name)


def remove(engine: Engine, name: str, *, volumes: bool = False, is_killed: bool = False) -> None:
    """Remove a container, with its anonymous volumes where ``volumes``.

    One that runs is refused, unless it is to be killed.
    """
    with asking(engine.place, f"to remove the container {name}"), suppress(NotFound):
        engine.client.remove_container(name, v=volumes, force=is_killed)
