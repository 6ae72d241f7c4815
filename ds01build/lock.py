"""The lock: everything a build needs to know, as hashes and never as locations.

TOML, sorted, with no time, host, user or credential in it, so that it can be committed and two
people get the same bytes from it. A lock in hand is valid: names in it exist, and are unique.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.digest import Digest, canonical
from ds01build.recipe.settings import ImageSettings

if TYPE_CHECKING:
    from ds01build.digest import Canonical
    from ds01build.pin import DebPin, FilePin, WheelPin
    from ds01build.target import Target

__all__ = ["VERSION", "Lock", "LockedBase", "LockedLayer", "LockedTier"]

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBase:
    """A Debian root made from .debs; ``packages`` is what it is resolved from."""

    suite: str
    architecture: str  # as Debian names it, such as amd64
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTier:
    """A tier in recipe order; ``requests`` is what it asks for, in its one normal form."""

    name: str
    kind: str  # apt, python or files
    after: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLayer:
    """One layer: ``names`` of wheels or .debs, or destinations of files."""

    tier: str
    kind: str  # wheels, debs or files
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A recipe with every choice made. ``layers`` are in stack order, lowest first.

    ``recipe`` is the digest of the recipe's projection: it says whether the lock is stale, and
    feeds no key.
    """

    name: str
    recipe: Digest
    base: LockedBase
    target: Target
    image: ImageSettings = field(default_factory=ImageSettings)
    tiers: tuple[LockedTier, ...] = ()
    debs: tuple[DebPin, ...] = field(default=(), repr=False)
    wheels: tuple[WheelPin, ...] = field(default=(), repr=False)
    files: tuple[FilePin, ...] = field(default=(), repr=False)
    layers: tuple[LockedLayer, ...] = field(default=(), repr=False)

    @property
    def digest(self) -> Digest:
        """The digest of the lock's content, however its file is written."""
        return Digest.of(canonical(to_dict(self)))


def to_dict(lock: Lock) -> dict[str, Canonical]:
    """Return ``lock`` as the tables of its file; what is empty is left out."""
    tables: dict[str, Canonical] = {
        "version": VERSION,
        "name": lock.name,
        "recipe": str(lock.recipe),
        "base": _filled(
            suite=lock.base.suite,
            architecture=lock.base.architecture,
            packages=list(lock.base.packages),
        ),
        "target": _target(lock.target),
        "image": _image(lock.image),
        "tier": [_tier(tier) for tier in lock.tiers],
        "deb": [_deb(pin) for pin in lock.debs],
        "wheel": [_wheel(pin) for pin in lock.wheels],
        "file": [_file(pin) for pin in lock.files],
        "layer": [
            {"tier": layer.tier, "kind": layer.kind, "names": list(layer.names)}
            for layer in lock.layers
        ],
    }
    return _filled(**tables)


def _filled(**values: Canonical) -> dict[str, Canonical]:
    return {name: value for name, value in values.items() if value not in ("", [], {})}


def _target(target: Target) -> dict[str, Canonical]:
    schemes = target.schemes
    return _filled(
        interpreter=target.interpreter,
        version=target.version,
        schemes={
            "purelib": schemes.purelib,
            "platlib": schemes.platlib,
            "scripts": schemes.scripts,
            "data": schemes.data,
            "headers": schemes.headers,
        },
        directories=[
            {"path": d.path, "mode": _octal(d.mode), "uid": d.uid, "gid": d.gid}
            for d in sorted(target.directories)
        ],
        links=[{"path": link.path, "to": link.to} for link in sorted(target.links)],
    )


def _octal(mode: int) -> str:
    return f"{mode:04o}"


def _image(image: ImageSettings) -> dict[str, Canonical]:
    tables = _filled(
        env=dict(image.env),
        labels=dict(image.labels),
        workdir=image.workdir,
        user=image.user,
        ports=list(image.ports),
    )
    # An empty command is not the same as none: it takes the base's away.
    commands = {"entrypoint": image.entrypoint, "cmd": image.cmd}
    tables.update({name: list(words) for name, words in commands.items() if words is not None})
    return tables


def _tier(tier: LockedTier) -> dict[str, Canonical]:
    return _filled(
        name=tier.name, kind=tier.kind, after=list(tier.after), requests=list(tier.requests)
    )


def _deb(pin: DebPin) -> dict[str, Canonical]:
    return _filled(
        name=pin.name,
        version=pin.version,
        architecture=pin.architecture,
        tier=pin.tier,
        archive=pin.archive,
        path=pin.path,
        size=pin.size,
        sha256=pin.digest.hex,
    )


def _wheel(pin: WheelPin) -> dict[str, Canonical]:
    return _filled(
        name=pin.name,
        version=pin.version,
        tier=pin.tier,
        index=pin.index,
        file=pin.file,
        size=pin.size,
        sha256=pin.digest.hex,
        requires=list(pin.requires),
    )


def _file(pin: FilePin) -> dict[str, Canonical]:
    return _filled(
        to=pin.to,
        tier=pin.tier,
        source=pin.source,
        mode=_octal(pin.mode),
        size=pin.size,
        sha256=pin.digest.hex,
    )
