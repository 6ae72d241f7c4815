"""Everything that later steps need to know of one .deb, so that it is read only once."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.layers import listing
from ds01build.layers.deb.elf import Library

if TYPE_CHECKING:
    from ds01build.stack import Listing

__all__ = ["DebFacts"]

SCHEMA = "ds01.deb/1"  # raised when facts hold more, or other things


@dataclass(frozen=True, slots=True, kw_only=True)
class DebFacts:
    """What one .deb brings. Paths have no leading slash and lie below a merged /usr.

    ``scripts`` are the maintainer scripts by name, ``kept`` the contents of the few files that are
    read again, ``libraries`` the shared objects by path. ``aliased`` are the top directories that
    the package itself uses and that are links on a merged /usr, such as ``lib64``.
    """

    control: dict[str, str]
    scripts: dict[str, str]
    triggers: str
    conffiles: dict[str, str]  # as written, with a leading slash: md5 (hex)
    listing: Listing
    kept: dict[str, bytes]
    libraries: dict[str, Library]
    aliased: tuple[str, ...]

    @property
    def name(self) -> str:
        """The package's name."""
        return self.control["Package"]

    @property
    def version(self) -> str:
        """The package's version, epoch and revision included."""
        return self.control["Version"]

    @property
    def qualified(self) -> str:
        """The name that dpkg's files use: with the architecture where several may be installed."""
        return qualified(self.control)

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, which ``from_json`` reads."""
        return {
            "schema": SCHEMA,
            "control": [list(field) for field in self.control.items()],
            "scripts": self.scripts,
            "triggers": self.triggers,
            "conffiles": self.conffiles,
            "listing": listing.to_json(self.listing),
            "kept": {p: base64.b64encode(c).decode("ascii") for p, c in self.kept.items()},
            "libraries": {path: list(each) for path, each in self.libraries.items()},
            "aliased": list(self.aliased),
        }

    @classmethod
    def from_json(cls, value: object) -> DebFacts | None:
        """Return the facts, or None when ``value`` is not their JSON form."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            return None
        try:
            return cls(
                control=dict(_rows(value["control"], [str, str])),
                scripts=_texts(value["scripts"]),
                triggers=_text(value["triggers"]),
                conffiles=_texts(value["conffiles"]),
                listing=_listing(value["listing"]),
                kept={
                    p: base64.b64decode(c, validate=True) for p, c in _texts(value["kept"]).items()
                },
                libraries=_libraries(value["libraries"]),
                aliased=tuple(map(_text, _rows([value["aliased"]], None)[0])),
            )
        except (KeyError, TypeError, binascii.Error):
            return None


def qualified(control: dict[str, str]) -> str:
    """Return the name of a package in dpkg's files."""
    name = control["Package"]
    return f"{name}:{control['Architecture']}" if control.get("Multi-Arch") == "same" else name


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("not a table")
    return {_text(name): _text(each) for name, each in value.items()}


def _rows(value: object, types: list[type] | None) -> list[list[str]]:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise TypeError("not a list of rows")
    if types is not None and any([type(each) for each in row] != types for row in value):
        raise TypeError("not a row of these types")
    return value


def _listing(value: object) -> Listing:
    paths = listing.from_json(value)
    if paths is None:
        raise TypeError("not a listing")
    return paths


def _libraries(value: object) -> dict[str, Library]:
    if not isinstance(value, dict):
        raise TypeError("not a table")
    rows = _rows(list(value.values()), None)
    if any([type(each) for each in row] != [str, int, int] for row in rows):
        raise TypeError("not a library")
    return {_text(path): Library(*row) for path, row in value.items()}
