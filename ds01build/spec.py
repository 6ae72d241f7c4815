"""Layer specs: everything that decides the bytes of one native layer, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.digest import Key
from ds01build.versions import COMPRESSOR, RULES, WRITER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.digest import Canonical
    from ds01build.pin import DebPin, FilePin, Pin, WheelPin
    from ds01build.target import Target

__all__ = ["DebSpec", "FileSpec", "LayerSpec", "StateSpec", "WheelSpec", "inputs", "key", "sources"]

SCHEMA = "ds01.layer/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSpec:
    """Wheels installed for a target."""

    wheels: tuple[WheelPin, ...]
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class DebSpec:
    """Unpacked .debs, without what their scripts would do."""

    debs: tuple[DebPin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSpec:
    """What all .debs of an image have in common: users, alternatives, dpkg's status, caches."""

    debs: tuple[DebPin, ...]
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """Declared files over the directories that ``base`` makes."""

    files: tuple[FilePin, ...]
    base: StateSpec


LayerSpec = WheelSpec | DebSpec | StateSpec | FileSpec


def inputs(spec: LayerSpec) -> dict[str, Canonical]:
    """Return the inputs of ``spec`` in the form that is hashed, and kept to explain a rebuild.

    Tier names, indexes, pool paths and the order of pins do not count: they change no byte.
    """
    if isinstance(spec, WheelSpec):
        wheels = sorted([pin.name, pin.version, str(pin.digest)] for pin in spec.wheels)
        return {
            "schema": SCHEMA,
            "kind": "wheels",
            "writer": WRITER,
            "target": spec.target.canonical(),
            "wheels": wheels,
        }
    if isinstance(spec, DebSpec):
        return {
            "schema": SCHEMA,
            "kind": "debs",
            "writer": WRITER,
            "rules": RULES,
            "compressor": COMPRESSOR,
            "debs": _debs(spec.debs),
        }
    if isinstance(spec, StateSpec):
        return {
            "schema": SCHEMA,
            "kind": "state",
            "writer": WRITER,
            "rules": RULES,
            "compressor": COMPRESSOR,
            "architecture": spec.architecture,
            "debs": _debs(spec.debs),
        }
    files = sorted([pin.to, f"{pin.mode:04o}", str(pin.digest)] for pin in spec.files)
    return {
        "schema": SCHEMA,
        "kind": "files",
        "writer": WRITER,
        "compressor": COMPRESSOR,
        "base": str(key(spec.base)),
        "files": files,
    }


def _debs(pins: Iterable[DebPin]) -> list[list[str]]:
    return sorted([pin.name, pin.version, pin.architecture, str(pin.digest)] for pin in pins)


def key(spec: LayerSpec) -> Key:
    """Return the layer key of ``spec``."""
    return Key.of(inputs(spec))


def sources(spec: LayerSpec) -> tuple[Pin, ...]:
    """Return the pins whose files are read to write the layer."""
    if isinstance(spec, WheelSpec):
        return spec.wheels
    if isinstance(spec, FileSpec):
        return spec.files
    return spec.debs
