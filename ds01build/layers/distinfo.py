"""What a wheel says it is: its .dist-info directory, METADATA and WHEEL (PEP 427, PEP 566)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from ds01build.pin import WheelPin

__all__ = ["Described", "describe", "stem", "tags_of"]

_SUFFIX = ".dist-info"
_WHEEL_VERSION = re.compile(r"1\.\d{1,4}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")  # PEP 508


class Described(NamedTuple):
    """What an installer needs of METADATA and WHEEL."""

    name: str  # as its author writes it
    is_purelib: bool  # where the files at the root of the wheel go


def tags_of(pin: WheelPin) -> frozenset[Tag]:
    """Return the tags in the name of a wheel's file.

    Raises ValueError for a name that no wheel has, or one of another name or version than the pin.
    """
    name, version, _, tags = parse_wheel_filename(pin.file)
    if name != pin.name or version != Version(pin.version):
        raise ValueError(f"the file is named as {name} {version}, and the lock has {pin}")
    return tags


def stem(names: Iterable[str], pin: WheelPin) -> str:
    """Return the name of the one .dist-info directory, without the suffix.

    Raises ValueError when there is none, another one, or it is of another name or version.
    """
    found = {name.partition("/")[0] for name in names}
    found = {name for name in found if name.lower().endswith(_SUFFIX)}
    if len(found) != 1:
        raise ValueError(f"has {len(found)} .dist-info directories")
    stem = found.pop().removesuffix(_SUFFIX)
    name, _, version = stem.partition("-")
    _check_same(pin, name, version, "its .dist-info directory")
    return stem


def describe(metadata: bytes, wheel: bytes, pin: WheelPin) -> Described:
    """Return what METADATA and WHEEL say.

    Raises ValueError when they contradict the pin, and for a Wheel-Version other than 1. The tags
    in WHEEL say nothing: wheels are renamed for another platform without changing them.
    """
    name = _only(metadata, "Name", "METADATA")
    _check_same(pin, name, _only(metadata, "Version", "METADATA"), "METADATA")
    wheel_version = _only(wheel, "Wheel-Version", "WHEEL")
    if not _WHEEL_VERSION.fullmatch(wheel_version):
        raise ValueError(f"has Wheel-Version {wheel_version!r:.100}, and ds01 knows 1")
    return Described(name, _is_purelib(_only(wheel, "Root-Is-Purelib", "WHEEL")))


def _is_purelib(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"WHEEL has Root-Is-Purelib {text!r:.100}")
    return text.lower() == "true"


def _check_same(pin: WheelPin, name: str, version: str, where: str) -> None:
    same = _NAME.fullmatch(name) and canonicalize_name(name) == pin.name
    if not same or Version(version) != Version(pin.version):
        raise ValueError(f"{where} is of {name!r:.100} {version!r:.100}, and the lock has {pin}")


def _only(headers: bytes, field: str, where: str) -> str:
    values = _values(headers, field)
    if len(values) != 1:
        raise ValueError(f"{where} has {field} {len(values)} times")
    return values[0]


def _values(headers: bytes, field: str) -> list[str]:
    """Return the values of a header in the form of RFC 822; what follows an empty line is text."""
    found = []
    for line in headers.splitlines():
        if not line:
            break
        # Old wheels have other encodings; the values that matter are ASCII, or refused.
        name, _, value = line.decode(errors="replace").partition(":")
        if name.lower() == field.lower():
            found.append(value.strip())
    return found
