"""Tells what may be a secret by how it is named or written: such a value is in no recipe, or note.

An image keeps what it is given for good, and so do the repositories that recipes lie in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SECRET", "exposes", "is_secret", "masked"]

SECRET = "it may be a secret: give it to the container, not to the image"  # noqa: S105

_SECRET = re.compile(
    r"(?:^|_)(?:TOKEN|SECRETS?|[A-Z]*PASSWORD|PASSWD|PASSPHRASE|PASS|PAT|CREDENTIALS?"
    r"|(?:API|SSH|ACCESS|SECRET|PRIVATE)?KEY)"
    r"(?:$|_)"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = r"(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]{1,200})"
_NAMED = (
    re.compile(rf"{_NAME}=(?=\S)"),
    re.compile(rf"(?<!\S)[\"'\[,]*{_NAME}[\"',\s]+(?=[^-\s\"',=\]])"),  # --token abc
)
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")
_VARIABLE = re.compile(r"\$(?:[A-Za-z0-9_]+|\{[A-Za-z0-9_]+\})")
# A user alone is none where it is everybody's: git@.
_IN_URL = re.compile(r"(?<=://)(?!git@)[^/?#@\s]+(?=@)")


def is_secret(name: str) -> bool:
    """Say whether the value of a variable, label or option of this name may be a secret."""
    return bool(_SECRET.search(re.sub(r"[^A-Z0-9]+", "_", _HUMP.sub("_", name).upper())))


def exposes(text: str) -> bool:
    """Say whether a value, or the words of a command, hold what may be a secret."""
    return any(_secrets(text))


def masked(text: str) -> str:
    """Return ``text`` with dots for what may be a secret."""
    kept, end = "", 0
    for start, stop in sorted(_secrets(text)):
        if start >= end:
            kept += f"{text[end:start]}..."
        end = max(end, stop)
    return kept + text[end:]


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Yield from where to where secrets reach: of URLs, ``NAME=VALUE`` and ``--NAME VALUE``."""
    yield from (match.span() for match in _IN_URL.finditer(text))
    assigned, option = _NAMED
    named = [*assigned.finditer(text), *option.finditer(text)]
    for match in named:
        if match.re is option and not match[1].startswith("-"):
            continue
        value = _VALUE.match(text, match.end()) if is_secret(match[1]) else None
        shown = value[0].strip("\"'[],;") if value else ""
        if value and shown and not _VARIABLE.fullmatch(shown):
            yield value.span()
