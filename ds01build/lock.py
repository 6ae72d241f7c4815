"""The lock: everything a build needs to know, as hashes and never as locations.

TOML, sorted, with no time, host, user or credential in it, so that it can be committed and two
people get the same bytes from it. A lock in hand is valid: names in it exist, and are unique.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.digest import Digest, canonical
from ds01build.layer import GZIP
from ds01build.recipe.settings import ImageSettings
from ds01build.target import Ground

if TYPE_CHECKING:
    from ds01build.digest import Canonical
    from ds01build.layer import Layer
    from ds01build.pin import DebPin, FilePin, Source, WheelPin
    from ds01build.target import Target

__all__ = [
    "VERSION",
    "Lock",
    "LockedBase",
    "LockedDebian",
    "LockedImage",
    "LockedLayer",
    "LockedTier",
    "Removed",
]

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedDebian:
    """A Debian root made from .debs; ``packages`` is what it is resolved from."""

    suite: str
    architecture: str  # as Debian names it, such as amd64
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """An image that tiers stand on. Its digests decide; ``reference`` says where it came from.

    ``layers`` are as the registry has them, lowest first. ``ground`` is what declared files pass
    on their way.
    """

    reference: str  # registry, repository, and the tag that was asked for
    architecture: str  # as OCI names it, such as amd64
    manifest: Digest
    config: Digest
    layers: tuple[Layer, ...] = field(repr=False)
    glibc: str = ""  # of its C library, such as 2.36; empty without Python tiers
    ground: Ground = field(default_factory=Ground, repr=False)


LockedBase = LockedDebian | LockedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTier:
    """A tier in recipe order; ``requests`` is what it asks for, in its one normal form.

    A tier of kind run has ``commands`` instead, in the order in which they run.
    """

    name: str
    kind: str  # apt, python, files or run
    after: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Removed:
    """A distribution of the base that a tier replaces: ``paths`` of the root that go with it."""

    name: str
    version: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLayer:
    """One layer: ``names`` of wheels or .debs, destinations of files, removed distributions.

    A tier that an engine executes is a layer of kind executed, and has its own name there.
    """

    tier: str
    kind: str  # wheels, debs, files, removed or executed
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A recipe with every choice made. ``layers`` are in stack order, lowest first.

    ``recipe`` is the digest of the recipe's projection: it says whether the lock is stale, and
    feeds no key. ``target`` is None over an image without Python.
    """

    name: str
    recipe: Digest
    base: LockedBase
    target: Target | None
    image: ImageSettings = field(default_factory=ImageSettings)
    tiers: tuple[LockedTier, ...] = ()
    debs: tuple[DebPin, ...] = field(default=(), repr=False)
    wheels: tuple[WheelPin, ...] = field(default=(), repr=False)
    files: tuple[FilePin, ...] = field(default=(), repr=False)
    removed: tuple[Removed, ...] = field(default=(), repr=False)
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
        "base": _debian(lock.base) if isinstance(lock.base, LockedDebian) else _base(lock.base),
        "target": _target(lock.target) if lock.target else {},
        "image": _image(lock.image),
        "tier": [_tier(tier) for tier in lock.tiers],
        "deb": [_deb(pin) for pin in lock.debs],
        "wheel": [_wheel(pin) for pin in lock.wheels],
        "file": [_file(pin) for pin in lock.files],
        "removed": [
            {"name": one.name, "version": one.version, "paths": list(one.paths)}
            for one in lock.removed
        ],
        "layer": [
            {"tier": layer.tier, "kind": layer.kind, "names": list(layer.names)}
            for layer in lock.layers
        ],
    }
    return {**_filled(**tables), "layer": tables["layer"]}  # without it, the lock was cut short


def _filled(**values: Canonical) -> dict[str, Canonical]:
    return {name: value for name, value in values.items() if value not in ("", [], {})}


def _debian(base: LockedDebian) -> dict[str, Canonical]:
    return _filled(suite=base.suite, architecture=base.architecture, packages=list(base.packages))


def _base(base: LockedImage) -> dict[str, Canonical]:
    return _filled(
        image=base.reference,
        architecture=base.architecture,
        manifest=str(base.manifest),
        config=str(base.config),
        glibc=base.glibc,
        **_ground(base.ground),
        layer=[_base_layer(layer) for layer in base.layers],
    )


def _base_layer(layer: Layer) -> dict[str, Canonical]:
    usual = "" if layer.media_type == GZIP else layer.media_type
    return _filled(
        **{"digest": str(layer.digest), "diff-id": str(layer.diff_id), "media-type": usual},
        size=layer.size,
    )


def _ground(ground: Ground | Target) -> dict[str, Canonical]:
    return {
        "directories": [
            {"path": d.path, "mode": _octal(d.mode), "uid": d.uid, "gid": d.gid}
            for d in sorted(ground.directories)
        ],
        "links": [{"path": link.path, "to": link.to} for link in sorted(ground.links)],
    }


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
        **_ground(target),
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
    told = _filled(
        name=tier.name,
        kind=tier.kind,
        after=list(tier.after),
        requests=list(tier.requests),
        commands=list(tier.commands),
    )
    return {**told, "network": True} if tier.network else told


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
        source=_source(pin.source) if pin.source else {},
    )


def _source(source: Source) -> dict[str, Canonical]:
    address = "commit" if source.kind == "git" else "sha256"
    return _filled(**{source.kind: source.place, address: source.address})


def _file(pin: FilePin) -> dict[str, Canonical]:
    return _filled(
        to=pin.to,
        tier=pin.tier,
        source=pin.source,
        mode=_octal(pin.mode),
        size=pin.size,
        sha256=pin.digest.hex,
    )
