"""Stores that exist for one command only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.store import open_store
from ds01build.store.durable import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.store import DirStore

__all__ = ["scratch_store"]

_PREFIX = "ds01-scratch-"
_YOUNG = 60  # seconds in which whoever made a directory has locked it
_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def scratch_store(parent: Path, *, uid: int) -> Iterator[DirStore]:
    """Yield a new store in a directory below ``parent``, which is removed when the block ends.

    Those that killed processes of ``uid`` left there go too. Raises StoreError.
    """
    with disk_errors(parent):
        _sweep(parent, uid)
        place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        descriptor = os.open(place, _LOOK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield open_store(place, uid=uid)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(descriptor)


def _sweep(parent: Path, uid: int) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # gone, in use, or not one of ours
            descriptor = os.open(path, _LOOK)
            try:
                status = os.fstat(descriptor)
                if status.st_uid == uid and status.st_mtime < time.time() - _YOUNG:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path)
            finally:
                os.close(descriptor)
