"""devcontainer.json: a container of the built image for VS Code and others (containers.dev)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds01build.lock import Lock
    from ds01build.recipe import ImageSettings, Recipe

__all__ = ["of_recipe", "render"]

WORKSPACE = "/workspace"
# An image has no user in it, so whoever the container runs as has no home there. Every base has
# /tmp, where anyone may make one.
_HOME = "/tmp/home"  # noqa: S108 (a container's own)
_VARIABLE = "${"  # begins one in any value of the file, and nothing quotes it


def render(lock: Lock, image: str, uid: int, gid: int) -> str:
    """Return a devcontainer.json for ``image``, the name that the engine has of the built image.

    Its container runs as the recipe's user, or as ``uid`` and ``gid``, so that files of the
    workspace stay theirs. No image is built or changed for it.
    """
    target = lock.target
    own = _Container(lock.name, lock.image, target.interpreter if target else "")
    return _document(own, image, uid, gid)


def of_recipe(recipe: Recipe, image: str, uid: int, gid: int) -> str:
    """Return the same before there is a lock: it does not say where the interpreter is."""
    return _document(_Container(recipe.name, recipe.image), image, uid, gid)


@dataclass(frozen=True, slots=True)
class _Container:
    name: str
    settings: ImageSettings
    interpreter: str = ""


def _document(own: _Container, image: str, uid: int, gid: int) -> str:
    document = {
        "name": own.name,
        "image": image,
        "workspaceMount": f"type=bind,source=${{localWorkspaceFolder}},target={WORKSPACE}",
        "workspaceFolder": WORKSPACE,
        **_user(own.settings, uid, gid),
        "updateRemoteUserUID": False,  # which would build another image
        **_ports(own.settings),
        **_interpreter(own.interpreter),
    }
    return json.dumps(document, indent=2) + "\n"


def _user(settings: ImageSettings, uid: int, gid: int) -> dict[str, Any]:
    if settings.user:
        return {"remoteUser": settings.user}
    if uid == 0:
        return {}  # root has a home, and is what images run as
    user = f"{uid}:{gid}"
    return {"containerUser": user, "remoteUser": user, "containerEnv": {"HOME": _HOME}}


def _ports(settings: ImageSettings) -> dict[str, Any]:
    pairs = (port.split("/") for port in settings.ports)
    ports = sorted(int(number) for number, protocol in pairs if protocol == "tcp")
    return {"forwardPorts": ports} if ports else {}


def _interpreter(path: str) -> dict[str, Any]:
    if not path or _VARIABLE in path:
        return {}
    settings = {"python.defaultInterpreterPath": path}
    return {"customizations": {"vscode": {"settings": settings}}}
