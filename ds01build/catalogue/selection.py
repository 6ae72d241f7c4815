"""Which image a framework means on a machine: a pure function of the recipe and its driver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ds01build.catalogue.images import LATEST, find_framework, frameworks, rows
from ds01build.errors import Ds01Error
from ds01build.fields import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.catalogue.images import Framework

__all__ = ["Selected", "least_driver", "select"]

_DRIVER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}")
# amdgpu's versions begin with ROCm's major, which is what an image's architecture is named by;
# those of NVIDIA that any image runs on have three digits.
_AMD_BELOW = 100
_ADA_FROM = 535  # the first driver that AIME's CUDA_ADA images are chosen for
_DEFAULT = "CUDA_AMPERE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The image that was chosen, and ``reason``: what it is for, and how that was decided."""

    reference: str
    framework: Framework
    architecture: str
    reason: str
    warnings: tuple[str, ...] = ()


def select(
    framework: str, version: str = LATEST, *, architecture: str = "", mlc_arch: str, driver: str
) -> Selected:
    """Return the image of a framework: an exact version, or the latest for the architecture.

    ``architecture`` is the recipe's; where that is empty ``mlc_arch`` decides (MLC_ARCH of the
    environment), then ``driver``: the version of the machine's kernel module, NVIDIA's or AMD's,
    as /sys/module/nvidia/version or /sys/module/amdgpu/version has it, empty without one.
    Raises Ds01Error that lists what there is instead.
    """
    numbers = _numbers(driver)
    chosen, reason = _architecture(architecture, mlc_arch.strip(), numbers)
    found = find_framework(framework, version, chosen)
    warnings = [f"{found.image}: {found.note}"] if found.note else []
    if driver.strip() and not numbers:
        warnings.append(f"the driver's version {driver.strip()!r:.60} cannot be read")
    return Selected(
        reference=found.image,
        framework=found,
        architecture=chosen if found.architectures else "",
        reason=reason if found.architectures else "for every architecture",
        warnings=(*warnings, *_warnings(found, chosen, numbers)),
    )


def least_driver(framework: Framework, architecture: str) -> str:
    """Return the oldest driver that AIME documents for an image, empty where it names none."""
    numbers = _least_drivers().get((framework.name, framework.version, architecture))
    return _text(numbers) if numbers else ""


def _numbers(driver: str) -> tuple[int, ...]:
    """Return the parts of a driver's version; none where there is no driver, or no sense in it."""
    text = driver.strip()
    return tuple(map(int, text.split("."))) if _DRIVER.fullmatch(text) else ()


def _architecture(recipe: str, mlc_arch: str, driver: tuple[int, ...]) -> tuple[str, str]:
    if recipe:
        return recipe, f"for {recipe}"  # a recipe says so, or will
    if mlc_arch:
        _refuse_unknown(mlc_arch)
        return mlc_arch, f"for {mlc_arch}, by MLC_ARCH of the environment"
    if not driver:
        return _DEFAULT, f"for {_DEFAULT}, since no driver was found"
    found = _by_driver(driver[0])
    return found, f"for {found}, by the driver {_text(driver)}"


def _by_driver(major: int) -> str:
    if major < _AMD_BELOW:
        return f"ROCM{major}"
    return "CUDA_ADA" if major >= _ADA_FROM else _DEFAULT


def _refuse_unknown(mlc_arch: str) -> None:
    known = list(dict.fromkeys(one for each in frameworks() for one in each.architectures))
    if mlc_arch not in known:
        near = did_you_mean(mlc_arch, known)
        raise Ds01Error(
            f"MLC_ARCH is {mlc_arch!r:.60}, but the catalogue's architectures are "
            f"{', '.join(known)}{near}",
            hint="unset MLC_ARCH",
        )


def _warnings(found: Framework, architecture: str, driver: tuple[int, ...]) -> list[str]:
    if not driver or not found.architectures:
        return []
    if architecture.startswith("ROCM") != (driver[0] < _AMD_BELOW):
        vendor = "AMD" if driver[0] < _AMD_BELOW else "NVIDIA"
        return [f"{found.image} is for {architecture}, but driver {_text(driver)} is of {vendor}"]
    least = _least_drivers().get((found.name, found.version, architecture), ())
    if driver < least:
        return [f"{found.image} needs driver {_text(least)}, and this one is {_text(driver)}"]
    return []


@cache
def _least_drivers() -> Mapping[tuple[str, str, str], tuple[int, ...]]:
    """Return the oldest driver of each image for which AIME documents one."""
    return {
        (row["framework"], row["version"], row["arch"]): _numbers(row["driver"])
        for row in rows("drivers.csv")
    }


def _text(driver: tuple[int, ...]) -> str:
    # As NVIDIA writes it: 570.86.10, 535.129.03.
    first, *rest = driver
    width = 2 if first >= _AMD_BELOW else 1
    return ".".join([str(first), *(f"{part:0{width}d}" for part in rest)])
