"""The fixture of tests that need containers in each kind of Docker engine."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from engines import DIRECTORY, Names, Tars, clean, image
from layered import Item, folder, tar
from quays import GROUP, PASSWD, Quay
from tools_image import tools

from ds01build.engine.load import load
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.engine.api import Engine

SHARED = DIRECTORY / "shared"


@pytest.fixture
def quay(engine: Engine, tmp_path: Path) -> Iterator[Quay]:
    token = secrets.token_hex(4)
    names = Names(engine, f"ds01-test/{token}")
    accounts = tar(
        [folder("etc"), Item("etc/passwd", PASSWD.encode()), Item("etc/group", GROUP.encode())]
    )
    tars = [tools("bash", "id", "env", "ls", "true"), accounts]
    made = image(tars, Env=["PATH=/opt/tools:/usr/bin:/bin"])
    load(engine, made, Tars.of(tars), [names.tag()])
    # The one directory that both kinds of engine have by the same name.
    root = (SHARED if SHARED.is_dir() else tmp_path) / token
    root.mkdir(mode=0o755)
    found = Quay(engine=engine, tag=names.tag(), root=root, token=token)
    yield found
    for name in found.names:
        with suppress(Ds01Error):
            engine.client.remove_container(name, force=True)
    clean(engine, names.repository)
    shutil.rmtree(root)
