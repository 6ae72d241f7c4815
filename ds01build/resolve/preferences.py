"""The pins of a base image (apt_preferences(5)), checked and written anew."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Preferences", "read_preferences"]

_LIMIT = 256 * 1024  # characters of a file
_FILE = re.compile(r"/etc/apt/preferences(?:\.d/[A-Za-z0-9_.-]+)?")
_PACKAGES = re.compile(r"[ -~]{1,4096}")
_PIN = re.compile(r"(?:version|release|origin)[ \t][ -~]{1,1024}")
_PRIORITY = re.compile(r"[+-]?[0-9]{1,5}")


class Preferences(NamedTuple):
    """A preferences file, and what of the base's had to be left out."""

    text: str
    notes: tuple[str, ...]


def read_preferences(files: Iterable[tuple[str, str]]) -> Preferences:
    """Return the pins of ``files``, pairs of path and text.

    apt reads files of a directory only without an extension, or with .pref.
    """
    stanzas: list[str] = []
    notes: list[str] = []
    for path, text in sorted(files):
        if not _FILE.fullmatch(path) or len(text) > _LIMIT:
            notes.append(f"the base's {path!r:.100} is left out: too large, or no place for pins")
        elif _is_read(path):
            stanzas += _stanzas(path, text, notes)
    return Preferences("".join(stanzas), tuple(notes))


def _is_read(path: str) -> bool:
    name = path.rpartition("/")[2]
    return "." not in name or name.endswith(".pref")


def _stanzas(path: str, text: str, notes: list[str]) -> Iterator[str]:
    from debian.deb822 import Deb822

    forms = {"Package": _PACKAGES, "Pin": _PIN, "Pin-Priority": _PRIORITY}
    # By line: a text of one line could be the name of a file, and would be opened.
    for fields in Deb822.iter_paragraphs(text.split("\n"), use_apt_pkg=False):
        values = {key: " ".join(fields.get(key, "").split()) for key in forms}
        wrong = [key for key, form in forms.items() if not form.fullmatch(values[key])]
        if wrong and values != dict.fromkeys(forms, ""):
            notes.append(f"a pin in the base's {path!r:.100} is left out: {wrong[0]}")
        elif not wrong:
            yield "".join(f"{key}: {value}\n" for key, value in values.items()) + "\n"
