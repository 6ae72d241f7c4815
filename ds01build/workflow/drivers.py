"""Which drivers of GPUs a machine has. Without a GPU nothing is missing.

Files say it: no library of a vendor is loaded, and no program of his is started.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from ds01build.workflow.checked import Checked
from ds01build.workflow.configured import text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["drivers"]

TOPIC = "drivers"
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){1,3}")
_NVIDIA, _AMD = "0x10de", "0x1002"  # vendors of PCI
_DISPLAY = "0x03"  # the class of what shows, or computes
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib")
_NVML = "libnvidia-ml.so.1"
_CDI = ("etc/cdi", "var/run/cdi", "run/cdi")
_TOOLKIT = "nvidia-ctk"


def drivers(root: Path, path: str, runtimes: Collection[str]) -> Iterator[Checked]:
    """Yield what there is of drivers below ``root``; ``runtimes`` are those of the engine.

    ``path`` is the search path for programs.
    """
    vendors = set(_vendors(root))
    nvidia = _version(root / "sys/module/nvidia/version")
    amd = _version(root / "sys/module/amdgpu/version")
    if nvidia:
        yield from _nvidia(nvidia, root, path, runtimes)
    elif _NVIDIA in vendors:
        yield _lacking("an NVIDIA GPU without its driver", "nvidia-smi")
    if amd or (root / "dev/kfd").exists():
        yield Checked(topic=TOPIC, says=f"AMD {amd}".rstrip())
    if not (nvidia or amd or _NVIDIA in vendors):
        yield Checked(topic=TOPIC, says="no GPU: containers work on processors alone")


def _nvidia(version: str, root: Path, path: str, runtimes: Collection[str]) -> Iterator[Checked]:
    yield Checked(topic=TOPIC, says=f"NVIDIA {version}")
    if not (root / "dev/nvidiactl").exists():
        yield _lacking("the NVIDIA driver has no device /dev/nvidiactl", "nvidia-smi")
    if not any((root / place / _NVML).exists() for place in _LIBRARIES):
        yield _lacking(f"the NVIDIA driver's library {_NVML} is not installed", "nvidia-smi")
    has_cdi = any(any((root / place).glob("nvidia*")) for place in _CDI)
    if "nvidia" not in runtimes and not has_cdi and shutil.which(_TOOLKIT, path=path) is None:
        says = "NVIDIA's container toolkit is not installed: containers get no GPU"
        yield _lacking(says, "sudo apt-get install nvidia-container-toolkit")


def _lacking(says: str, remedy: str) -> Checked:
    return Checked(topic=TOPIC, says=says, state="problem", remedy=remedy)


def _version(path: Path) -> str:
    match = _VERSION.match(text_of(path))
    return match[0] if match else ""


def _vendors(root: Path) -> Iterator[str]:
    """Yield the vendors of the display controllers and accelerators of this machine."""
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        if text_of(device / "class").startswith(_DISPLAY):
            yield text_of(device / "vendor").strip()
