"""What images there are: those of a store, and those that only an engine has.

Imports nothing heavy: no lock, no graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from ds01build.engine.api import attempted
from ds01build.engine.dependants import origin
from ds01build.engine.holdings import Holdings, holdings, named
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.events import Warned
from ds01build.store import roots
from ds01build.workflow.builds import Build, build_of, current_of, occupants, tags_of
from ds01build.workflow.freshness import freshness, is_stale
from ds01build.workflow.sharing import contents, shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ds01build.digest import Digest
    from ds01build.engine.api import Engine
    from ds01build.engine.holdings import Holding
    from ds01build.events import Report
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation
    from ds01build.workflow.builds import Occupant
    from ds01build.workflow.engine_use import Unasked
    from ds01build.workflow.freshness import Verdict
    from ds01build.workflow.sharing import Base, Contents, Shares

__all__ = [
    "EngineOnly",
    "Held",
    "Inventory",
    "Known",
    "asker",
    "generations_of",
    "images",
    "in_engine",
    "in_use",
    "known",
]

_NAME = "ds01.name"  # the label of an image with the name of its recipe
_TIMES = (1_000_000_000, 100_000_000_000)  # seconds since the epoch: before, it is a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An image of the store: a generation of its name, the current one unless others are asked for.

    ``tags`` and ``containers`` are of the engine, None where none was asked. An exclusive byte is
    one that no other name uses; the rest of ``size`` is shared.
    """

    name: str
    digest: Digest
    layers: int
    size: int  # bytes: layers, configuration, manifest
    exclusive: int  # bytes
    generation: int
    generations: int
    created: str  # RFC 3339, UTC
    base: Base | None
    recipe: str  # its absolute path, empty where nobody knows
    verdict: Verdict
    is_current: bool
    tags: tuple[str, ...] | None
    containers: tuple[Occupant, ...] | None

    @property
    def title(self) -> str:
        """Its name, with the number where that stands for another generation."""
        return self.name if self.is_current else f"{self.name}@{self.generation}"

    @property
    def shared(self) -> int:
        """The bytes that other names use, too."""
        return self.size - self.exclusive

    def answer(self) -> dict[str, object]:
        """Return the object that ``image-list --json`` prints."""
        return {
            "name": self.name,
            "digest": str(self.digest),
            "layers": self.layers,
            "size": self.size,
            "generation": self.generation,
            "created": self.created,
            "current": self.is_current,
            "exclusive": self.exclusive,
            "shared": self.shared,
            "generations": self.generations,
            "base": self.base.answer() if self.base else None,
            "recipe": self.recipe or None,
            "stale": is_stale(self.verdict),
            "verdict": self.verdict,
            "tags": None if self.tags is None else list(self.tags),
            "containers": _answers(self.containers),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOnly:
    """An image that the engine has, and the store has not: another user's, or built otherwise.

    ``user`` is None, and ``tag`` empty, where it has no tag any more.
    """

    user: int | None
    name: str
    tag: str
    engine_id: str
    size: int  # bytes, unpacked
    created: str  # RFC 3339, UTC; empty where it does not say
    builds: int
    containers: tuple[Occupant, ...]

    def answer(self) -> dict[str, object]:
        """Return the object that ``image-list --json`` prints."""
        return {
            "user": self.user,
            "name": self.name,
            "tag": self.tag or None,
            "id": self.engine_id,
            "size": self.size,
            "created": self.created or None,
            "builds": self.builds,
            "containers": _answers(self.containers),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What images there are; ``size`` are the bytes of those of the store, each blob once."""

    held: tuple[Held, ...]
    engine_only: tuple[EngineOnly, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All images of a store: their generations by name, oldest first, and the current ones.

    ``inside`` leaves out what is damaged, which ``ds01 store verify`` finds.
    """

    past: Mapping[str, tuple[Generation, ...]]
    current: Mapping[str, Generation]
    inside: Mapping[Digest, Contents]
    shares: Shares

    def place(self, name: str) -> str:
        """Return where the recipe of a name was when its last build found it."""
        return self.past[name][-1].place

    def configs(self, name: str) -> frozenset[Digest]:
        """Return the configurations of the generations of a name."""
        found = (self.inside.get(one.image) for one in self.past[name])
        return frozenset(each.config for each in found if each is not None)

    def builds(self, store: DirStore, name: str) -> list[Build]:
        """Return the builds of a name, the current one first."""
        now = self.current.get(name)
        newest = sorted(self.past.get(name, ()), key=lambda one: (one != now, -one.number))
        found = (build_of(store, one.image) for one in newest)
        return [each for each in found if each is not None]


def known(store: DirStore) -> Known:
    """Return what a store knows of its images."""
    tags = {tag.name: tag for tag in store.tags()}
    past = {name: roots.generations(store.root, name) for name in roots.names(store.root)}
    past = {name: every for name, every in past.items() if every}
    current = {name: current_of(tags[name], past[name]) for name in past if name in tags}
    every = {one.image for generations in past.values() for one in generations}
    found = ((image, contents(store, image)) for image in sorted(every))
    inside = {image: each for image, each in found if each is not None}
    return Known(
        past=past,
        current={name: one for name, one in current.items() if one is not None},
        inside=inside,
        shares=shares(
            {
                name: [inside[one.image] for one in generations if one.image in inside]
                for name, generations in past.items()
            }
        ),
    )


def images(
    store: DirStore, engine: Engine | Unasked, report: Report, *, every: bool = False
) -> Inventory:
    """Return the images that have a name, sorted by it, and those that only the engine has.

    With ``every``, also generations that no name stands for, other users' images of the engine, and
    those that have lost their tags. Where the engine fails to list what it has, that is reported.
    """
    seen = known(store)
    there = in_engine(engine, report)
    ask = asker(engine)
    held = tuple(
        each
        for name in sorted(seen.past)
        for each in generations_of(store, seen, name, in_use(store, seen, name, there, ask))
        if every or each.is_current
    )
    blobs = [seen.inside[each.digest].sizes for each in held]
    only = _engine_only(store, seen, there, ask, every=every) if there else ()
    return Inventory(
        held=held,
        engine_only=tuple(only),
        size=sum({blob: size for sizes in blobs for blob, size in sizes.items()}.values()),
    )


def in_engine(engine: Engine | Unasked, report: Report) -> Holdings | None:
    """Return what an engine has, None where it is not asked or does not say."""
    if isinstance(engine, str):
        return None
    return attempted(partial(holdings, engine), lambda error: report(Warned(str(error))))


def asker(engine: Engine | Unasked) -> Callable[[str], str]:
    """Return what says what a container was made from, nothing without an engine."""
    return (lambda _: "") if isinstance(engine, str) else partial(origin, engine)


InUse = tuple["tuple[str, ...] | None", "tuple[Occupant, ...] | None"]


def in_use(
    store: DirStore, seen: Known, name: str, there: Holdings | None, ask: Callable[[str], str]
) -> InUse:
    """Return the tags and containers of an image; None where no engine was asked."""
    if there is None:
        return None, None
    who = (store.uid, name)
    builds = seen.builds(store, name) if there.containers else []
    return tags_of(there, *who), occupants(there, who, builds, ask)


def generations_of(store: DirStore, seen: Known, name: str, engine: InUse) -> Iterator[Held]:
    """Yield the generations of a name that are whole, the current one first."""
    tags, containers = engine
    now = seen.current.get(name)
    place, configs = seen.place(name), seen.configs(name)
    for one in sorted(seen.past[name], key=lambda each: (each != now, -each.number)):
        inside = seen.inside.get(one.image)
        if inside is None:
            continue
        fixed = {fixed_tag(store.uid, name, config) for config in configs - {inside.config}}
        if one != now:
            fixed = set(tags or ()) - {fixed_tag(store.uid, name, inside.config)}
        of_it = [each for each in containers or () if one == now or each.config == inside.config]
        yield Held(
            name=name,
            digest=one.image,
            layers=len(inside.layers),
            size=inside.size,
            exclusive=seen.shares.exclusive(name, inside),
            generation=one.number,
            generations=len(seen.past[name]),
            created=one.created,
            base=inside.base,
            recipe=place,
            verdict=freshness(store, one, place, inside.labels),
            is_current=one == now,
            tags=None if tags is None else tuple(tag for tag in tags if tag not in fixed),
            containers=None if containers is None else tuple(of_it),
        )


def _engine_only(
    store: DirStore, seen: Known, there: Holdings, ask: Callable[[str], str], *, every: bool
) -> Iterator[EngineOnly]:
    for (uid, name), tagged in sorted(_by_name(there).items()):
        if (uid == store.uid and name in seen.past) or not (every or uid == store.uid):
            continue
        moving = moving_tag(uid, name)
        tag, image = max(tagged, key=lambda each: (each[0] == moving, each[1].created, each[0]))
        in_use = occupants(there, (uid, name), (), ask)
        yield _only(image, (uid, name, tag), len({each.engine_id for _, each in tagged}), in_use)
    for image in there.images if every else ():
        title = dict(image.labels).get(_NAME)
        if title and not image.tags:
            yield _only(image, (None, title, ""), 1, ())


def _by_name(there: Holdings) -> dict[tuple[int, str], list[tuple[str, Holding]]]:
    """Return the tags of users' images, and what they stand for, by user and name."""
    found: dict[tuple[int, str], list[tuple[str, Holding]]] = {}
    for image in there.images:
        for tag in image.tags:
            parts = named(tag)
            if parts is not None:
                found.setdefault(parts[:2], []).append((tag, image))
    return found


def _only(
    image: Holding, what: tuple[int | None, str, str], builds: int, in_use: tuple[Occupant, ...]
) -> EngineOnly:
    user, name, tag = what
    is_time = _TIMES[0] < image.created < _TIMES[1]
    moment = datetime.fromtimestamp(image.created if is_time else 0, timezone.utc)
    return EngineOnly(
        user=user,
        name=name,
        tag=tag,
        engine_id=image.engine_id,
        size=image.size,
        created=moment.strftime("%Y-%m-%dT%H:%M:%SZ") if is_time else "",
        builds=builds,
        containers=in_use,
    )


def _answers(containers: tuple[Occupant, ...] | None) -> list[dict[str, object]] | None:
    return None if containers is None else [each.answer() for each in containers]
