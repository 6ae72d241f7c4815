"""Fixtures of a small world on this machine; a module of tests names this one as a plugin."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from archive import Signer
from servers import Server, serving
from world import RECIPE, TOOLS, Archive, Index, World, copied, debian, furnish

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def loopback() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def pristine(loopback: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which the image of RECIPE has been built once."""
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)} on this machine")
    root = tmp_path_factory.mktemp("world")
    root.chmod(0o700)
    keys = Path(tempfile.mkdtemp(prefix="gpg"))  # a short path: the agent's socket lies below it
    signer = Signer(keys / "home")
    shutil.copyfile(signer.make(), root / "archive.gpg")
    debs = Archive(loopback, "/debian", root / "debian", signer, debian())
    debs.publish()
    made = World(root, Index(loopback, "/0"), debs, root / "archive.gpg")
    furnish(made.index)
    for directory in (made.recipe.parent, root / "home"):
        directory.mkdir()
    made.write(RECIPE)
    outcome = made.build()
    assert outcome.code == 0, outcome.err
    made.built.update(made.images())
    yield made
    signer.close()
    shutil.rmtree(keys, ignore_errors=True)  # an agent that ends removes its sockets meanwhile


@pytest.fixture
def world(pristine: World, tmp_path: Path) -> World:
    """A copy of the pristine world, with an index of its own; the image of RECIPE is there."""
    return copied(pristine, tmp_path)
