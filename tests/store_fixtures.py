"""Fixtures of stores; a module of tests names this one as a plugin."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ds01build.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.store import DirStore


@pytest.fixture
def store(tmp_path: Path) -> DirStore:
    return open_store(tmp_path / "store", uid=os.geteuid())


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """Yield a directory where a sync takes no time, if there is one: thousands are waited for."""
    shared = Path("/dev/shm")
    parent = shared if os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="ds01-faults-", dir=parent) as directory:
        yield Path(directory)
