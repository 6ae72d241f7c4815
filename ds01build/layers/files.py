"""Declared files as entries of a layer."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.layers.entry import Entry, Piece
from ds01build.stack import Stat
from ds01build.target import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ds01build.pin import FilePin

__all__ = ["entries"]


def entries(
    contents: Iterable[tuple[FilePin, bytes]], links: Mapping[str, str]
) -> Iterator[tuple[str, Entry]]:
    """Yield (owner, entry) for each file, put where the base's ``links`` lead.

    Raises Ds01Error for a destination that is a loop of links or outside the root.
    """
    for pin, content in contents:
        path = _place(pin, links)
        stat = Stat("file", pin.mode, 0, 0, pin.digest.hex)
        body = _body(content) if content else None
        yield f"files {pin.to}", Entry(path=path, stat=stat, size=len(content), body=body)


def _place(pin: FilePin, links: Mapping[str, str]) -> str:
    """Follow links on the way, but not one of the file's own name: that one is replaced."""
    directory, name = posixpath.split(pin.to.lstrip("/"))
    try:
        return posixpath.join(resolve(directory, dict(links)), name)
    except ValueError as error:
        raise Ds01Error(f"{pin.tier}: the destination {error}") from error


def _body(content: bytes) -> Callable[[], Iterator[Piece]]:
    return lambda: iter([Piece(content, b"")])
