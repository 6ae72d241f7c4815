"""What is known of a base image: a pure function of its layers and configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ds01build.digest import Digest
    from ds01build.target import Directory, Link, Target

__all__ = ["Account", "AptFacts", "BaseFacts", "Deb", "Distribution", "Interpreter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that a shell in the base finds; paths are absolute, as PATH leads to them."""

    path: str
    version: str  # such as 3.11.2
    prefix: str  # sys.prefix
    directories: tuple[str, ...]  # of distributions, in the order of sys.path
    externally_managed: bool = False  # PEP 668


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Distribution:
    """A Python distribution of the base.

    ``is_held`` says that it lies in the directory that tiers install to, or in one that Python
    looks in before that: nothing that a tier brings would replace it. ``requires`` and ``extras``
    are its own METADATA's. ``owns`` are the fewest paths (relative to the root; directories that
    it has to itself, else files) that hold all of it, as its RECORD has them; empty where it has
    no RECORD, or one that names files outside the prefix.
    """

    name: str  # normalised (PEP 503)
    version: str  # as METADATA has it, which may lie outside PEP 440
    directory: str  # absolute
    is_held: bool
    requires: tuple[str, ...] = field(default=(), repr=False)
    extras: tuple[str, ...] = field(default=(), repr=False)
    owner: str = ""  # the .deb that brought it
    owns: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Deb:
    """A package that dpkg has as installed."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AptFacts:
    """What apt in the base goes by: texts by their absolute paths, keyrings base64-encoded.

    ``status`` is dpkg's, cut to the fields that a resolver reads.
    """

    status: str = field(default="", repr=False)
    sources: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    keyrings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    preferences: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Account:
    """A user or group of the base."""

    name: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """Everything about a base that locking and showing it need; addressed by ``config``.

    ``environment`` is that of its configuration, sorted by name. ``target`` is None without a
    Python, and with one that ds01 cannot install for. ``driver`` is NVIDIA_REQUIRE_CUDA as it
    stands there. ``directories`` are those of the whole base, down to a bounded depth, that are
    not 0755 and root's, and ``links`` its links to directories: what the way of any file takes.
    """

    config: Digest
    architecture: str  # as OCI names it, such as amd64
    distribution: str = ""  # ID of os-release, such as debian
    codename: str = ""  # VERSION_CODENAME of os-release
    title: str = ""  # PRETTY_NAME of os-release
    glibc: tuple[int, int] | None = None
    manager: Literal["conda", "pip", ""] = ""
    interpreter: Interpreter | None = None
    target: Target | None = None
    directories: tuple[Directory, ...] = field(default=(), repr=False)
    links: tuple[Link, ...] = field(default=(), repr=False)
    distributions: tuple[Distribution, ...] = field(default=(), repr=False)
    debs: tuple[Deb, ...] = field(default=(), repr=False)
    apt: AptFacts = field(default_factory=AptFacts, repr=False)
    users: tuple[Account, ...] = field(default=(), repr=False)
    groups: tuple[Account, ...] = field(default=(), repr=False)
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cuda: str = ""  # of the toolkit or its libraries, such as 12.6.3
    driver: str = ""
