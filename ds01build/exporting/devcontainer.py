"""devcontainer.json: a container of the built image for VS Code and others (containers.dev)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds01build.lock import Lock

__all__ = ["render"]

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
    document = {
        "name": lock.name,
        "image": image,
        "workspaceMount": f"type=bind,source=${{localWorkspaceFolder}},target={WORKSPACE}",
        "workspaceFolder": WORKSPACE,
        **_user(lock, uid, gid),
        "updateRemoteUserUID": False,  # which would build another image
        **_ports(lock),
        **_interpreter(lock),
    }
    return json.dumps(document, indent=2) + "\n"


def _user(lock: Lock, uid: int, gid: int) -> dict[str, Any]:
    if lock.image.user:
        return {"remoteUser": lock.image.user}
    if uid == 0:
        return {}  # root has a home, and is what images run as
    user = f"{uid}:{gid}"
    return {"containerUser": user, "remoteUser": user, "containerEnv": {"HOME": _HOME}}


def _ports(lock: Lock) -> dict[str, Any]:
    pairs = (port.split("/") for port in lock.image.ports)
    ports = sorted(int(number) for number, protocol in pairs if protocol == "tcp")
    return {"forwardPorts": ports} if ports else {}


def _interpreter(lock: Lock) -> dict[str, Any]:
    path = lock.target.interpreter if lock.target else _VARIABLE
    if _VARIABLE in path:
        return {}
    settings = {"python.defaultInterpreterPath": path}
    return {"customizations": {"vscode": {"settings": settings}}}
