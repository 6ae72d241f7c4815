"""What an engine has that ds01 made, and what of it somebody uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ds01build.engine.api import address, asking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ds01build.engine.api import Engine

__all__ = [
    "Container",
    "Holding",
    "Holdings",
    "holdings",
    "inherits",
    "is_given",
    "named",
    "own_labels",
    "owner_of",
]

_TIER = re.compile(r"ds01/tier:([0-9a-f]{64})")
_OWN = re.compile(r"ds01-([0-9]{1,10})/([a-z0-9._-]{1,128}):([0-9a-f]{12}|latest)")
_USERS = re.compile(r"ds01-([0-9]{1,10})/([a-z0-9._/-]{1,128})(?::([A-Za-z0-9_.-]{1,128}))?")
_CONTAINER = re.compile(r"[^/]{1,200}\._\.([0-9]{1,10})")  # NAME._.UID
_ID = re.compile(r"[0-9a-f]{64}")
_STATE = re.compile(r"[a-z]{1,20}")
_NAME = "ds01.name"
_MADE = "ds01."  # how the labels begin that say of what an image was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An image of an engine's list."""

    engine_id: str
    tags: tuple[str, ...]
    labels: frozenset[tuple[str, str]]  # those of ds01
    created: float  # seconds since the epoch, as its configuration says
    size: int = 0  # bytes, unpacked

    @property
    def is_tier(self) -> bool:
        """Whether it is but a stage of a Dockerfile, by each of its tags."""
        return bool(self.tags) and all(map(_TIER.fullmatch, self.tags))

    @property
    def users(self) -> frozenset[int]:
        """The users whom its tags say that it belongs to."""
        found = map(named, self.tags)
        return frozenset(each[0] for each in found if each)

    @property
    def has_other_names(self) -> bool:
        """Whether people have given it a name of their own."""
        return not all(_TIER.fullmatch(tag) or _OWN.fullmatch(tag) for tag in self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of an engine's list, running or not."""

    container_id: str  # 64 hex digits
    name: str
    state: str  # created, running, paused, exited or another word of the engine's
    engine_id: str  # of the image that it was made from
    image: str  # what the list calls that image: an id where the name stands for another by now
    labels: frozenset[tuple[str, str]]  # those of ds01

    @property
    def owner(self) -> int | None:
        """The user whose it is, as far as its name or that of its image says so."""
        match = _CONTAINER.fullmatch(self.name)
        return int(match[1]) if match else owner_of(self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """All images of an engine, and of which images there are containers, running or not."""

    images: tuple[Holding, ...]
    used: frozenset[str]  # engine_ids of images that containers were made from
    used_labels: frozenset[frozenset[tuple[str, str]]]  # ds01's, of those containers
    containers: tuple[Container, ...] = ()  # sorted by name

    def uses(self, engine_id: str, labels: frozenset[tuple[str, str]]) -> bool:
        """Say whether there is a container of an image with that name and those labels."""
        return engine_id in self.used or any(inherits(each, labels) for each in self.used_labels)


def inherits(container: frozenset[tuple[str, str]], image: frozenset[tuple[str, str]]) -> bool:
    """Say whether a container has the labels of an image; its name is one of its own."""
    made = {each for each in image if each[0] != _NAME}
    return bool(made) and made <= container


def holdings(engine: Engine) -> Holdings:
    """Return what ``engine`` has. Raises Unavailable, and Ds01Error where it cannot list it."""
    with asking(engine.place, "for its images"):
        images = engine.client.images()
    with asking(engine.place, "for its containers"):
        containers = engine.client.containers(all=True)
    return Holdings(
        images=tuple(sorted(map(_holding, images), key=lambda one: one.engine_id)),
        used=frozenset(address(str(each.get("ImageID"))) for each in containers),
        used_labels=frozenset(own_labels(each.get("Labels")) for each in containers)
        - {frozenset[tuple[str, str]]()},
        containers=tuple(sorted(_containers(containers), key=lambda one: one.name)),
    )


def named(tag: str) -> tuple[int, str, str] | None:
    """Return whose image a tag names, how it is called, and what follows; None for other tags."""
    match = _USERS.fullmatch(tag.removeprefix("docker.io/"))
    return (int(match[1]), match[2], match[3] or "latest") if match else None


def is_given(tag: str) -> bool:
    """Say whether people gave that tag, and not ds01."""
    return _OWN.fullmatch(tag) is None


def owner_of(image: str) -> int | None:
    """Return the user whose image that name is of, None where it does not say so."""
    found = named(image)
    return found[0] if found else None


def _containers(rows: Iterable[Mapping[str, Any]]) -> Iterator[Container]:
    for row in rows:
        container_id, state = str(row.get("Id")), str(row.get("State") or "")
        names = [str(name).removeprefix("/") for name in row.get("Names") or ()]
        if _ID.fullmatch(container_id):
            yield Container(
                container_id=container_id,
                name=next((name for name in names if "/" not in name), container_id[:12]),
                state=state if _STATE.fullmatch(state) else "unknown",
                engine_id=address(str(row.get("ImageID"))),
                image=str(row.get("Image") or ""),
                labels=own_labels(row.get("Labels")),
            )


def _holding(row: Mapping[str, Any]) -> Holding:
    tags = (str(tag).removeprefix("docker.io/") for tag in row.get("RepoTags") or ())
    return Holding(
        engine_id=address(str(row.get("Id"))),
        tags=tuple(sorted(tag for tag in tags if tag != "<none>:<none>")),
        labels=own_labels(row.get("Labels")),
        created=float(row.get("Created") or 0),
        size=int(row.get("Size") or 0),
    )


def own_labels(labels: Mapping[str, str] | None) -> frozenset[tuple[str, str]]:
    """Return the labels that say of what an image was made; containers inherit them."""
    return frozenset(
        (str(name), str(value)) for name, value in (labels or {}).items() if name.startswith(_MADE)
    )
