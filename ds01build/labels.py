"""What an image says of how it was made: ds01's own labels, and those of its recipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.lock import LockedDebian

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ds01build.graph import Graph, Node
    from ds01build.lock import Lock

__all__ = ["BASE", "inherited", "labels_of", "outdated"]

BASE = "ds01.base"  # the reference of the image that one stands on
_OWN = re.compile(r"ds01\.[A-Za-z0-9._-]{1,128}")


def labels_of(lock: Lock, graph: Graph) -> dict[str, str]:
    """Return what the image of a lock says of how it was made, and its recipe's own labels."""
    return {
        "ds01.name": lock.name,
        "ds01.recipe": str(lock.recipe),
        "ds01.lock": str(lock.digest),
        **({} if isinstance(lock.base, LockedDebian) else {BASE: lock.base.reference}),
        **{_key_label(node): str(node.key) for node in graph.nodes},
        **dict(lock.image.labels),
        "org.opencontainers.image.title": lock.name,
    }


def inherited(labels: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a base's labels, but for what an earlier ds01 said of how that was made."""
    return {name: value for name, value in labels if not name.startswith("ds01.")}


def outdated(labels: Iterable[tuple[str, str]], own: Collection[str]) -> list[str]:
    """Return the labels that an earlier ds01 gave a base, and that are not among ``own``."""
    return sorted(name for name, _ in labels if _OWN.fullmatch(name) and name not in own)


def _key_label(node: Node) -> str:
    return "ds01.state" if node.kind == "state" else f"ds01.tier.{node.name}"
