"""AMD's GPUs, as the kernel shows them to ROCm: the topology of kfd, and nodes below /dev.

Documentation/gpu/amdgpu of Linux: a node of the topology is a processor of any kind; one that has a
render node and SIMD units is a GPU.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.gpus import Gpu, Inventory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["inventory"]

_TOPOLOGY = "sys/class/kfd/kfd/topology/nodes"
_KFD = "dev/kfd"
_MOST = 64  # nodes that are looked at
_LONGEST = 64 * 1024  # bytes of a file
_LINE = re.compile(r"(?P<name>[a-z0-9_]{1,60}) (?P<value>[0-9]{1,20})")
_NAME = re.compile(r"[\x20-\x7e]{1,128}")
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}")


def inventory(root: Path) -> Inventory:
    """Return the GPUs of a machine whose root directory this is, an empty inventory without one."""
    kfd = root / _KFD
    if not kfd.exists():
        return Inventory()
    gpus = tuple(_gpus(root))
    version = _text(root / "sys/module/amdgpu/version")
    return Inventory(
        vendor="rocm" if gpus else "",
        driver=version if _VERSION.fullmatch(version) else "",
        gpus=gpus,
    )


def _gpus(root: Path) -> Iterator[Gpu]:
    """Yield the GPUs in the order of their nodes, which is that of ROCm."""
    index, known = 0, set[int]()
    for node in _nodes(root / _TOPOLOGY):
        found = _properties(node / "properties")
        minor = found.get("drm_render_minor", 0)
        path = f"/dev/dri/renderD{minor}"
        if not (minor and found.get("simd_count") and (root / path[1:]).exists()):
            continue
        unique = found.get("unique_id", 0)
        yield Gpu(
            index=index,
            uuid=f"GPU-{unique:016x}" if unique and unique not in known else path,
            name=_name(root, node, minor),
            memory=_number(root / f"sys/class/drm/renderD{minor}/device/mem_info_vram_total"),
            architecture=_target(found.get("gfx_target_version", 0)),
            nodes=(path,),
            groups=tuple(_groups(root, path)),
        )
        known.add(unique)  # which partitions of one GPU share
        index += 1


def _nodes(topology: Path) -> list[Path]:
    try:
        names = [each.name for each in topology.iterdir() if each.name.isdecimal()]
    except OSError:
        return []
    return [topology / name for name in sorted(names, key=int)[:_MOST]]


def _properties(path: Path) -> dict[str, int]:
    """Return the numbers of a file of lines; none of one that this user may not read."""
    matches = map(_LINE.fullmatch, _text(path).splitlines())
    return {each["name"]: int(each["value"]) for each in matches if each}


def _name(root: Path, node: Path, minor: int) -> str:
    places = (root / f"sys/class/drm/renderD{minor}/device/product_name", node / "name")
    return next((text for text in map(_text, places) if _NAME.fullmatch(text)), "AMD GPU")


def _target(number: int) -> str:
    """Return LLVM's name of an architecture: 90010 is gfx90a, whose last parts are hexadecimal."""
    major, minor, stepping = number // 10000, number // 100 % 100, number % 100
    return f"gfx{major}{minor:x}{stepping:x}" if number else ""


def _groups(root: Path, path: str) -> Iterator[str]:
    """Yield the groups that may open what a container needs, but for root's."""
    for name in (_KFD, path[1:]):
        try:
            gid = (root / name).stat().st_gid
        except OSError:
            continue
        if gid:
            yield str(gid)


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if re.fullmatch(r"[0-9]{1,16}", text) else 0


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST).strip()
    except OSError:
        return ""
