"""What an engine has that ds01 made, and what of it somebody uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ds01build.engine.api import asking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.engine.api import Engine

__all__ = ["Holding", "Holdings", "holdings", "own_labels"]

_TIER = re.compile(r"ds01/tier:([0-9a-f]{64})")
_OWN = re.compile(r"ds01-([0-9]{1,10})/([a-z0-9._-]{1,128}):([0-9a-f]{12}|latest)")
_MADE = "ds01."  # how the labels begin that say of what an image was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An image of an engine's list."""

    engine_id: str
    tags: tuple[str, ...]
    labels: frozenset[tuple[str, str]]  # those of ds01
    created: float  # seconds since the epoch, as its configuration says

    @property
    def is_tier(self) -> bool:
        """Whether it is but a stage of a Dockerfile, by each of its tags."""
        return bool(self.tags) and all(map(_TIER.fullmatch, self.tags))

    @property
    def has_other_names(self) -> bool:
        """Whether people have given it a name of their own."""
        return not all(_TIER.fullmatch(tag) or _OWN.fullmatch(tag) for tag in self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """All images of an engine, and of which images there are containers, running or not."""

    images: tuple[Holding, ...]
    used: frozenset[str]  # engine_ids of images that containers were made from
    used_labels: frozenset[frozenset[tuple[str, str]]]  # ds01's, of those containers

    def uses(self, engine_id: str, labels: frozenset[tuple[str, str]]) -> bool:
        """Say whether there is a container of an image with that name and those labels."""
        inherits = bool(labels) and any(labels <= each for each in self.used_labels)
        return engine_id in self.used or inherits


def holdings(engine: Engine) -> Holdings:
    """Return what ``engine`` has. Raises Unavailable, and Ds01Error where it cannot list it."""
    with asking(engine.place, "for its images"):
        images = engine.client.images()
    with asking(engine.place, "for its containers"):
        containers = engine.client.containers(all=True)
    return Holdings(
        images=tuple(sorted(map(_holding, images), key=lambda one: one.engine_id)),
        used=frozenset(_address(each.get("ImageID")) for each in containers),
        used_labels=frozenset(own_labels(each.get("Labels")) for each in containers)
        - {frozenset[tuple[str, str]]()},
    )


def _holding(row: Mapping[str, Any]) -> Holding:
    tags = (str(tag).removeprefix("docker.io/") for tag in row.get("RepoTags") or ())
    return Holding(
        engine_id=_address(row.get("Id")),
        tags=tuple(sorted(tag for tag in tags if tag != "<none>:<none>")),
        labels=own_labels(row.get("Labels")),
        created=float(row.get("Created") or 0),
    )


def own_labels(labels: Mapping[str, str] | None) -> frozenset[tuple[str, str]]:
    """Return the labels that say of what an image was made; containers inherit them."""
    return frozenset(
        (str(name), str(value)) for name, value in (labels or {}).items() if name.startswith(_MADE)
    )


def _address(value: object) -> str:
    """Return an id with its algorithm, which Podman leaves out."""
    text = str(value)
    return text if text.startswith("sha256:") else f"sha256:{text}"
