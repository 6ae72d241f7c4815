"""What a container is to be: a pure value, from what is wished and what the machine allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ds01build.container.devices import MOST, device_names
from ds01build.container.names import check_name, full_name
from ds01build.container.policy import Policy
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from ds01build.container.identity import HomeFile, Identity

__all__ = ["Gpus", "Interface", "Network", "Resources", "Specification", "Wish", "check"]

Network = Literal["bridge", "host"]
# What made a container, for who cleans up: a project's command, one of the container commands, or
# a program (spec 4.3).
Interface = Literal["orchestration", "atomic", "api"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks for. Paths are absolute, of the host; empty for none."""

    name: str  # without the user's uid
    image: str  # REPOSITORY:TAG
    workspace: str
    data: str = ""
    models: str = ""
    gpus: int = 0  # how many; 0 is none at all, unless they are named:
    devices: tuple[str, ...] = ()  # GPUs or slices by UUID or slot, instead of so many
    network: Network = "bridge"
    port: int = 0  # of the host, where Jupyter is reached; 0 for none
    is_admin: bool = False  # may become root in it
    project: str = ""
    interface: Interface = "atomic"
    has_mlc_labels: bool = False  # those of AIME's tools, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a container may use, None for as much as there is. Sizes are bytes."""

    cpus: float | None = None
    memory: int | None = None
    memory_swap: int | None = None  # memory and swap together
    shm_size: int | None = None
    pids: int | None = None
    tmp: int | None = None  # of a file system in memory at /tmp; None: /tmp lies on the disk
    cgroup_parent: str = ""  # a slice; empty for the engine's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """The devices that a container gets.

    ``devices`` are UUIDs of GPUs or MIG slices for NVIDIA, paths below /dev for ROCm, whose GPUs'
    own names ``uuids`` are. ``slots`` are what people call them, ``groups`` who may open ROCm's.
    """

    vendor: Literal["nvidia", "rocm"]
    devices: tuple[str, ...]
    way: Literal["request", "cdi"] = "request"
    slots: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    uuids: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What labels call them, each of them one GPU or slice."""
        return self.uuids or self.devices


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A container, as far as anything about it is decided before an engine makes it."""

    wish: Wish
    identity: Identity
    resources: Resources = field(default_factory=Resources)
    gpus: Gpus | None = None
    policy: Policy = field(default_factory=Policy)
    path: str = ""  # PATH of the image
    files: tuple[HomeFile, ...] = field(default=(), repr=False)
    facts: tuple[tuple[str, str], ...] = ()  # what labels say besides: framework, arch, ...
    legacy: bool = False  # labels of AIME's tools, too
    replaces: str = ""  # the id of the container in whose place it comes

    @property
    def name(self) -> str:
        """What the engine calls it."""
        return full_name(self.wish.name, self.identity.uid)

    @property
    def image(self) -> str:
        """The tag that it is made from."""
        return self.wish.image


def check(wish: Wish, policy: Policy) -> Wish:
    """Return ``wish`` if it may be: names can be such, and the site allows what it asks for.

    Raises Ds01Error.
    """
    try:
        check_name(wish.name)
    except ValueError as error:
        raise Ds01Error(str(error)) from error
    if not 0 <= wish.gpus <= MOST:
        raise Ds01Error(f"{wish.gpus} is no number of GPUs: it is one of 0 to {MOST}")
    if device_names(",".join(wish.devices)) != wish.devices:
        named = ", ".join(map(repr, wish.devices))
        raise Ds01Error(f"{named:.100} are not GPUs, each named once by UUID or slot, as 0 or 0.1")
    if wish.is_admin and not policy.sudo:
        raise Ds01Error(
            "nobody may become root in a container on this machine",
            hint="ask who runs it to set sudo = true in [containers] of /etc/ds01/config.toml",
        )
    return wish
