"""The builds of an image, by what an engine may know them by, and which containers are of them.

Imports nothing heavy: no lock, no graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.engine.holdings import inherits, named, own_labels, owner_of
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.store import roots
from ds01build.store.durable import read_own
from ds01build.store.sealed import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ds01build.digest import Canonical
    from ds01build.engine.holdings import Container, Holding, Holdings
    from ds01build.store import DirStore
    from ds01build.store.index import Tag
    from ds01build.store.roots import Generation

__all__ = ["Build", "Occupant", "build_of", "current_of", "document", "occupants", "tags_of"]

LIMIT = 32 * 1024 * 1024  # bytes of a manifest or configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """An image of a store: its configuration, and what its labels say of how it was made."""

    config: Digest
    labels: frozenset[tuple[str, str]]  # those of ds01


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupant:
    """A container of an image. ``is_old`` says that it is of another build than the current one.

    ``config`` is that of the build, None where it is none of the store's.
    """

    container: Container
    is_old: bool
    config: Digest | None = None

    def answer(self) -> dict[str, object]:
        """Return the object that commands print of it."""
        container = self.container
        return {
            "name": container.name,
            "id": container.container_id,
            "state": container.state,
            "old_build": self.is_old,
        }


def current_of(tag: Tag, generations: Sequence[Generation]) -> Generation | None:
    """Return the generation that ``tag`` stands for, one of those, oldest first, of its name.

    Several may have the same image: then the one that was named, else the newest. None where it
    stands for none of them.
    """
    same = [one for one in generations if one.image == tag.manifest]
    number = tag.annotations.get(roots.CURRENT, "")
    found = [one for one in same if str(one.number) == number] or same
    return found[-1] if found else None


def build_of(store: DirStore, image: Digest) -> Build | None:
    """Return what an engine may know an image of ``store`` by, None where that is damaged."""
    part = document(store, image).get("config")
    address = part.get("digest") if isinstance(part, dict) else None
    if not isinstance(address, str):
        return None
    container = document(store, Digest(address)).get("config")
    labels = container.get("Labels") if isinstance(container, dict) else None
    texts = {name: str(text) for name, text in labels.items()} if isinstance(labels, dict) else {}
    return Build(config=Digest(address), labels=own_labels(texts))


def document(store: DirStore, digest: Digest) -> dict[str, Canonical]:
    """Return the JSON object in a small blob of ``store``, empty where that is not there or other.

    Its bytes are those of its digest.
    """
    content = read_own(store.path(digest), uid=store.uid, limit=LIMIT)
    try:
        found = parse_json(content) if content is not None else None
    except ValueError:
        return {}
    is_whole = content is not None and Digest.of(content) == digest
    return found if isinstance(found, dict) and is_whole else {}


def tags_of(there: Holdings, uid: int, name: str) -> tuple[str, ...]:
    """Return the tags of an image in an engine, sorted, also those that people gave it."""
    return tuple(sorted(tag for each in there.images for tag in _own_tags(each, uid, name)))


def occupants(
    there: Holdings, who: tuple[int, str], builds: Sequence[Build], origin: Callable[[str], str]
) -> tuple[Occupant, ...]:
    """Return the containers of an image of a user, by uid and name; other users' are left out.

    ``builds`` are those of the image, the current one first; where there are none, the engine's
    moving tag says which is current. ``origin`` says what a container was made from, and is asked
    only where nothing else says whose it is.
    """
    return tuple(
        _occupant(container, image, who, builds)
        for container, image in _candidates(there, who, builds)
        if _is_theirs(container, image, who[0], origin)
    )


def _candidates(
    there: Holdings, who: tuple[int, str], builds: Sequence[Build]
) -> Iterator[tuple[Container, Holding | None]]:
    """Yield containers of images with the right name, and of builds whose name is gone."""
    images = {each.engine_id: each for each in there.images}
    configs = {str(build.config) for build in builds}
    for container in there.containers:
        image = images.get(container.engine_id)
        if image is not None and image.tags:
            if _own_tags(image, *who):
                yield container, image
        elif container.engine_id in configs or _is_made_as(container, builds):
            yield container, image


def _is_theirs(
    container: Container, image: Holding | None, uid: int, origin: Callable[[str], str]
) -> bool:
    """Say whether a container is of the user ``uid``: equal images of two users have one id."""
    owner = container.owner
    if owner is None and image is not None and image.users == {uid}:
        return True
    return uid == (owner_of(origin(container.container_id)) if owner is None else owner)


def _occupant(
    container: Container, image: Holding | None, who: tuple[int, str], builds: Sequence[Build]
) -> Occupant:
    config = _config(container, image, who, builds)
    is_current = config == builds[0].config if builds else False
    if config is None and image is not None:  # an engine built it, from a Dockerfile
        is_current = moving_tag(*who) in image.tags
    return Occupant(container=container, is_old=not is_current, config=config)


def _config(
    container: Container, image: Holding | None, who: tuple[int, str], builds: Sequence[Build]
) -> Digest | None:
    """Return the configuration of the build that a container is of, None where it is of none."""
    tags = image.tags if image is not None else ()
    for each in builds:
        if container.engine_id == str(each.config) or fixed_tag(*who, each.config) in tags:
            return each.config
    same = (each.config for each in builds if not tags and _is_made_as(container, (each,)))
    return next(same, None)


def _is_made_as(container: Container, builds: Sequence[Build]) -> bool:
    return any(inherits(container.labels, build.labels) for build in builds)


def _own_tags(image: Holding, uid: int, name: str) -> list[str]:
    found = ((tag, named(tag)) for tag in image.tags)
    return [tag for tag, parts in found if parts and parts[:2] == (uid, name)]
