"""Which stages a lock is built in: a pure function of its graph.

Executed tiers form a trunk, since what they change is known to nobody: each stands on the one
before. A Python tier stands on the base alone, in a stage of its own that installs into a separate
root; that and declared files are copied onto the trunk, before the first executed tier that needs
them or in the last stage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.digest import Key
from ds01build.errors import Ds01Error
from ds01build.lock import LockedDebian, LockedImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.digest import Canonical
    from ds01build.graph import Graph, Node
    from ds01build.lock import Lock, LockedTier, Removed

__all__ = ["BASE", "LAST", "Copy", "Stage", "base_of", "stages"]

SCHEMA = "ds01.stage/1"  # raise it when the same nodes are built in another way
_LAST_SCHEMA = "ds01.last-stage/3"  # raise it when the last stage alone comes out otherwise
BASE = "base"
LAST = "image"
_EXECUTED = ("apt", "run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A tier that is put onto the trunk, and what of the base it replaces."""

    tier: str
    kind: str  # python or files
    removed: tuple[Removed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage. ``key`` says all that decides what it holds, and so what may replace it."""

    name: str  # as the Dockerfile has it
    kind: str  # base, apt, python, run or image
    key: Key
    parent: str = ""  # the stage that this one stands on
    tier: str = ""
    copies: tuple[Copy, ...] = ()
    network: bool = False


def base_of(lock: Lock) -> LockedImage:
    """Return the base image of ``lock``. Raises Ds01Error when there is none to start from."""
    if isinstance(lock.base, LockedDebian):
        raise Ds01Error(
            f"{lock.name} has no base image that a Dockerfile could start from: its base is made "
            "from .debs",
            hint=f'name an image in [base]: image = "debian:{lock.base.suite}-slim"',
        )
    return lock.base


def stages(graph: Graph, lock: Lock) -> tuple[Stage, ...]:
    """Return the stages of ``lock``, each after those that it needs; the last is the image.

    Raises Ds01Error for a lock whose base is not an image.
    """
    trunk = _Trunk(graph, lock)
    tiers = {tier.name: tier for tier in lock.tiers}
    made = [trunk.stage(BASE, "base")]
    made += [trunk.aside(tiers[node.name]) for node in graph.nodes if node.kind == "python"]
    for node in graph.nodes:
        if node.kind in _EXECUTED:
            made.append(trunk.executed(tiers[node.name]))
    last = trunk.stage(LAST, "image", copies=trunk.copied(node.name for node in graph.nodes))
    settings = Key.of({"schema": _LAST_SCHEMA, "content": str(last.key), "lock": str(lock.digest)})
    return (*made, replace(last, key=settings))


class _Trunk:
    """Grows the trunk: knows which stage comes last, and which tiers are on it."""

    def __init__(self, graph: Graph, lock: Lock) -> None:
        self._nodes: Mapping[str, Node] = {node.name: node for node in graph.nodes}
        self._removed = _removed(lock)
        self._config = str(base_of(lock).config)
        self._seen: list[str] = []  # tiers on the trunk, in their order
        self._last = ""

    def stage(
        self, name: str, kind: str, *, copies: tuple[Copy, ...] = (), tier: str = ""
    ) -> Stage:
        self._seen.append(tier or name)
        parent, self._last = self._last, name
        return Stage(
            name=name,
            kind=kind,
            # Images of the trunk inherit what the base's configuration says.
            key=Key.of({"config": self._config, **self._inputs(self._seen)}),
            parent=parent,
            tier=tier,
            copies=copies,
        )

    def aside(self, tier: LockedTier) -> Stage:
        key = Key.of(self._inputs([tier.name]))
        return Stage(name=_name(tier), kind="python", key=key, parent=BASE, tier=tier.name)

    def executed(self, tier: LockedTier) -> Stage:
        copies = self.copied(_needed(tier.name, self._nodes))
        made = self.stage(_name(tier), tier.kind, copies=copies, tier=tier.name)
        return replace(made, network=tier.network or tier.kind == "apt")

    def copied(self, names: Iterable[str]) -> tuple[Copy, ...]:
        """Put the Python and files tiers among ``names`` onto the trunk, unless they are."""
        nodes = [self._nodes[name] for name in names if name not in self._seen]
        fresh = [node for node in nodes if node.kind in ("python", "files")]
        self._seen += [node.name for node in fresh]
        return tuple(
            Copy(tier=node.name, kind=node.kind, removed=self._removed.get(node.name, ()))
            for node in fresh
        )

    def _inputs(self, names: Iterable[str]) -> dict[str, Canonical]:
        keys: list[Canonical] = [
            str(self._nodes[each].key) for each in names if each in self._nodes
        ]
        return {"schema": SCHEMA, "nodes": keys}


def _name(tier: LockedTier) -> str:
    # Names of stages begin with a letter, and some are taken.
    return f"tier-{tier.name}"


def _needed(name: str, nodes: Mapping[str, Node]) -> Sequence[str]:
    """Return all that a tier needs, directly or through others, in the order of the graph."""
    reached: set[str] = set()
    todo = [name]
    while todo:
        needs = nodes[todo.pop()].needs
        todo += [need for need in needs if need not in reached]
        reached.update(needs)
    return [each for each in nodes if each in reached]


def _removed(lock: Lock) -> Mapping[str, tuple[Removed, ...]]:
    """Return what of the base each tier replaces: what it has a wheel of the same name for."""
    tiers = {pin.name: pin.tier for pin in lock.wheels}
    found: dict[str, tuple[Removed, ...]] = {}
    for one in lock.removed:
        tier = tiers[one.name]
        found[tier] = (*found.get(tier, ()), one)
    return found
