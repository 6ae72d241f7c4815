"""What GPUs a machine has, and what of them can be handed out: whole ones, or slices of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

__all__ = ["Device", "Gpu", "Inventory", "Slice", "Vendor"]

Vendor = Literal["", "nvidia", "rocm"]

# A GPU that can be sliced has its memory in eighths, and a slice has so many of them, less what
# its own tables take.
_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of an NVIDIA GPU that is one of its own to programs (MIG)."""

    index: int  # among the slices of its GPU, as the driver counts
    uuid: str  # MIG-...
    profile: str  # how much of the GPU it is, as 1g.5gb; empty where the driver does not say
    memory: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU. ``nodes`` are the devices below /dev that are AMD's alone, ``groups`` who opens them.

    One that is sliced is there as its slices only, also while it has none.
    """

    index: int
    uuid: str  # GPU-...; of an AMD GPU without one, its first node
    name: str
    memory: int = 0  # bytes
    is_sliced: bool = False
    slices: tuple[Slice, ...] = ()
    brand: str = ""  # as NVIDIA_REQUIRE_CUDA has it: tesla, geforcertx, ...
    architecture: str = ""  # NVIDIA's compute capability, as 8.0; AMD's target, as gfx90a
    nodes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a container can get: a whole GPU, or one slice of it."""

    gpu: Gpu
    slice: Slice | None = None

    @property
    def uuid(self) -> str:
        """What the driver, and the engine, call it."""
        return self.slice.uuid if self.slice else self.gpu.uuid

    @property
    def slot(self) -> str:
        """What people and labels call it: 0 for a GPU, 0.1 for a slice."""
        return f"{self.gpu.index}.{self.slice.index}" if self.slice else f"{self.gpu.index}"

    @property
    def memory(self) -> int:
        """Its bytes of memory, 0 where the driver does not say."""
        return self.slice.memory if self.slice else self.gpu.memory

    @property
    def share(self) -> Fraction:
        """How much of a GPU it is; a slice is as many eighths as it has of the memory."""
        if self.slice is None or not self.gpu.memory:
            return Fraction(1)
        parts = round(_PARTS * self.slice.memory / self.gpu.memory)
        return Fraction(min(max(parts, 1), _PARTS), _PARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The GPUs of a machine, by index; without a driver there is none, and no vendor."""

    vendor: Vendor = ""
    driver: str = ""  # the driver's version
    cuda: str = ""  # the newest CUDA that NVIDIA's driver knows, as 12.4
    gpus: tuple[Gpu, ...] = ()
    lost: tuple[str, ...] = ()  # what is said of GPUs that are there and do not answer

    @property
    def devices(self) -> tuple[Device, ...]:
        """All that can be handed out, by index."""
        return tuple(
            device
            for gpu in self.gpus
            for device in (
                [Device(gpu=gpu, slice=each) for each in gpu.slices]
                if gpu.is_sliced
                else [Device(gpu=gpu)]
            )
        )

    def find(self, name: str) -> Device | None:
        """Return the device of a UUID or slot, None where there is none."""
        return next((each for each in self.devices if name in (each.uuid, each.slot)), None)
