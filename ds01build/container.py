"""What a container is to be: a pure value, from an image, a project and a user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WORKSPACE", "Specification", "container_name", "full_name", "read", "specify"]

WORKSPACE = "/workspace"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_USER = re.compile(r"([0-9]{1,10}):([0-9]{1,10})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A container of an image: ``workspace`` is the directory of the host that it works in."""

    name: str
    image: str
    workspace: str
    uid: int
    gid: int

    @property
    def labels(self) -> dict[str, str]:
        """What the container says of itself, and ``read`` reads."""
        return {
            "ds01.image": self.image,
            "ds01.managed": "true",
            "ds01.name": self.name,
            "ds01.user": f"{self.uid}:{self.gid}",
            "ds01.work_mount": self.workspace,
        }


def container_name(image: str) -> str:
    """Return the short name of a container for an image: dots are not allowed in it."""
    return (image.removesuffix("-image") or image).replace(".", "-")


def full_name(name: str, uid: int) -> str:
    """Return what the engine calls a user's container."""
    return f"{name}._.{uid}"


def specify(name: str, image: str, workspace: str, uid: int, gid: int) -> Specification:
    """Return the specification of a user's container.

    Raises ValueError for a name that no container may have.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60} is no name of a container: a-z, A-Z, 0-9, '_' and '-'")
    return Specification(
        name=full_name(name, uid), image=image, workspace=workspace, uid=uid, gid=gid
    )


def read(labels: Mapping[str, str]) -> Specification | None:
    """Return what a container says of itself, None for one that ds01 did not create."""
    user = _USER.fullmatch(labels.get("ds01.user", ""))
    texts = [labels.get(f"ds01.{key}", "") for key in ("name", "image", "work_mount")]
    if labels.get("ds01.managed") != "true" or user is None or not all(texts):
        return None
    name, image, workspace = texts
    uid, gid = map(int, user.groups())
    return Specification(name=name, image=image, workspace=workspace, uid=uid, gid=gid)
