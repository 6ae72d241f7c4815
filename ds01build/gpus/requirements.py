"""What an image needs of a driver, and whether it is there.

NVIDIA's images say so in variables NVIDIA_REQUIRE_*: alternatives between spaces, each of them
conditions between commas, such as ``cuda>=12.6 brand=tesla,driver>=470,driver<471``. What NVIDIA's
runtime refuses when a container starts is told here before it is made.
"""

from __future__ import annotations

import operator
import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from ds01build.catalogue import find_framework, least_driver
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ds01build.gpus.inventory import Device, Inventory

__all__ = ["concerns", "unmet"]

_LONGEST = 16 * 1024  # characters of a requirement
_SHOWN = 60
_RULE = re.compile(
    r"(?P<what>cuda|driver|arch|brand)(?P<sign>[<>!=]=?)(?P<value>[A-Za-z0-9.]{1,32})"
)
_VERSION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,5}")
_CUDA = re.compile(r"v?([0-9]{1,3}\.[0-9]{1,3})(?:\.[0-9A-Za-z.+-]{1,20})?")
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FRAMEWORK = re.compile(r"(?P<name>[A-Za-z]{1,20})-(?P<version>[0-9A-Za-z.-]{1,40})")
_SIGNS: Mapping[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def unmet(variables: Mapping[str, str], inventory: Inventory, devices: Sequence[Device]) -> str:
    """Say what of an image's needs the driver and these devices do not meet; empty for nothing.

    ``variables`` are those of the image. What is not known of a machine is taken to be met, and
    nothing is needed where the image has NVIDIA_DISABLE_REQUIRE.
    """
    if inventory.vendor != "nvidia" or variables.get("NVIDIA_DISABLE_REQUIRE") in _TRUE:
        return ""
    for need in _needs(variables):
        for device in devices:
            if _alternatives(need) and not _is_met(need, inventory, device):
                gpu = device.gpu
                return (
                    f"the image needs {need.split(' ', 1)[0]:.{_SHOWN}}, and driver"
                    f" {inventory.driver} knows CUDA {inventory.cuda or '?'}"
                    f" (GPU {device.slot}: {gpu.brand or '?'}, {gpu.architecture or '?'})"
                )
    return ""


def concerns(
    variables: Mapping[str, str], labels: Mapping[str, str], inventory: Inventory
) -> Iterator[str]:
    """Yield what may keep an image from using the GPUs of a machine, though nothing refuses it."""
    of_nvidia = any(name in variables for name in ("CUDA_VERSION", "NVIDIA_REQUIRE_CUDA"))
    if inventory.vendor == "rocm" and of_nvidia:
        yield "the image is for GPUs of NVIDIA, and those of this machine are AMD's"
    unreadable = [need for need in _needs(variables) if not _alternatives(need)]
    if inventory.vendor == "nvidia" and unreadable:
        yield f"what the image needs cannot be read: {unreadable[0]!r:.{_SHOWN}}"
    least = _documented(labels)
    if inventory.vendor == "nvidia" and least and _below(inventory.driver, least):
        name = labels["ds01.framework"]
        yield f"{name} needs driver {least}, and this one is {inventory.driver}"


def _needs(variables: Mapping[str, str]) -> list[str]:
    """Return what an image needs; one that only says which CUDA it has, needs that."""
    found = [
        value.strip()
        for name, value in sorted(variables.items())
        if name.startswith("NVIDIA_REQUIRE_") and not name.startswith("NVIDIA_REQUIRE_JETPACK")
    ]
    version = _CUDA.fullmatch(variables.get("CUDA_VERSION", ""))
    if version and not variables.get("NVIDIA_REQUIRE_CUDA"):
        found.append(f"cuda>={version[1]}")
    return [each for each in found if each]


def _alternatives(need: str) -> list[list[re.Match[str]]]:
    """Return the conditions of each alternative, none where any of it is not understood."""
    if len(need) > _LONGEST:
        return []
    rules = [
        [_RULE.fullmatch(one) for one in group.split(",") if one]
        for group in need.split(" ")
        if group
    ]
    whole = [[one for one in group if one and one["sign"] in _SIGNS] for group in rules]
    return whole if list(map(len, whole)) == list(map(len, rules)) else []


def _is_met(need: str, inventory: Inventory, device: Device) -> bool:
    facts = {
        "cuda": inventory.cuda,
        "driver": inventory.driver,
        "arch": device.gpu.architecture,
        "brand": device.gpu.brand,
    }
    return any(all(_holds(one, facts) for one in group) for group in _alternatives(need))


def _holds(rule: re.Match[str], facts: Mapping[str, str]) -> bool:
    have, value, sign = facts[rule["what"]], rule["value"], rule["sign"]
    if not have:
        return True
    if rule["what"] == "brand":
        return (have.lower() == value.lower()) is (sign == "=")
    if not (_VERSION.fullmatch(have) and _VERSION.fullmatch(value)):
        return False
    return _SIGNS[sign](_compared(have, value), 0)


def _compared(one: str, other: str) -> int:
    """Return -1, 0 or 1 as a version is below another, the same or above it."""
    pairs = zip_longest(map(int, one.split(".")), map(int, other.split(".")), fillvalue=0)
    return next(((a > b) - (a < b) for a, b in pairs if a != b), 0)


def _below(driver: str, least: str) -> bool:
    return bool(_VERSION.fullmatch(driver)) and _compared(driver, least) < 0


def _documented(labels: Mapping[str, str]) -> str:
    """Return the oldest driver that is documented for the framework of an image, empty for none."""
    match = _FRAMEWORK.fullmatch(labels.get("ds01.framework", ""))
    if match is None:
        return ""
    architecture = labels.get("ds01.arch", "")
    try:
        found = find_framework(match["name"].lower(), match["version"], architecture)
    except Ds01Error:
        return ""
    return least_driver(found, architecture)
