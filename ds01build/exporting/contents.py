"""What an image holds, package by package: what both formats of bills of materials are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.digest import Digest
from ds01build.exporting import purl
from ds01build.lock import LockedDebian, LockedImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.base.facts import BaseFacts, Deb
    from ds01build.lock import Lock
    from ds01build.pin import DebPin, FilePin, WheelPin

__all__ = ["Component", "Contents", "contents_of", "held_by"]

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_SHOWN = 20  # hex digits that tell components of one name apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing in an image. ``tier`` is empty for what the base image brought.

    ``sha256`` is of the file, in hex; of an image that of its manifest. ``source`` says where a
    file is from that no index or archive offers. ``requires`` are the ``ref`` of others.
    """

    kind: Literal["image", "wheel", "deb", "file"]
    name: str
    version: str = ""
    purl: str = ""
    sha256: str = ""
    file: str = ""  # its name
    tier: str = ""
    source: str = ""
    is_built: bool = False  # from its source, in an engine
    requires: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """A name that no other component has: letters, digits, dots and hyphens."""
        identity = f"{self.tier} {self.kind} {self.purl or self.name}"
        shown = _UNSAFE.sub("-", self.name).strip("-.")
        return f"{self.kind}-{shown}-{Digest.of(identity.encode()).hex[:_SHOWN]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The components of an image: those of its lock, the base, and what that has.

    ``unknown`` are the tiers of commands: what these bring is in no lock.
    """

    name: str
    lock: Digest
    own: tuple[Component, ...]
    base: Component | None = None
    inherited: tuple[Component, ...] = ()
    unknown: tuple[str, ...] = ()


def contents_of(lock: Lock, facts: BaseFacts | None) -> Contents:
    """Return what the image of ``lock`` holds; ``facts`` are those of an image that it stands on.

    What tiers take away from the base, or upgrade, is not in it any more.
    """
    base = lock.base
    return Contents(
        name=lock.name,
        lock=lock.digest,
        own=(
            *_debs(lock, facts),
            *(_wheel(pin, lock) for pin in sorted(lock.wheels)),
            *map(_file, sorted(lock.files)),
        ),
        base=_image(base) if isinstance(base, LockedImage) else None,
        inherited=tuple(_unique(_inherited(lock, facts))) if facts else (),
        unknown=tuple(tier.name for tier in lock.tiers if tier.kind == "run"),
    )


def held_by(lock: Lock, facts: BaseFacts | None) -> tuple[str, ...]:
    """Return the Python packages that stay as the base has them, as NAME==VERSION, sorted."""
    gone = {(one.name, one.version) for one in lock.removed}
    found = facts.distributions if facts else ()
    held = {(each.name, each.version) for each in found if each.is_held} - gone
    return tuple(f"{name}=={version}" for name, version in sorted(held))


def _image(base: LockedImage) -> Component:
    return Component(
        kind="image",
        name=base.reference,
        version=str(base.manifest),
        purl=purl.oci(base),
        sha256=base.manifest.hex,
    )


def _debs(lock: Lock, facts: BaseFacts | None) -> Iterator[Component]:
    vendor, distro = "debian", ""
    if isinstance(lock.base, LockedDebian):
        distro = lock.base.suite
    elif facts is not None:
        vendor, distro = facts.distribution, facts.codename
    for pin in sorted(lock.debs):
        yield Component(
            kind="deb",
            name=pin.name,
            version=pin.version,
            purl=purl.deb(pin.name, pin.version, pin.architecture, vendor=vendor, distro=distro),
            sha256=pin.digest.hex,
            file=pin.path.rpartition("/")[2],
            tier=pin.tier,
        )


def _wheel(pin: WheelPin, lock: Lock) -> Component:
    requires = [each for each in lock.wheels if each.name in pin.requires]
    return Component(
        kind="wheel",
        name=pin.name,
        version=pin.version,
        purl=purl.pypi(pin.name, pin.version, pin.source),
        sha256=pin.digest.hex,
        file=pin.file,
        tier=pin.tier,
        source=_source(pin),
        is_built=pin.is_built,
        requires=tuple(_wheel_ref(each) for each in sorted(requires)),
    )


def _wheel_ref(pin: WheelPin) -> str:
    address = purl.pypi(pin.name, pin.version, pin.source)
    return Component(kind="wheel", name=pin.name, purl=address, tier=pin.tier).ref


def _source(pin: WheelPin) -> str:
    if pin.source is None or pin.source.kind == "sdist":
        return ""
    return purl.git_url(pin.source) if pin.source.kind == "git" else pin.source.place


def _file(pin: FilePin) -> Component:
    return Component(kind="file", name=pin.to, sha256=pin.digest.hex, file=pin.to, tier=pin.tier)


def _inherited(lock: Lock, facts: BaseFacts) -> Iterator[Component]:
    gone = {(one.name, one.version) for one in lock.removed}
    for each in facts.distributions:
        if (each.name, each.version) not in gone:
            address = purl.pypi(each.name, each.version)
            yield Component(kind="wheel", name=each.name, version=each.version, purl=address)
    upgraded = {pin.name: pin for pin in lock.debs}
    for deb in facts.debs:
        if not _replaces(upgraded.get(deb.name), deb):
            address = purl.deb(
                deb.name,
                deb.version,
                deb.architecture,
                vendor=facts.distribution,
                distro=facts.codename,
            )
            yield Component(kind="deb", name=deb.name, version=deb.version, purl=address)


def _replaces(pin: DebPin | None, deb: Deb) -> bool:
    """Say whether dpkg has no ``deb`` any more where ``pin`` is installed."""
    return pin is not None and (
        deb.architecture == pin.architecture or "all" in (deb.architecture, pin.architecture)
    )


def _unique(components: Iterable[Component]) -> Iterator[Component]:
    """Yield each once: a base may have a package in several directories."""
    yield from {each.purl: each for each in components}.values()
