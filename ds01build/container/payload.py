"""What an engine is asked to create: the body of POST /containers/create, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ds01build.container.labels import labels_of
from ds01build.container.shells import search_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.container.specification import Gpus, Resources, Specification

__all__ = ["JUPYTER", "WORKSPACE", "payload"]

WORKSPACE, DATA, MODELS = "/workspace", "/data", "/models"
JUPYTER = 8888  # the port that Jupyter listens on where a container has a network of its own
_STAY = "trap 'exit 0' TERM; while :; do sleep 86400 & wait $!; done"
_BILLION = 1_000_000_000
# An engine whose default runtime is NVIDIA's obeys what the image says, and that says "all".
_VOID = {"NVIDIA_VISIBLE_DEVICES": "void"}
_CPU_ONLY = {
    **_VOID,
    "CUDA_VISIBLE_DEVICES": "",
    "HIP_VISIBLE_DEVICES": "",
}


def payload(wanted: Specification) -> dict[str, Any]:
    """Return the body for an engine, as its API has it (1.41), without the container's name.

    Its process does nothing, and ends at once when it is to stop; people work in others beside it.
    """
    identity, wish = wanted.identity, wanted.wish
    ports: dict[str, dict[str, str]]
    ports = {f"{JUPYTER}/tcp": {}} if wish.port and wish.network == "bridge" else {}
    return {
        "Image": wish.image,
        "User": f"{identity.uid}:{identity.gid}",
        "WorkingDir": WORKSPACE,
        "Entrypoint": [""],
        "Cmd": ["/bin/sh", "-c", _STAY],
        "StopSignal": "SIGTERM",  # whatever the image's own program ends on
        "Env": [f"{name}={value}" for name, value in sorted(_environment(wanted).items())],
        "Labels": labels_of(wanted),
        "ExposedPorts": ports,
        "HostConfig": _host(wanted),
    }


def _environment(wanted: Specification) -> dict[str, str]:
    home = wanted.identity.home
    return {
        "HOME": home,
        "PATH": search_path(wanted),
        # pip may not touch what the image has, as which user ever: what he installs goes below his
        # home, also where a distribution keeps pip out (PEP 668).
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "PYTHONPYCACHEPREFIX": f"{home}/.cache/python",
        **(_CPU_ONLY if wanted.gpus is None else _visible(wanted.gpus)),
    }


def _visible(gpus: Gpus) -> dict[str, str]:
    if gpus.vendor == "rocm" or gpus.way == "cdi":
        return _VOID
    return {"NVIDIA_VISIBLE_DEVICES": ",".join(gpus.devices)}


def _host(wanted: Specification) -> dict[str, Any]:
    wish, policy = wanted.wish, wanted.policy
    host: dict[str, Any] = {
        "Mounts": list(_mounts(wanted)),
        "NetworkMode": wish.network,
        "SecurityOpt": list(_security(wanted)),
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in policy.ulimits],
        "GroupAdd": [*policy.groups, *(wanted.gpus.groups if wanted.gpus else ())],
        "Init": True,
        "CapAdd": list(policy.capabilities),
        "Devices": [_device(path) for path in (*policy.devices, *_rocm(wanted.gpus))],
        "DeviceRequests": list(_requests(wanted.gpus)),
        **_resources(wanted.resources),
    }
    if wish.port and wish.network == "bridge":
        # Of this machine alone: whoever is elsewhere comes through ssh.
        bound = [{"HostIp": "127.0.0.1", "HostPort": str(wish.port)}]
        host["PortBindings"] = {f"{JUPYTER}/tcp": bound}
    return host


def _mounts(wanted: Specification) -> Iterator[dict[str, Any]]:
    wish = wanted.wish
    sources = {WORKSPACE: wish.workspace, DATA: wish.data, MODELS: wish.models}
    for target, source in sources.items():
        if source:
            yield {"Type": "bind", "Source": source, "Target": target}


def _security(wanted: Specification) -> Iterator[str]:
    if not wanted.wish.is_admin:
        yield "no-new-privileges"
    if wanted.policy.seccomp:
        yield f"seccomp={wanted.policy.seccomp}"


def _device(path: str) -> dict[str, str]:
    return {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"}


def _rocm(gpus: Gpus | None) -> tuple[str, ...]:
    return gpus.devices if gpus and gpus.vendor == "rocm" else ()


def _requests(gpus: Gpus | None) -> Iterator[dict[str, Any]]:
    if gpus is None or gpus.vendor != "nvidia":
        return
    if gpus.way == "cdi":
        names = [f"nvidia.com/gpu={device}" for device in gpus.devices]
        yield {"Driver": "cdi", "DeviceIDs": names}
        return
    yield {"Driver": "nvidia", "DeviceIDs": list(gpus.devices), "Capabilities": [["gpu"]]}


def _resources(resources: Resources) -> dict[str, Any]:
    values: dict[str, Any] = {
        "NanoCpus": None if resources.cpus is None else round(resources.cpus * _BILLION),
        "Memory": resources.memory,
        "MemorySwap": resources.memory_swap,
        "ShmSize": resources.shm_size,
        "PidsLimit": resources.pids,
        "CgroupParent": resources.cgroup_parent or None,
        "Tmpfs": {"/tmp": f"size={resources.tmp},mode=1777,exec"} if resources.tmp else None,  # noqa: S108
    }
    return {name: value for name, value in values.items() if value is not None}
