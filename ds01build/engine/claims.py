"""Which containers say that a GPU is theirs: all of an engine, also those that are being made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ds01build.engine.api import asking
from ds01build.engine.containers import ASIDE, RUNNING, owner_of, state_of
from ds01build.gpus import way_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Literal

    from ds01build.engine.api import Engine

__all__ = ["Claim", "claims", "way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A container, by what it is, or is going to be, called; ``labels`` are anybody's words."""

    container_id: str
    name: str
    created: int  # seconds since the epoch
    is_whole: bool  # it has its name; another one is being made by a process that may live
    state: str  # created, running, paused, exited, ...
    labels: Mapping[str, str]

    @property
    def is_running(self) -> bool:
        """Whether something runs in it; one that is paused is running, too."""
        return self.state in RUNNING

    @property
    def rank(self) -> tuple[int, str]:
        """Who was first: no two have the same, and none changes."""
        return (self.created, self.container_id)


def claims(engine: Engine) -> tuple[Claim, ...]:
    """Return the containers of an engine at one moment, but for what dead processes left."""
    with asking(engine.place, "for its containers"):
        answer = engine.client.containers(all=True)
    found = (_claim(each) for each in answer)
    return tuple(sorted((each for each in found if each), key=lambda each: each.rank))


def _claim(answer: Mapping[str, Any]) -> Claim | None:
    names = [str(each).removeprefix("/") for each in answer.get("Names") or ()]
    name = next((each for each in names if "/" not in each), "")  # others are those of links
    match = ASIDE.fullmatch(name)
    owner = owner_of(match["owner"]) if match else None
    if not name or (match and not (owner and owner.may_live)):
        return None
    labels = answer.get("Labels") or {}
    return Claim(
        container_id=str(answer.get("Id") or ""),
        name=match["name"] if match else name,
        created=int(answer.get("Created") or 0),
        is_whole=match is None,
        state=state_of(answer.get("State")),
        labels={str(key): str(value) for key, value in labels.items()},
    )


def way(engine: Engine, uuids: Collection[str]) -> Literal["request", "cdi"]:
    """Return how an engine is asked for NVIDIA's devices of these UUIDs."""
    with asking(engine.place, "how it hands out GPUs"):
        answer = engine.client.info()
    return way_of(answer, uuids, is_podman=engine.kind == "podman")
