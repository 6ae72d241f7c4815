"""Exports: a recipe's lock in the formats of others, as text, or as files where they are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.engine.names import moving_tag
from ds01build.exporting import cyclonedx, devcontainer, pylock, requirements, spdx
from ds01build.exporting.contents import contents_of, held_by
from ds01build.image import CREATED
from ds01build.lock import LockedImage

if TYPE_CHECKING:
    from ds01build.base.facts import BaseFacts
    from ds01build.pin import WheelPin
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["Exporter", "Format", "exported"]

Format = Literal["pylock", "requirements", "spdx", "cyclonedx", "devcontainer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Who exports, and the time that bills of materials get, in UTC as RFC 3339 has it."""

    uid: int
    gid: int
    created: str = CREATED


def exported(locked: Locked, wanted: Format, edges: Edges, exporter: Exporter) -> str:
    """Return the lock as a text of that format; the same for equal locks, places and exporters.

    Only ``pylock`` has places in it, which the machine's indexes are asked for. Raises Ds01Error
    for what a format cannot hold, and Unavailable.
    """
    lock = locked.lock
    if wanted == "devcontainer":
        tag = moving_tag(exporter.uid, lock.name)
        return devcontainer.render(lock, tag, exporter.uid, exporter.gid)
    facts = _facts(locked, edges)
    if wanted == "pylock":
        return pylock.render(lock, held_by(lock, facts), _places(locked, edges))
    if wanted == "requirements":
        return requirements.render(lock, held_by(lock, facts))
    render = spdx.render if wanted == "spdx" else cyclonedx.render
    return render(contents_of(lock, facts), exporter.created)


def _facts(locked: Locked, edges: Edges) -> BaseFacts | None:
    base = locked.lock.base
    return edges.bases.facts(base) if isinstance(base, LockedImage) else None


def _places(locked: Locked, edges: Edges) -> dict[WheelPin, str]:
    lock = locked.lock
    pins = pylock.offered(lock)
    if not pins or lock.target is None:
        return {}
    resolver = edges.resolver.with_settings(locked.request.recipe.resolve)
    return resolver.wheel_urls_now(pins, lock.target.version)
