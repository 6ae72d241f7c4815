"""Derived facts that can be thrown away, such as what a .deb contains, in one SQLite file.

diskcache unpickles what a row says is pickled, and opens and deletes files that a row names. Here
every value is compressed JSON inside its row; anything else in the file counts as absent.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import threading
import zlib
from typing import TYPE_CHECKING, NoReturn

import diskcache

from ds01build.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Facts", "open_facts", "read_fact"]

LIMIT = 64 * 1024 * 1024  # bytes of a value's JSON
_FILES = ("cache.db", "cache.db-journal", "cache.db-shm", "cache.db-wal")
_INLINE = 1  # diskcache's mode of a value that is in its row
# Every setting is given, because diskcache takes the others from the file, as SQL.
_SETTINGS: dict[str, str | int] = {
    "statistics": 0,
    "tag_index": 0,
    "eviction_policy": "none",
    "size_limit": 1 << 50,
    "cull_limit": 0,
    "sqlite_auto_vacuum": 1,
    "sqlite_cache_size": 1 << 13,
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,
    "sqlite_synchronous": 1,
    "disk_min_file_size": 1 << 62,
    "disk_pickle_protocol": 0,
}
_COUNTERS = frozenset({"count", "hits", "misses", "size"})
_SECONDS = 5.0  # that another process may keep the file locked

_Row = tuple[int, int, None, bytes]


class PlantedError(Exception):
    """A row that this module did not write."""


class _JsonDisk(diskcache.Disk):  # type: ignore[misc]
    """Text keys, and compressed JSON inside the row. Nothing is unpickled, no file is touched."""

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise TypeError("the key of a fact is a text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or type(key) is not str:
            raise PlantedError
        return key

    def store(self, value: object, read: object, key: object = None) -> _Row:  # noqa: ARG002
        text = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        if len(text) > LIMIT:
            raise ValueError(f"a fact of {len(text)} bytes, more than {LIMIT}")
        return 0, _INLINE, None, zlib.compress(text, 1)

    def fetch(self, mode: object, filename: object, value: object, read: object) -> object:
        if mode != _INLINE or filename is not None or read or type(value) is not bytes:
            raise PlantedError
        return _unpacked(value)

    def filename(self, key: object = None, value: object = None) -> NoReturn:  # noqa: ARG002
        raise PlantedError

    def remove(self, file_path: object) -> None:
        """Delete nothing: no row of ours has a file."""


class Facts:
    """JSON values by kind and key. None of them is the only copy, so none is worth an error."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mending = threading.Lock()
        self._cache = _open(directory)

    def get(self, kind: str, key: str) -> object:
        """Return the value, or None where it is absent, damaged or not written by ``put``."""
        try:
            return self._cache.get(f"{kind}:{key}")
        except (PlantedError, ValueError, TypeError, RecursionError, zlib.error):
            return None
        except (diskcache.Timeout, sqlite3.OperationalError):
            return None
        except sqlite3.Error:
            self._start_anew()
            return None

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep a JSON value, if there is room.

        Raises TypeError or ValueError for what isn't JSON or is larger than 64 MiB.
        """
        try:
            self._cache.set(f"{kind}:{key}", value)
        except (diskcache.Timeout, sqlite3.OperationalError, OSError):
            return  # busy, or a full disk
        except sqlite3.Error:
            self._start_anew()

    def close(self) -> None:
        """Close the file, as far as this thread has it open."""
        self._cache.close()

    def _start_anew(self) -> None:
        with self._mending:
            self._cache.close()
            _delete(self._directory)
            self._cache = _open(self._directory)


def open_facts(directory: Path) -> Facts:
    """Return the facts in ``directory``, which is made with mode 0700; damaged ones are dropped.

    Raises StoreError when the directory can't be used, or others can write to it.
    """
    if "$" in str(directory):
        raise StoreError(f"{directory}: diskcache would take the $ for a variable")
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise StoreError(f"cannot make {directory}: {error.strerror}") from error
    private = status.st_uid == os.geteuid() and not status.st_mode & 0o022
    if not stat.S_ISDIR(status.st_mode) or not private:
        raise StoreError(f"{directory} is not a directory of yours alone", f"rm -r {directory}")
    if not _is_plain(directory):
        _delete(directory)
    return Facts(directory)


def read_fact(file: Path, kind: str, key: str) -> object:
    """Return a fact of somebody else's file, which is neither locked nor changed, or None.

    SQLite takes it for one that nobody writes. Where its owner does, a row may be missed; one that
    is found has the right key and the check sum of its value.
    """
    name = f"{kind}:{key}"
    query = "SELECT key, value FROM Cache WHERE key = ? AND raw = 1"
    try:
        place = f"{file.as_uri()}?mode=ro&immutable=1"  # sqlite.org/uri.html
        with contextlib.closing(sqlite3.connect(place, uri=True)) as connection:
            found, value = connection.execute(query, (name,)).fetchone() or (None, None)
        return _unpacked(value) if found == name and type(value) is bytes else None
    except (sqlite3.Error, PlantedError, ValueError, RecursionError, zlib.error):
        return None


def _unpacked(value: bytes) -> object:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(value, LIMIT)
    if not unpacker.eof or unpacker.unused_data:
        raise PlantedError
    return json.loads(text)


def _open(directory: Path) -> diskcache.Cache:
    try:
        return _cache(directory)
    except (sqlite3.DatabaseError, PlantedError):
        _delete(directory)
    try:
        return _cache(directory)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot use {directory}: {error}") from error


def _cache(directory: Path) -> diskcache.Cache:
    path = directory / "cache.db"
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    return diskcache.Cache(str(directory), timeout=_SECONDS, disk=_JsonDisk, **_SETTINGS)


def _is_plain(directory: Path) -> bool:
    """Say whether the file is absent, or ours and without settings that ds01 doesn't set."""
    path = directory / "cache.db"
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return False
        return _settings(path) <= {*_SETTINGS.items(), *((name, None) for name in _COUNTERS)}
    return True


def _settings(path: Path) -> set[tuple[object, object]]:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_SECONDS)) as connection:
            rows = connection.execute("SELECT key, value FROM Settings").fetchall()
    except sqlite3.OperationalError:
        return set()  # no such table yet, or busy
    except sqlite3.DatabaseError:
        return {("damaged", None)}
    return {
        (key, None if key in _COUNTERS and type(value) is int else value) for key, value in rows
    }


def _delete(directory: Path) -> None:
    for name in _FILES:
        with contextlib.suppress(OSError):
            (directory / name).unlink()
