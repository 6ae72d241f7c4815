"""What two environments have different: base, packages, settings, layers. A pure value."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from packaging.version import InvalidVersion, Version

from ds01build.change import changes
from ds01build.layers.deb.version import is_newer
from ds01build.lock import to_dict
from ds01build.pin import FilePin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.change import Change
    from ds01build.digest import Canonical
    from ds01build.lock import Lock
    from ds01build.pin import Pin
    from ds01build.placed import Placed

__all__ = [
    "ComparedLayer",
    "Difference",
    "Package",
    "PackageChange",
    "Side",
    "compare",
    "package_changes",
    "setting_changes",
]

Kind = Literal["debian", "python", "file"]
Turn = Literal["added", "removed", "upgraded", "downgraded", "other file", "other source", "moved"]
Status = Literal["shared", "moved", "only A", "only B"]

# Compared by other means than field by field, and what decides nothing of an image.
_APART = ("wheel", "deb", "file", "layer", "tier", "recipe", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two that are compared: ``stack`` are all its layers, lowest first.

    ``lock`` is None of an image that nobody knows the lock of.
    """

    name: str
    lock: Lock | None
    stack: tuple[Placed, ...]

    @property
    def size(self) -> int:
        """The bytes of all layers."""
        return sum(layer.size for layer in self.stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of one side. ``rest`` is what changes none of its bytes, such as its index."""

    version: str  # of a file: its mode and the start of its digest
    tier: str
    size: int  # bytes
    address: str  # of its bytes
    rest: Canonical = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package that differs. Moved is one with the same bytes that went to another tier."""

    kind: Kind
    name: str
    turn: Turn
    before: Package | None
    after: Package | None

    @property
    def moves(self) -> tuple[str, str] | None:
        """The tiers that it went from and to, None where it stayed or is on one side only."""
        if self.before is None or self.after is None or self.before.tier == self.after.tier:
            return None
        return self.before.tier, self.after.tier

    @property
    def growth(self) -> int:
        """The bytes that B's file is larger than A's."""
        return (self.after.size if self.after else 0) - (self.before.size if self.before else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedLayer:
    """A layer of either side. Moved is one that both have, over other layers.

    An engine knows a layer by all that lies below it, so it extracts a moved one again.
    """

    status: Status
    layer: Placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What B has different from A. It is false where nothing is.

    ``layers`` are those of B, lowest first, then those that only A has. Packages and settings are
    known where both sides have a lock.
    """

    a: Side
    b: Side
    settings: tuple[Change, ...]
    packages: tuple[PackageChange, ...]
    layers: tuple[ComparedLayer, ...]

    def __bool__(self) -> bool:
        return bool(self.settings or self.packages or self.changed_layers)

    @property
    def changed_layers(self) -> tuple[ComparedLayer, ...]:
        """The layers that are not in the same place of both."""
        return tuple(each for each in self.layers if each.status != "shared")

    @property
    def is_of_locks(self) -> bool:
        """Whether packages and settings could be compared."""
        return self.a.lock is not None and self.b.lock is not None

    @property
    def sent(self) -> int:
        """The bytes that a pull of B brings to who has A."""
        return self.bytes_of("only B")

    @property
    def extracted(self) -> int:
        """The bytes of layers that an engine with A extracts for B: those that moved included."""
        return self.sent + self.bytes_of("moved")

    def bytes_of(self, status: Status) -> int:
        """Return the bytes of the layers with that status."""
        return sum(each.layer.size for each in self.layers if each.status == status)


def compare(a: Side, b: Side) -> Difference:
    """Return what ``b`` has different from ``a``."""
    return Difference(
        a=a,
        b=b,
        settings=setting_changes(a.lock, b.lock) if a.lock and b.lock else (),
        packages=package_changes(a.lock, b.lock) if a.lock and b.lock else (),
        layers=_layers(a.stack, b.stack),
    )


def setting_changes(a: Lock, b: Lock) -> tuple[Change, ...]:
    """Return what ``b`` says otherwise than ``a`` of anything but packages and layers."""
    return changes(_comparable(a), _comparable(b))


def _comparable(lock: Lock) -> dict[str, Canonical]:
    """Return what of a lock is compared field by field: no packages, no layers."""
    tables = to_dict(lock)
    told = {name: value for name, value in tables.items() if name not in _APART}
    base = tables["base"]
    assert isinstance(base, dict), "the form of a lock"
    told["base"] = {name: value for name, value in base.items() if name != "layer"}
    return {**told, "tiers": tables.get("tier", [])}


def package_changes(a: Lock | None, b: Lock) -> tuple[PackageChange, ...]:
    """Return the packages that ``b`` has otherwise than ``a``: all of them, where that is None."""
    had, has = _pins(a) if a else {}, _pins(b)
    found = (_package(*place, had.get(place), has.get(place)) for place in sorted({*had, *has}))
    return tuple(each for each in found if each is not None)


def _pins(lock: Lock) -> dict[tuple[Kind, str], Package]:
    every: dict[tuple[Kind, str], Package] = {}
    for deb in lock.debs:
        every["debian", deb.name] = _of(deb, [deb.architecture, deb.archive, deb.path])
    for wheel in lock.wheels:
        source = wheel.source
        told = [source.kind, source.place, source.address] if source else []
        rest: list[Canonical] = [wheel.index, wheel.file, list(wheel.requires), told]
        every["python", wheel.name] = _of(wheel, rest)
    for file in lock.files:
        every["file", file.to] = _of(file, [file.source])
    return every


def _of(pin: Pin, rest: Canonical) -> Package:
    if isinstance(pin, FilePin):
        version, address = f"{pin.mode:04o} {pin.digest.hex[:12]}", f"{pin.mode:04o} {pin.digest}"
    else:
        version, address = pin.version, str(pin.digest)
    return Package(version=version, tier=pin.tier, size=pin.size, address=address, rest=rest)


def _package(
    kind: Kind, name: str, before: Package | None, after: Package | None
) -> PackageChange | None:
    if before == after:
        return None
    turn = _turn(kind, before, after)
    return PackageChange(kind=kind, name=name, turn=turn, before=before, after=after)


def _turn(kind: Kind, before: Package | None, after: Package | None) -> Turn:
    if before is None or after is None:
        return "added" if before is None else "removed"
    if before.version != after.version and kind != "file":
        return "upgraded" if _is_newer(kind, after.version, before.version) else "downgraded"
    if before.address != after.address or before.size != after.size:
        return "other file"
    return "moved" if before.tier != after.tier else "other source"


def _is_newer(kind: Kind, version: str, other: str) -> bool:
    """Say whether ``version`` comes after ``other``; of two spellings of one, the longer does."""
    if kind == "debian":
        return is_newer(version, other) or (not is_newer(other, version) and version > other)
    try:
        return (Version(version), version) > (Version(other), other)
    except InvalidVersion:
        return version > other


def _layers(a: Sequence[Placed], b: Sequence[Placed]) -> tuple[ComparedLayer, ...]:
    made = {each.key: each.diff_id for each in (*a, *b) if each.key and each.diff_id}

    def address(each: Placed) -> object:
        known = each.diff_id or (made.get(each.key) if each.key else None)
        return known or each.key or each

    had, has = [address(each) for each in a], [address(each) for each in b]
    pairs = zip(had, has, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    both = {*had} & {*has}
    found: list[tuple[Status, Placed]] = [("shared", each) for each in b[:same]]
    found += [
        ("moved" if where in both else "only B", each)
        for where, each in zip(has[same:], b[same:], strict=True)
    ]
    found += [
        ("only A", each)
        for where, each in zip(had[same:], a[same:], strict=True)
        if where not in both
    ]
    return tuple(ComparedLayer(status=status, layer=each) for status, each in found)
