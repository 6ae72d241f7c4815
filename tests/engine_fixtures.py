"""Fixtures of tests that talk to an engine; those that need one of each kind run once for each."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
from engines import Names, clean, reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.engine.api import Engine


def _fixture(kind: str) -> Iterator[Engine]:
    engine = reach(kind)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def graph_engine() -> Iterator[Engine]:
    yield from _fixture("graph")


@pytest.fixture(scope="session")
def containerd_engine() -> Iterator[Engine]:
    yield from _fixture("containerd")


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[Engine]:
    yield from _fixture("podman")


@pytest.fixture(params=["graph", "containerd"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return each kind of Docker engine in turn."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture(params=["graph", "containerd", "podman"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Return each kind of engine in turn."""
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture
def names(engine: Engine) -> Iterator[Names]:
    """Yield names that nobody else has, and remove what has one of them afterwards."""
    found = Names(engine, f"ds01-test/{secrets.token_hex(6)}")
    yield found
    clean(engine, found.repository)
