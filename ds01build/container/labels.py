"""What a container says of itself: ds01's labels, AIME's, and how they are read again (spec 4.3).

Whoever may use the engine can write any label, so they are read as hostile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.container.devices import device_names
from ds01build.container.names import check_name
from ds01build.container.specification import Wish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.container.specification import Interface, Network, Specification

__all__ = [
    "MANAGED",
    "REPLACES",
    "USER",
    "image_of",
    "labels_of",
    "login_of",
    "port_of",
    "read",
    "uid_of",
]

MANAGED = "ds01.managed"
USER = "ds01.uid"
REPLACES = "ds01.replaces"  # the id of the container that one was made to replace
_NONE = "-"  # of a mount that there is not, as AIME's tools write it
_UID = re.compile(r"([0-9]{1,10})(?::[0-9]{1,10})?")
_NUMBER = re.compile(r"[0-9]{1,5}")
_LOGIN = re.compile(r"[A-Za-z0-9._@+-]{1,256}")
_LEGACY = "aime.mlc"
_AIME = re.compile(r"(?:docker\.io/)?aimehub/.*")  # images of AIME, which are nobody's own
_LEGACY_KEYS = {  # by the key of ds01's own label
    "name": "NAME",
    "arch": "ARCH",
    "mlc_version": "MLC_VERSION",
    "work_mount": "WORK_MOUNT",
    "data_mount": "DATA_MOUNT",
    "models_mount": "MODELS_MOUNT",
    "framework": "FRAMEWORK",
    "gpus": "GPUS",
    "managed": "DS01_MANAGED",
    "custom_image": "CUSTOM_IMAGE",
    "created_at": "DS01_CREATED",
}
_MLC_VERSION = "4"  # of the labels, as AIME's tools count


def labels_of(wanted: Specification) -> dict[str, str]:
    """Return the labels of a container, by name."""
    own = {
        **dict(wanted.facts),
        "user": wanted.identity.login,
        "user.sanitized": wanted.identity.name,
        "uid": f"{wanted.identity.uid}:{wanted.identity.gid}",
        "managed": "true",
        "mlc_version": _MLC_VERSION,
        "container_name": wanted.name,
        "slice": wanted.resources.cgroup_parent or _NONE,
        **_wished(wanted.wish),
        **_gpus(wanted),
    }
    found = {f"ds01.{key}": value for key, value in own.items()}
    if wanted.replaces:
        found[REPLACES] = wanted.replaces
    if wanted.legacy:
        found |= {f"{_LEGACY}.{name}": own[key] for key, name in _LEGACY_KEYS.items() if key in own}
        found |= {_LEGACY: wanted.identity.login, f"{_LEGACY}.USER": wanted.identity.login}
    return dict(sorted(found.items()))


def _wished(wish: Wish) -> dict[str, str]:
    return {
        "name": wish.name,
        "image": wish.image,
        "custom_image": "" if _AIME.fullmatch(wish.image) else wish.image,
        "work_mount": wish.workspace,
        "workspace": wish.workspace,
        "data_mount": wish.data or _NONE,
        "models_mount": wish.models or _NONE,
        "network": wish.network,
        "port": str(wish.port),
        "sudo": "true" if wish.is_admin else "false",
        "project": wish.project or wish.name,
        "interface": wish.interface,
        "container_type": "docker",
    }


def _gpus(wanted: Specification) -> dict[str, str]:
    gpus = wanted.gpus
    wished = {
        "gpu.count": str(wanted.wish.gpus),
        "gpu.devices": ",".join(wanted.wish.devices),
    }
    if gpus is None:
        return {"gpus": "none", **wished}
    return {
        **wished,
        "gpus": ",".join(gpus.names),
        "gpu.uuids": ",".join(gpus.names),
        "gpu.uuid": gpus.names[0],
        "gpu.slots": ",".join(gpus.slots),
        "gpu.slot_count": str(len(gpus.names)),
        "gpu.allocated": ",".join(gpus.slots),
        "gpu.allocated_at": dict(wanted.facts).get("created_at", ""),
    }


def read(labels: Mapping[str, str]) -> Wish | None:
    """Return what was wished of a container, None for one that ds01 did not create."""
    said = {key: labels.get(f"ds01.{key}", "") for key in _wished_keys()}
    if labels.get(MANAGED) != "true" or not all(said[key] for key in ("name", "image")):
        return None
    mounts = [_path(said[key]) for key in ("work_mount", "data_mount", "models_mount")]
    if None in mounts or not mounts[0]:
        return None
    try:
        check_name(said["name"])
    except ValueError:
        return None
    network: Network = "host" if said["network"] == "host" else "bridge"
    interface: Interface = "orchestration" if said["interface"] == "orchestration" else "atomic"
    return Wish(
        name=said["name"],
        image=said["image"],
        workspace=str(mounts[0]),
        data=mounts[1] or "",
        models=mounts[2] or "",
        gpus=_number(labels.get("ds01.gpu.count", "")),
        devices=device_names(labels.get("ds01.gpu.devices", "")) or (),
        network=network,
        port=_number(said["port"]),
        is_admin=said["sudo"] == "true",
        project=said["project"],
        interface=interface,
        has_mlc_labels=_LEGACY in labels,
    )


def _wished_keys() -> tuple[str, ...]:
    empty = Wish(name="x", image="x", workspace="/")
    return tuple(_wished(empty))


def _path(text: str) -> str | None:
    """Return a path of the host, empty for none; None for what is no absolute path."""
    if text in ("", _NONE):
        return ""
    return text if text.startswith("/") and text.isprintable() else None


def _number(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0


def port_of(labels: Mapping[str, str]) -> int:
    """Return the port of this machine that a container says it has, 0 for none."""
    return _number(labels.get("ds01.port", ""))


def uid_of(labels: Mapping[str, str]) -> int | None:
    """Return the uid that a container belongs to, None where no label says so.

    ds01 writes ``UID:GID``; other programs of a site may leave the gid out.
    """
    match = _UID.fullmatch(labels.get(USER, ""))
    return int(match[1]) if match else None


def login_of(labels: Mapping[str, str]) -> str:
    """Return the login of a container's user, by whatever tool made it; empty for none."""
    for name in ("ds01.user", f"{_LEGACY}.USER", f"{_LEGACY}.username", _LEGACY):
        if _LOGIN.fullmatch(labels.get(name, "")):
            return labels[name]
    return ""


def image_of(labels: Mapping[str, str]) -> str:
    """Return the image that labels name, by whatever tool made the container; empty for none."""
    return labels.get("ds01.image") or labels.get(f"{_LEGACY}.DS01_IMAGE", "")
