"""Entries that are made here rather than unpacked."""

from __future__ import annotations

import hashlib

from ds01build.layers.entry import Entry, Piece
from ds01build.stack import Stat

__all__ = ["directory", "file", "link"]


def file(path: str, content: bytes | str, mode: int = 0o644, gid: int = 0) -> Entry:
    """Return a file with ``content``, owned by root."""
    raw = content.encode() if isinstance(content, str) else content
    stat = Stat("file", mode, 0, gid, hashlib.sha256(raw).hexdigest())
    body = (lambda: iter([Piece(raw, b"")])) if raw else None
    return Entry(path=path, stat=stat, size=len(raw), body=body)


def link(path: str, to: str) -> Entry:
    """Return a symbolic link."""
    return Entry(path=path, stat=Stat("symlink", 0o777, 0, 0, to))


def directory(path: str, mode: int = 0o755, gid: int = 0) -> Entry:
    """Return a directory, owned by root."""
    return Entry(path=path, stat=Stat("directory", mode, 0, gid, ""))
