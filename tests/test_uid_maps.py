"""Engines in which a uid is another one outside: each is known for what it is, and refused."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from docks import Dock
from private_engines import private, rootless
from quays import Quay

from ds01build.engine.containers import maps_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.engine.api import Engine

pytestmark = pytest.mark.slow


@contextmanager
def mapping(kind: str, directory: Path) -> Iterator[Engine]:
    if kind == "rootless podman":
        with rootless() as engine:
            yield engine
    else:
        with private("remapped", directory) as (engine, _process):
            yield engine


@pytest.mark.parametrize("kind", ["user namespaces", "rootless podman"])
def test_no_container_is_made_where_a_uid_is_another_one_outside(kind: str, tmp_path: Path) -> None:
    with mapping(kind, tmp_path) as engine:
        assert maps_users(engine)
        dock = Dock(Quay(engine=engine, tag="none", root=tmp_path, token="x"))
        dock.home.mkdir()
        dock.refused(1, "is rootless, or has user namespaces", "container-create", "a", "b:latest")
        assert engine.client.containers(all=True) == []
    assert not (dock.home / "workspace").exists()


def test_an_engine_that_leaves_uids_as_they_are_is_not_refused(tmp_path: Path) -> None:
    with private("graph", tmp_path) as (engine, _process):
        assert not maps_users(engine)
