"""Names in a zip: which ones are safe as a path, and which ones can't be told apart."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_together", "parse"]

_PART = r"(?!\.{1,2}(?:/|\Z))[ -.0-\[\]-~]{1,255}"
_PLAIN = re.compile(f"{_PART}(?:/{_PART})*/?")
_LONGEST_PART = 255  # bytes: NAME_MAX
_LONGEST = 4096  # bytes: PATH_MAX
_DIRECTORIES = 64 << 20  # characters; a wheel of 8,000 files has some 50,000

# Control characters, line separators, and what changes the direction of text.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)


def parse(raw: bytes, *, utf8: bool) -> str:
    """Return a name that is a relative path below where it is put; directories end in a slash.

    Raises ValueError for any other.
    """
    if not utf8 and not raw.isascii():
        raise ValueError(f"the name {raw!r:.100} is neither ASCII nor marked as UTF-8")
    try:
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the name {raw!r:.100} is not UTF-8") from error
    if _PLAIN.fullmatch(name) and len(raw) <= _LONGEST:
        return name
    problem = _problem(name)
    if problem:
        raise ValueError(f"the name {name!r:.100} {problem}")
    return name


def _problem(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    longest = max(len(part.encode()) for part in parts)
    problems = {
        "is absolute": name.startswith("/"),
        "leads upwards": ".." in parts,
        "has an empty part": "" in parts or "." in parts,
        "has a backslash": "\\" in name,
        "has characters that can't be seen": bool(_UNSEEN.search(name)),
        "is too long": longest > _LONGEST_PART or len(name.encode()) > _LONGEST,
    }
    return next((problem for problem, found in problems.items() if found), "")


def check_together(names: Iterable[str]) -> None:
    """Raise ValueError when two of ``names`` are one, perhaps only where case does not count.

    The same for a file where another name needs a directory.
    """
    seen: dict[str, str] = {}
    files = set()
    parents = {""}
    total = 0  # characters in the paths of all directories
    for name in names:
        path = name.removesuffix("/")
        folded = _folded(path)
        if folded in seen:
            raise ValueError(f"{seen[folded]!r:.100} and {name!r:.100} are the same name")
        seen[folded] = name
        if path == name:
            files.add(path)
        above = path.rpartition("/")[0]
        while above not in parents:
            parents.add(above)
            total += len(above)
            above = above.rpartition("/")[0]
        if total > _DIRECTORIES:
            raise ValueError("has more directories than is sane")
    for path in sorted(files & parents):
        raise ValueError(f"{path!r:.100} is a file and a directory")


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
