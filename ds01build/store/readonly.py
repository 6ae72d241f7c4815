"""Stores of others that are read and never written: nothing of them is locked, made or touched.

A blob proves itself, a row doesn't: it is believed since only a trusted owner can have written it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import StoreError
from ds01build.store import layout
from ds01build.store.blobs import BlobSource
from ds01build.store.durable import read_own
from ds01build.store.rows import LIMIT, read_layer, row_path

if TYPE_CHECKING:
    from ds01build.digest import Digest, Key
    from ds01build.layer import Layer

__all__ = ["ReadOnlyStore", "open_read_only"]

_READ = ("", "keys", "blobs", "blobs/sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnlyStore:
    """A store that only ``owner`` can write. Get one from ``open_read_only``."""

    root: Path  # absolute, without symbolic links
    owner: int

    def __str__(self) -> str:
        return str(self.root)

    def layer(self, key: Key) -> Layer | None:
        """Return what ``key`` came out as, or None; also where the blob is missing."""
        path = row_path(self.root / "keys", key)
        layer = read_layer(read_own(path, uid=self.owner, limit=LIMIT), key)
        return layer if layer is not None and self.has(layer.digest, layer.size) else None

    def has(self, digest: Digest, size: int) -> bool:
        """Say whether there is a blob with ``size`` bytes that can be read."""
        path = self._path(digest)
        try:
            status = path.lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == size and os.access(path, os.R_OK)

    def source(self, digest: Digest, size: int) -> BlobSource:
        """Return a reader of the first ``size`` bytes of a blob, which nobody has verified."""
        return BlobSource(path=self._path(digest), size=size)

    def facts(self) -> Path | None:
        """Return the file of facts, if it can be read, and only the owner can have written it."""
        file = self.root / "facts" / "cache.db"
        try:
            above, status = file.parent.lstat(), file.lstat()
        except OSError:
            return None
        theirs = all(
            each.st_uid == self.owner and not each.st_mode & 0o022 for each in (above, status)
        )
        is_file = stat.S_ISDIR(above.st_mode) and stat.S_ISREG(status.st_mode)
        return file if theirs and is_file and os.access(file, os.R_OK) else None

    def _path(self, digest: Digest) -> Path:
        return self.root / "blobs" / "sha256" / digest.hex


def open_read_only(
    root: Path, *, trusted: frozenset[int], mounts: Path = layout.MOUNTS
) -> ReadOnlyStore:
    """Return the store at ``root``, if root or another of the ``trusted`` uids owns it.

    Raises StoreError with the reason where it is not there, anybody else could change it or what
    leads to it, it has another format, or its file system leaves it to others who owns a file.
    """
    trusted |= {0}
    try:
        root = Path(os.path.realpath(root, strict=True))
        owner = root.lstat().st_uid
        if owner not in trusted:
            raise StoreError(f"it belongs to uid {owner}, whom nobody here trusts")
        layout.refuse_network(root, mounts)
        for path in root.parents:
            _check_way(path, trusted)
        for name in _READ:
            _check(root / name, owner)
        _check_format(root, owner)
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}") from error
    return ReadOnlyStore(root=root, owner=owner)


def _check(directory: Path, owner: int) -> None:
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise StoreError(f"{directory} is not a directory")
    if status.st_uid != owner:
        raise StoreError(f"{directory} belongs to uid {status.st_uid}, the store to uid {owner}")
    if status.st_mode & 0o022:
        raise StoreError(f"{directory} can be written by others ({_mode(status)})")
    if not os.access(directory, os.R_OK | os.X_OK):
        raise StoreError(f"{directory} cannot be read ({_mode(status)})")


def _check_way(directory: Path, trusted: frozenset[int]) -> None:
    """Refuse a directory in which somebody else can put another store in the place of this."""
    status = directory.lstat()
    if status.st_uid not in trusted:
        raise StoreError(f"{directory} belongs to uid {status.st_uid}, whom nobody here trusts")
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        raise StoreError(f"others can rename what is in {directory} ({_mode(status)})")


def _check_format(root: Path, owner: int) -> None:
    text = read_own(root / "version", uid=owner, limit=64)
    if text is None:
        raise StoreError(f"{root} is not a store that can be read")
    if text != b"%d\n" % layout.FORMAT:
        raise StoreError(f"it has format {text!r:.40}, and this ds01 reads {layout.FORMAT}")


def _mode(status: os.stat_result) -> str:
    return f"mode {stat.S_IMODE(status.st_mode):04o}"
