"""What pip installed for a user into a mount is read on this host, through no link, or listed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ds01build.engine.changes import Container, Mounted
from ds01build.importing.container import Change, metadata_of
from ds01build.workflow import mounted
from ds01build.workflow.mounted import look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.workflow.mounted import UserSites

SITE = ".local/lib/python3.11/site-packages"


def made(site: Path, stem: str, *marks: str) -> Path:
    folder = site / f"{stem}.dist-info"
    folder.mkdir(parents=True)
    name, _, version = stem.partition("-")
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    for mark in marks:
        (folder / mark).touch()
    return folder


def looked(
    *mounts: tuple[Path, str], is_same: bool = True, environment: Mapping[str, str] | None = None
) -> UserSites:
    def modified(path: str) -> int | None:
        for source, target in mounts:
            there = Path(source, path.removeprefix(f"{target}/"))
            if path.startswith(f"{target}/") and there.exists():
                return there.stat().st_mtime_ns // 1000 + (0 if is_same else 1)
        return None

    container = Container(
        container_id="c",
        image="i",
        reference="r",
        labels={},
        mounts=tuple(Mounted(str(source), target) for source, target in mounts),
        environment=environment or {},
    )
    return look(container, modified)


def test_packages_of_a_user_in_a_mount_are_as_if_they_were_in_the_container(tmp_path: Path) -> None:
    made(tmp_path / SITE, "wanted-2.1", "REQUESTED", "RECORD")
    found = looked((tmp_path, "workspace"))
    folder = f"workspace/{SITE}/wanted-2.1.dist-info"
    assert found.contents == {f"{folder}/METADATA": b"Name: wanted\nVersion: 2.1\n"}
    assert metadata_of(found.changes) == (folder,)
    assert Change("added", f"{folder}/REQUESTED") in found.changes
    assert found.unread == []


@pytest.mark.parametrize(
    ("target", "environment"),
    [
        ("home/me/.local", {"HOME": "/home/me"}),
        ("opt/mine", {"PYTHONUSERBASE": "/opt/mine/"}),
        ("home", {"HOME": "/home/me"}),
    ],
)
def test_where_the_container_says_that_its_user_has_packages_is_looked_at(
    tmp_path: Path, target: str, environment: dict[str, str]
) -> None:
    below = "me/.local" if target == "home" else ""
    made(tmp_path / below / "lib/python3.11/site-packages", "wanted-2.1")
    (content,) = looked((tmp_path, target), environment=environment).contents
    assert content.startswith(f"{target}/")


def test_no_link_leads_out_of_a_mount(tmp_path: Path) -> None:
    outside = made(tmp_path / "outside" / SITE, "secret-1")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / ".local").symlink_to(tmp_path / "outside/.local")
    assert looked((linked, "w")).contents == {}
    assert [text for text, _ in looked((linked, "w")).unread] == ["packages in the mount /w"]
    mount = tmp_path / "mount"
    folder = made(mount / SITE, "file-1")
    (folder / "METADATA").unlink()
    (folder / "METADATA").symlink_to(outside / "METADATA")
    (mount / SITE / "folder-1.dist-info").symlink_to(outside)
    os.mkfifo(mount / SITE / "pipe-1.dist-info")
    found = looked((mount, "w"))
    assert found.contents == {}
    assert {Path(each.path).name for each in found.changes} >= {
        "file-1.dist-info",
        "folder-1.dist-info",
        "pipe-1.dist-info",
    }


def test_no_variable_leads_out_of_a_mount(tmp_path: Path) -> None:
    made(tmp_path / "outside" / SITE, "secret-1")
    (tmp_path / "mount").mkdir()
    variables = {"PYTHONUSERBASE": "/w/../outside/.local"}
    found = looked((tmp_path / "mount", "w"), environment=variables)
    assert (found.contents, found.changes) == ({}, [])
    ((_, reason),) = found.unread
    assert "is not a path below" in reason


def test_what_cannot_be_looked_at_is_listed_and_what_has_nothing_is_not(tmp_path: Path) -> None:
    made(tmp_path / "full" / SITE, "wanted-2.1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "hosts").touch()
    assert looked((tmp_path / "empty", "w"), (tmp_path / "hosts", "etc/hosts")).unread == []
    ((text, reason),) = looked((tmp_path / "full", "w"), is_same=False).unread
    assert text == "packages in the mount /w"
    path = tmp_path / "full/.local/lib"
    assert reason == f"not looked at: {str(path)!r} is not what the container has there"


def test_a_mount_that_is_too_large_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / SITE, "wanted-2.1")
    for name in ("MAX_NAMES", "MAX_PACKAGES", "MAX_BYTES"):
        with monkeypatch.context() as patched:
            patched.setattr(mounted, name, 0)
            assert len(looked((tmp_path, "w")).unread) == 1, name
