"""What a user installs in a container of an image by ds01 works, and lies in his home."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from desks import apt_tier, python_tier
from engines import DIRECTORY
from quays import Quay

from ds01build.engine.connect import connect
from ds01build.workflow import containers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from desks import Desk
    from standin_fixtures import StandIns
    from world import Index

    from ds01build.container import Identity

pytest_plugins = ("standin_fixtures", "desk_fixtures")
pytestmark = pytest.mark.network  # stand-ins are made of packages

IS_MARKED = (
    "import os, sysconfig;"
    "print(os.path.exists(sysconfig.get_path('stdlib') + '/EXTERNALLY-MANAGED'))"
)
DEBIAN = 'schema = 1\nname = "{name}"\n\n[base]\ndebian = "bookworm"\n'
INIT = "/usr/sbin/docker-init"  # where the engine mounts its own
SHARED = DIRECTORY / "shared"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A directory that everybody can reach, and that engines have by the same name."""
    made = (SHARED if SHARED.is_dir() else tmp_path) / secrets.token_hex(4)
    made.mkdir(mode=0o755)
    yield made
    shutil.rmtree(made)


def is_below(path: str, ancestor: str) -> bool:
    return path.startswith(f"{ancestor}/")


def check(desk: Desk, offers: Index, root: Path, tag: str) -> bool:
    """Install, import and remove a package as the user of a container.

    Returns whether the Python is marked as one that pip stays out of (PEP 668).
    """
    offers.offer("wanted", "2.1")
    engine = connect({"DOCKER_HOST": desk.host}, root)
    quay = Quay(engine=engine, tag=tag, root=root, token=secrets.token_hex(4))
    host = quay.host()
    made = containers.bring_up(replace(quay.wish(host), network="host"), host)
    try:
        return _checked(quay, made.name, offers, made.identity)
    finally:
        engine.client.remove_container(made.name, force=True)
        engine.close()


def _checked(quay: Quay, name: str, offers: Index, user: Identity) -> bool:
    pip = ("python3", "-m", "pip", "--disable-pip-version-check")
    said = quay.says(name, *pip, "install", "-i", offers.url, "wanted")
    assert "Successfully installed wanted-2.1" in said
    assert "error" not in said.lower()
    lies = "import wanted; print(wanted.__file__, wanted.__cached__)"
    file, cached = quay.says(name, "python3", "-c", lies).split()
    assert file.startswith(f"{user.home}/.local/lib/python3")
    assert cached.startswith(f"{user.home}/.cache/python/")
    assert quay.says(name, "sh", "-c", f"test -f {cached} && stat -c %u {cached}") == str(user.uid)
    changed = {each["Path"] for each in quay.engine.client.diff(name)}
    changed = {path for path in changed if not any(is_below(each, path) for each in changed)}
    own = (f"{user.home}/", "/etc/passwd", "/etc/group", "/tmp", "/workspace", INIT)
    assert not [path for path in changed if not path.startswith(own)]
    assert "Successfully uninstalled" in quay.says(name, *pip, "uninstall", "--yes", "wanted")
    return quay.says(name, "python3", "-c", IS_MARKED) == "True"


@pytest.mark.parametrize("stand_in", ["a-light", "c-light"])
def test_pip_works_whether_the_python_is_one_that_it_stays_out_of_or_not(
    stand_in: str, desk: Desk, offers: Index, stand_ins: StandIns, root: Path
) -> None:
    offers.offer("app")
    recipe = desk.recipe(stand_ins.load(stand_in, desk.host), python_tier("app"))
    tag = str(desk.build(recipe)["image"]["reference"])
    assert check(desk, offers, root, tag) is (stand_in == "a-light")  # conda's is not marked


@pytest.mark.slow
def test_pip_works_in_an_image_of_debs_and_wheels(
    plain_desk: Desk, offers: Index, root: Path
) -> None:
    path = plain_desk.place.root / f"{plain_desk.name}.toml"
    tiers = apt_tier("python3-pip") + python_tier("pandas", name="data-science")
    path.write_text(DEBIAN.format(name=plain_desk.name) + tiers)
    tag = str(plain_desk.build(path)["image"]["reference"])
    assert check(plain_desk, offers, root, tag)
