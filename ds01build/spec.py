"""Layer specs: everything that decides the bytes of one native layer, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.digest import Key
from ds01build.quantities import counted
from ds01build.versions import CAPTURE, COMPRESSOR, RULES, WRITER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.digest import Canonical, DiffId
    from ds01build.lock import Removed
    from ds01build.pin import DebPin, FilePin, Pin, WheelPin
    from ds01build.target import Ground, Target

__all__ = [
    "DebSpec",
    "Executed",
    "FileSpec",
    "InstallSpec",
    "LayerSpec",
    "RemovedSpec",
    "RunSpec",
    "StateSpec",
    "WheelSpec",
    "inputs",
    "key",
    "outcome_inputs",
    "sources",
    "title",
]

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
    """Declared files over the directories that ``base`` makes, or that an image has."""

    files: tuple[FilePin, ...]
    base: StateSpec | Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedSpec:
    """Paths of a base image that are taken away, so that a tier can put others there."""

    removed: tuple[Removed, ...]
    ground: Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallSpec:
    """.debs that an engine installs over an image.

    ``image`` are the layers of the image that everything stands on, and ``below`` those above it
    that the tier needs and sees; both in stack order, lowest first.
    """

    debs: tuple[DebPin, ...]
    image: tuple[DiffId, ...]
    below: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """Commands that an engine runs over an image, with what the recipe says of its containers."""

    commands: tuple[str, ...]
    network: bool
    environment: tuple[tuple[str, str], ...]
    workdir: str
    image: tuple[DiffId, ...]
    below: tuple[Key, ...] = ()


Executed = InstallSpec | RunSpec
LayerSpec = WheelSpec | DebSpec | StateSpec | FileSpec | RemovedSpec | Executed


def inputs(spec: LayerSpec) -> dict[str, Canonical]:
    """Return the inputs of ``spec`` in the form that is hashed, and kept to explain a rebuild.

    Tier names, indexes, pool paths and the order of pins do not count: they change no byte.
    """
    if isinstance(spec, (InstallSpec, RunSpec)):
        below: list[Canonical] = [str(each) for each in spec.below]
        return {**_executed(spec), "image": _addresses(spec.image), "below": below}
    if isinstance(spec, WheelSpec):
        return _wheels(spec)
    if isinstance(spec, (DebSpec, StateSpec)):
        return _unpacked(spec)
    if isinstance(spec, RemovedSpec):
        return _removed(spec)
    return _files(spec)


def outcome_inputs(spec: Executed, below: Iterable[DiffId]) -> dict[str, Canonical]:
    """Return the inputs of an executed layer by what lies below it, however that was made.

    ``below`` are the diff_ids of ``spec.below``, in their order.
    """
    return {**_executed(spec), "seen": _addresses([*spec.image, *below])}


def _addresses(diff_ids: Iterable[DiffId]) -> list[Canonical]:
    return [str(each) for each in diff_ids]


def _executed(spec: Executed) -> dict[str, Canonical]:
    common: dict[str, Canonical] = {
        "schema": SCHEMA,
        "capture": CAPTURE,
        "writer": WRITER,
        "compressor": COMPRESSOR,
    }
    if isinstance(spec, InstallSpec):
        return {**common, "kind": "install", "debs": _debs(spec.debs)}
    return {
        **common,
        "kind": "run",
        "commands": list(spec.commands),
        "network": spec.network,
        "environment": [[name, value] for name, value in spec.environment],
        "workdir": spec.workdir,
    }


def _wheels(spec: WheelSpec) -> dict[str, Canonical]:
    wheels = sorted([pin.name, pin.version, str(pin.digest)] for pin in spec.wheels)
    return {
        "schema": SCHEMA,
        "kind": "wheels",
        "writer": WRITER,
        "target": spec.target.canonical(),
        "wheels": wheels,
    }


def _unpacked(spec: DebSpec | StateSpec) -> dict[str, Canonical]:
    common: dict[str, Canonical] = {
        "schema": SCHEMA,
        "writer": WRITER,
        "rules": RULES,
        "compressor": COMPRESSOR,
        "debs": _debs(spec.debs),
    }
    if isinstance(spec, DebSpec):
        return {**common, "kind": "debs"}
    return {**common, "kind": "state", "architecture": spec.architecture}


def _files(spec: FileSpec) -> dict[str, Canonical]:
    files = sorted([pin.to, f"{pin.mode:04o}", str(pin.digest)] for pin in spec.files)
    base = str(key(spec.base)) if isinstance(spec.base, StateSpec) else spec.base.canonical()
    return {
        "schema": SCHEMA,
        "kind": "files",
        "writer": WRITER,
        "compressor": COMPRESSOR,
        "base": base,
        "files": files,
    }


def _removed(spec: RemovedSpec) -> dict[str, Canonical]:
    return {
        "schema": SCHEMA,
        "kind": "removed",
        "writer": WRITER,
        "compressor": COMPRESSOR,
        "ground": spec.ground.canonical(),
        "paths": sorted({path for one in spec.removed for path in one.paths}),
    }


def _debs(pins: Iterable[DebPin]) -> list[list[str]]:
    return sorted([pin.name, pin.version, pin.architecture, str(pin.digest)] for pin in pins)


def key(spec: LayerSpec) -> Key:
    """Return the layer key of ``spec``."""
    return Key.of(inputs(spec))


def sources(spec: LayerSpec) -> tuple[Pin, ...]:
    """Return the pins whose files are read to make the layer."""
    if isinstance(spec, WheelSpec):
        return spec.wheels
    if isinstance(spec, FileSpec):
        return spec.files
    if isinstance(spec, (RunSpec, RemovedSpec)):
        return ()
    return spec.debs


def title(spec: LayerSpec) -> str:
    """Say in a few words what a layer holds, from its pins alone."""
    if isinstance(spec, RunSpec):
        return counted(len(spec.commands), "command")
    if isinstance(spec, RemovedSpec):
        return f"without {', '.join(one.name for one in spec.removed)}"
    pins = sources(spec)
    if isinstance(spec, StateSpec):
        return f"state of {counted(len(pins), '.deb')}"
    kind = "file" if isinstance(spec, FileSpec) else "package"
    return str(pins[0]) if len(pins) == 1 else f"{len(pins)} {kind}s, {pins[0]} to {pins[-1]}"
