"""What an engine has of a store's generations, and whether somebody uses it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ds01build import graph
from ds01build.dockerfile import Tag, stages
from ds01build.engine.holdings import holdings
from ds01build.engine.intermediate import abandoned
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.errors import Ds01Error
from ds01build.store import roots
from ds01build.workflow.builds import build_of
from ds01build.workflow.generations import read_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ds01build.digest import Digest
    from ds01build.engine.api import Engine
    from ds01build.engine.holdings import Holding, Holdings
    from ds01build.store import DirStore
    from ds01build.store.gc import Reached
    from ds01build.workflow.generations import Loaded

__all__ = ["Unasked", "Use", "loaded", "use_of"]

# There is none, or it is to be left alone; or one is there that does not answer.
Unasked = Literal["none", "silent"]

_DAY = 24 * 60 * 60.0  # seconds that a stage stays, since builds of other users cannot be seen


class Use(Protocol):
    """What an engine knows of generations."""

    def reason(self, store: DirStore, name: str, image: Digest) -> str:
        """Return why a generation has to stay, empty where the engine knows of no reason."""

    def unused(
        self, store: DirStore, gone: Sequence[Reached], stay: Sequence[Reached], now: float | None
    ) -> tuple[str, ...]:
        """Return what can be removed from the engine: tags, and ids of what has none.

        ``now`` is None while builds are under way, which may need stages of theirs.
        """

    def remove(self, name: str) -> bool:
        """Remove one of these; False where somebody uses it by now, or removed it."""


def use_of(engine: Engine | Unasked, uid: int) -> Use:
    """Return what ``engine`` knows. Raises what it raises when it is asked."""
    if isinstance(engine, str):
        return _Unknown(is_silent=engine == "silent")
    return _Known(engine=engine, uid=uid, holdings=holdings(engine))


def loaded(engine: Engine | Unasked, uid: int, name: str) -> Loaded | None:
    """Return what says of which images of ``name`` the engine has a copy; None without one."""
    if isinstance(engine, str):
        return None
    there = holdings(engine)
    known = {each.engine_id for each in there.images}
    known.update(tag for each in there.images for tag in each.tags)

    def is_there(config: Digest) -> bool:
        return str(config) in known or fixed_tag(uid, name, config) in known

    return is_there


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unknown:
    """No engine, or one that does not answer: it may have containers of any generation then."""

    is_silent: bool

    def reason(self, store: DirStore, name: str, image: Digest) -> str:  # noqa: ARG002
        return "an engine that does not answer may use it" if self.is_silent else ""

    def unused(
        self,
        store: DirStore,  # noqa: ARG002
        gone: Sequence[Reached],  # noqa: ARG002
        stay: Sequence[Reached],  # noqa: ARG002
        now: float | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        return ()

    def remove(self, name: str) -> bool:  # noqa: ARG002
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    engine: Engine
    uid: int
    holdings: Holdings

    def reason(self, store: DirStore, name: str, image: Digest) -> str:
        made = build_of(store, image)
        if made is None:
            return ""
        config, labels = made.config, made.labels
        if self.holdings.uses(str(config), labels):
            return "a container uses it"
        moving = moving_tag(self.uid, name)
        for each in self.holdings.images:
            if not self._is(each, name, config, labels):
                continue
            if self.holdings.uses(each.engine_id, each.labels):
                return "a container uses it"
            if moving in each.tags:
                return f"{moving} stands for it in the engine"
            if each.has_other_names:
                return "it has another name in the engine"
        return ""

    def unused(
        self, store: DirStore, gone: Sequence[Reached], stay: Sequence[Reached], now: float | None
    ) -> tuple[str, ...]:
        there = {tag for each in self.holdings.images for tag in each.tags}
        needed = set(self._tags(store, stay))
        images = sorted(tag for tag in self._tags(store, gone) if tag in there - needed)
        tiers = self._tiers(store, stay, now) if now is not None else []
        return (*dict.fromkeys(images), *tiers, *abandoned(self.engine, self.uid))

    def remove(self, name: str) -> bool:
        return self.engine.remove(name)

    def _is(
        self, each: Holding, name: str, config: Digest, labels: frozenset[tuple[str, str]]
    ) -> bool:
        fixed = fixed_tag(self.uid, name, config)
        same = bool(labels) and each.labels == labels
        return each.engine_id == str(config) or fixed in each.tags or same

    def _tags(self, store: DirStore, generations: Iterable[Reached]) -> Iterable[str]:
        for one in generations:
            made = build_of(store, one.image)
            if made is not None:
                yield fixed_tag(self.uid, one.name, made.config)

    def _tiers(self, store: DirStore, stay: Sequence[Reached], now: float) -> list[str]:
        old = [
            each
            for each in self.holdings.images
            if each.is_tier
            and each.created < now - _DAY
            and not self.holdings.uses(each.engine_id, each.labels)
        ]
        named = _stages(store, stay) if old else set()
        return sorted(tag for each in old if named.isdisjoint(each.tags) for tag in each.tags)


def _stages(store: DirStore, generations: Iterable[Reached]) -> set[str]:
    """Return the tags of the stages of the locks of generations."""
    found: set[str] = set()
    wanted = {(one.name, one.number) for one in generations}
    for name in {name for name, _ in wanted}:
        for one in roots.generations(store.root, name):
            lock = read_lock(store, one) if (name, one.number) in wanted else None
            if lock is not None:
                try:
                    made = stages(graph.of(lock), lock)
                except Ds01Error:
                    continue  # no Dockerfile can start from its base
                found.update(str(Tag(key=stage.key)) for stage in made)
    return found
