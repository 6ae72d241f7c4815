"""Fixtures of desks: a user with an engine of each kind, or of one, and a package index."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
from desks import Desk, offering
from engines import place, reach
from images import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from world import Index


@pytest.fixture
def offers() -> Iterator[Index]:
    """Return a package index of this test alone, which is empty."""
    with offering() as index:
        yield index


@pytest.fixture
def desk_at(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Return what makes a desk with an engine of a kind; its images go at the end of the test."""
    desks: list[Desk] = []

    def made(kind: str, index: Index | None = None, store: Path | None = None) -> Desk:
        reach(kind).close()
        host, name = place(kind), f"desk-{secrets.token_hex(6)}"
        variables = {"DOCKER_HOST": host}
        if index:
            variables["DS01_INDEX_URL"] = index.url
        if store:
            variables["DS01_STORE"] = str(store)
        root = tmp_path / f"desk{len(desks)}"
        (root / "home").mkdir(parents=True)
        desks.append(Desk(Place(root=root, variables=variables), host, name))
        return desks[-1]

    yield made
    for each in desks:
        each.clean()


@pytest.fixture
def desk(desk_at: Callable[..., Desk], offers: Index) -> Desk:
    """Return a desk with an engine that has a graph driver, and ``offers``."""
    return desk_at("graph", offers)


@pytest.fixture
def plain_desk(desk_at: Callable[..., Desk]) -> Desk:
    """Return a desk with an engine that has a graph driver, and this machine's own index."""
    return desk_at("graph")


@pytest.fixture(params=["graph", "containerd"])
def each_plain_desk(request: pytest.FixtureRequest, desk_at: Callable[..., Desk]) -> Desk:
    """Return a desk with an engine of each kind in turn, and this machine's own index."""
    return desk_at(request.param)


@pytest.fixture(params=["graph", "containerd"])
def each_desk(request: pytest.FixtureRequest, desk_at: Callable[..., Desk], offers: Index) -> Desk:
    """Return a desk with an engine of each kind in turn, and ``offers``."""
    return desk_at(request.param, offers)
