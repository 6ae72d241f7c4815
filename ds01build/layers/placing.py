"""Where a wheel's files go: schemes, the paths that RECORD has, and the base's links."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from ds01build.layers import scripts
from ds01build.target import STANDARD, ancestors

if TYPE_CHECKING:
    from ds01build.layers.distinfo import Described
    from ds01build.pin import WheelPin
    from ds01build.target import Target

__all__ = ["Place", "Places"]


class Place(NamedTuple):
    """Where one file goes: an absolute path as its scheme names it, and its path in RECORD.

    The scheme of what lies at the root of the wheel is empty.
    """

    scheme: str
    path: str
    listed: str


class Places:
    """The places of one wheel under one Target. Every directory is resolved once."""

    __slots__ = (
        "_commands",
        "_data",
        "_directories",
        "_kept",
        "_library",
        "_links",
        "_pin",
        "_schemes",
        "_target",
    )

    def __init__(self, target: Target, pin: WheelPin, stem: str, described: Described) -> None:
        schemes = target.schemes
        self._library = schemes.purelib if described.is_purelib else schemes.platlib
        self._schemes = {
            "purelib": schemes.purelib,
            "platlib": schemes.platlib,
            "scripts": schemes.scripts,
            "data": schemes.data,
            "headers": f"{schemes.headers}/{described.name}",
        }
        self._data = f"{stem}.data"
        self._pin = pin
        self._target = target
        self._links = {link.path for link in target.links}
        self._kept = _directories(target)
        self._directories: dict[str, str] = {}
        self._commands = {
            target.resolve(path)
            for path in (schemes.scripts, f"{schemes.data}/bin", f"{schemes.data}/sbin")
        }

    def of(self, name: str) -> Place:
        """Return the place of a file of the wheel.

        Raises ValueError for one in a .data directory of another name or for an unknown scheme.
        """
        top, _, rest = name.partition("/")
        if not top.endswith(".data"):
            return Place("", f"{self._library}/{name}", name)
        scheme, _, rest = rest.partition("/")
        if top != self._data or not rest or scheme not in self._schemes:
            raise ValueError(f"{name!r:.100} is in no scheme of {self._data}")
        return self.below(scheme, rest)

    def below(self, scheme: str, path: str) -> Place:
        """Return the place of ``path`` in a scheme."""
        where = f"{self._schemes[scheme]}/{path}"
        return Place(scheme, where, posixpath.relpath(where, self._library))

    def real(self, place: Place) -> str:
        """Return where a place lies in the file system, relative to its root.

        Raises ValueError when a file there would replace a link or directory of the base, or stand
        for one of its programs.
        """
        directory, _, name = place.path.rpartition("/")
        real = self._directories.get(directory)
        if real is None:
            real = self._directories[directory] = self._target.resolve(directory)
        if real in self._commands:
            scripts.check_name(name, self._pin.name)
        path = f"{real}/{name}" if real else name
        if path in self._links:
            raise ValueError(f"would replace the base's link {'/' + path!r:.100}")
        if path in self._kept:
            raise ValueError(f"would replace the base's directory {'/' + path!r:.100}")
        return path


def _directories(target: Target) -> frozenset[str]:
    """Return what is known to be a directory where wheels are put."""
    schemes = target.schemes
    ways = (schemes.purelib, schemes.platlib, schemes.scripts, schemes.data, schemes.headers)
    on_the_way = {each for way in ways for each in ancestors(target.resolve(way))}
    return STANDARD | on_the_way | {each.path for each in target.directories}
