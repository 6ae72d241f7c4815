"""Layers that pass through directories and links of the base leave them as they are."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from images import read_lock, unpack
from servers import serving
from wheels import EXECUTABLE, File
from world import Index

from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from pathlib import Path

    from images import Gallery, Tree

pytestmark = pytest.mark.network

RECIPE = """\
schema = 1
name = "bases"

[base]
debian = "bookworm"

[tiers.python]
kind = "python"
packages = ["demo"]

[tiers.notes]
kind = "files"
files = [
    { from = "note", to = "/tmp/note" },
    { from = "note", to = "/root/note", mode = "0600" },
    { from = "note", to = "/var/mail/note" },
    { from = "note", to = "/bin/note", mode = "0755" },
    { from = "note", to = "/usr/local/man/man7/note.7" },
]
"""
NOTE = b"#!/bin/sh\necho a note\n"
# Where each file must come to lie, with its mode, once links are followed.
NOTES = {
    "tmp/note": 0o644,
    "root/note": 0o600,
    "var/mail/note": 0o644,
    "usr/bin/note": 0o755,
    "usr/local/share/man/man7/note.7": 0o644,
}
# What Debian has on the way: permissions, owner and group, or where a link leads.
DIRECTORIES = {
    "tmp": (0o1777, 0, 0),
    "root": (0o700, 0, 0),
    "var/mail": (0o2775, 0, 8),
    "usr/bin": (0o755, 0, 0),
    "usr/local": (0o755, 0, 0),
    "usr/local/share/man": (0o755, 0, 0),
}
LINKS = {"bin": "usr/bin", "usr/local/man": "share/man"}


@pytest.fixture(scope="module")
def base(gallery: Gallery) -> Tree:
    return gallery.unpacked("slim")


@pytest.fixture(scope="module")
def tree(gallery: Gallery) -> Tree:
    """The same base with files, and with a wheel that has data files below ``man/``."""
    recipe = gallery.directory() / "bases.toml"
    recipe.write_text(RECIPE)
    (recipe.parent / "note").write_bytes(NOTE)
    # The .debs stay those of slim, so that only the tiers are new.
    slim = gallery.built("slim")
    shutil.copyfile(lock_path(slim.recipe), lock_path(recipe))
    with serving() as server:
        index = Index(server, "/index")
        index.offer(
            "demo",
            "1.0",
            File(name=b"demo/__init__.py", content=b"WORD = 'demo'\n"),
            File(name=b"demo-1.0.data/data/man/man1/demo.1", content=b".TH DEMO 1\n"),
            File(name=b"demo-1.0.data/scripts/demo", content=b"#!python\n", mode=EXECUTABLE),
        )
        variables = {**gallery.place.variables, "DS01_INDEX_URL": index.url}
        answer = replace(gallery.place, variables=variables).build(recipe)
    assert read_lock(recipe).debs == slim.lock.debs
    return unpack(answer["image"]["reference"], gallery.directory())


def test_everything_that_the_base_has_is_as_it_was(tree: Tree, base: Tree) -> None:
    before, after = stats(base.root), stats(tree.root)
    both = set(before) & set(after)
    assert {*DIRECTORIES, *LINKS} <= both
    assert len(both) > 5000
    assert {path: after[path] for path in both} == {path: before[path] for path in both}


@pytest.mark.parametrize("path", DIRECTORIES)
def test_directories_on_the_way_keep_mode_and_owner(path: str, tree: Tree) -> None:
    status = (tree.root / path).lstat()
    assert stat.S_ISDIR(status.st_mode)
    found = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    assert found == DIRECTORIES[path]


@pytest.mark.parametrize("path", LINKS)
def test_links_on_the_way_stay_links(path: str, tree: Tree) -> None:
    assert (tree.root / path).readlink().as_posix() == LINKS[path]


@pytest.mark.parametrize("path", NOTES)
def test_declared_files_lie_where_links_lead(path: str, tree: Tree) -> None:
    file = tree.root / path
    status = file.lstat()
    assert file.read_bytes() == NOTE
    assert status.st_mode == stat.S_IFREG | NOTES[path]
    assert (status.st_uid, status.st_gid) == (0, 0)


def test_data_files_of_a_wheel_lie_where_links_lead(tree: Tree) -> None:
    page = tree.root / "usr/local/share/man/man1/demo.1"
    assert page.read_bytes() == b".TH DEMO 1\n"
    assert page.lstat().st_mode == stat.S_IFREG | 0o644


def test_what_was_put_there_works(tree: Tree) -> None:
    assert tree.prints("note") == "a note\n"
    assert tree.prints("python3", "-c", "import demo; print(demo.WORD)") == "demo\n"
    files = tree.prints("python3", "-m", "pip", "show", "--files", "demo")
    assert "man1/demo.1" in files


def stats(root: Path) -> dict[str, tuple[int, int, int, str]]:
    """Return type with mode, owner, group, and target of everything below ``root``."""
    found = {}
    for directory, names, files in os.walk(root):
        for path in (os.path.join(directory, name) for name in (*names, *files)):  # noqa: PTH118
            status = os.lstat(path)
            target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115
            inside = path[len(str(root)) + 1 :]
            found[inside] = (status.st_mode, status.st_uid, status.st_gid, target)
    return found
