"""How the containers of a user stand: what they do, and whether their image has moved on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

from ds01build.container.labels import image_of
from ds01build.engine.api import attempted
from ds01build.engine.dependants import origin
from ds01build.workflow.owned import mine, names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.engine.api import Engine
    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host

__all__ = ["Standing", "gpus_of", "image_name", "standing"]

# Of the image that the name stands for by now, of another one, or there is no such name any more.
Build = Literal["current", "old", "gone"]

_REFERENCE = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/:@-]{0,255}")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")
_NONE = ("", "-", "none")
_KINDS = (("ds01.managed", "ds01"), ("aime.mlc", "aime"), ("devcontainer.local_folder", "editor"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A container as its user sees it. What comes from labels is anybody's words."""

    row: Row
    name: str  # without his uid, unless another one is called so
    image: str  # what its image is called, empty where nobody knows
    build: Build
    gpus: str  # as labels tell; empty for none
    workspace: str  # of the host, empty where no label tells
    kind: str  # what made it: ds01, aime, editor, other

    @property
    def created(self) -> str:
        """When it was made, RFC 3339, UTC."""
        moment = datetime.fromtimestamp(self.row.created, timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self) -> dict[str, object]:
        """Return the object that ``container-list --json`` prints."""
        return {
            "name": self.name,
            "full_name": self.row.name,
            "id": self.row.container_id,
            "state": self.row.state,
            "status": self.row.status,
            "running": self.row.is_running,
            "image": self.image or None,
            "image_id": self.row.image_id,
            "build": self.build,
            "created": self.created,
            "gpus": self.gpus or None,
            "workspace": self.workspace or None,
            "made_by": self.kind,
        }


def standing(host: Host, *, every: bool) -> tuple[Standing, ...]:
    """Return how the user's containers stand, those that run alone unless ``every``."""
    engine, rows = host.engine(), mine(host)
    known: dict[str, str] = {}
    called = names(rows, host)
    shown = (row for row in rows if every or row.is_running)
    return tuple(_standing(row, called[row.name], engine, known) for row in shown)


def _standing(row: Row, name: str, engine: Engine, known: dict[str, str]) -> Standing:
    image = image_name(engine, row)
    if image not in known:
        known[image] = _engine_id(engine, image)
    current = known[image]
    return Standing(
        row=row,
        name=name,
        image=image,
        build="gone" if not current else "current" if current == row.image_id else "old",
        gpus=gpus_of(row.labels),
        workspace=_label(row.labels, "work_mount", "WORK_MOUNT"),
        kind=next((kind for label, kind in _KINDS if label in row.labels), "other"),
    )


def image_name(engine: Engine, row: Row) -> str:
    """Return what the image of a container is called, even where that name has moved on."""
    name = image_of(row.labels)
    if not name:  # an engine lists an id where the name stands for another image
        name = row.image if not _ID.fullmatch(row.image) else origin(engine, row.container_id)
    return name if _REFERENCE.fullmatch(name) else ""


def _engine_id(engine: Engine, image: str) -> str:
    found = attempted(lambda: engine.inspect(image)) if image else None
    return str(found.engine_id) if found is not None else ""


def gpus_of(labels: Mapping[str, str]) -> str:
    """Return which GPUs a container holds, as labels say; empty for none."""
    return _label(labels, "gpu.slots", "GPU_SLOTS") or _label(labels, "gpus", "GPUS")


def _label(labels: Mapping[str, str], name: str, legacy: str) -> str:
    found = labels.get(f"ds01.{name}") or labels.get(f"aime.mlc.{legacy}", "")
    return "" if found in _NONE else found
