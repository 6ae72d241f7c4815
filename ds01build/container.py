"""What a container is to be: a pure value, from an image, a project and a user."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Specification", "container_name", "specify"]

WORKSPACE = "/workspace"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A container of an image: ``workspace`` is the directory of the host that it works in."""

    name: str
    image: str
    workspace: str
    uid: int
    gid: int
    labels: tuple[tuple[str, str], ...]


def container_name(image: str) -> str:
    """Return the short name of a container for an image: dots are not allowed in it."""
    return (image.removesuffix("-image") or image).replace(".", "-")


def specify(name: str, image: str, workspace: str, uid: int, gid: int) -> Specification:
    """Return the specification of a user's container.

    Raises ValueError for a name that no container may have.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.60} is no name of a container: a-z, A-Z, 0-9, '_' and '-'")
    return Specification(
        name=f"{name}._.{uid}",
        image=image,
        workspace=workspace,
        uid=uid,
        gid=gid,
        labels=(
            ("ds01.image", image),
            ("ds01.managed", "true"),
            ("ds01.name", name),
            ("ds01.user", str(uid)),
            ("ds01.work_mount", workspace),
        ),
    )
