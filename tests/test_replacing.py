"""Files that are replaced together or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from straced import Program, killed, needs_strace
from world import RECIPE, World

from ds01build.errors import Ds01Error
from ds01build.workflow.replacing import Replacement, create_file, replace_file, staged

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("world_fixtures",)

WRITER = """
import sys
from pathlib import Path
from ds01build.workflow.replacing import Replacement, staged
files = [Replacement(path=Path(name), before=b"old", text="new") for name in ("a", "b")]
with staged(files) as commit:
    commit()
"""


def files(directory: Path, *names: str) -> list[Replacement]:
    made = []
    for name in names:
        (directory / name).write_text("old")
        made.append(Replacement(path=directory / name, before=b"old", text="new"))
    return made


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}


def test_nothing_changes_before_all_is_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)
    new = Replacement(path=tmp_path / "deep" / "b", before=None, text="new")
    with staged([*files(tmp_path, "a"), new]) as commit:
        assert (tmp_path / "a").read_text() == "old"
        commit()
        assert (tmp_path / "a").read_text() == "new"
    assert new.path.read_text() == "new"
    assert [path.name for path in new.path.parent.iterdir()] == ["b"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert contents(tmp_path) == {"a": "new"}


def test_what_is_not_put_in_place_is_removed(tmp_path: Path) -> None:
    def fail() -> None:
        with staged(files(tmp_path, "a", "b")):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert contents(tmp_path) == {"a": "old", "b": "old"}


def test_a_file_that_somebody_else_changed_stays_and_so_do_the_others(tmp_path: Path) -> None:
    with staged(files(tmp_path, "a", "b")) as commit:
        (tmp_path / "b").write_text("theirs")
        with pytest.raises(Ds01Error, match="b was changed by somebody else"):
            commit()
    assert contents(tmp_path) == {"a": "old", "b": "theirs"}
    with staged([Replacement(path=tmp_path / "c", before=None, text="new")]) as commit:
        (tmp_path / "c").write_text("theirs")
        with pytest.raises(Ds01Error, match="somebody else"):
            commit()


def test_when_the_second_cannot_be_replaced_the_first_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacements = [
        *files(tmp_path, "a"),
        Replacement(path=tmp_path / "new", before=None, text="new"),
        *files(tmp_path, "b"),
    ]
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target.name == "b":
            raise PermissionError(1, "Operation not permitted")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        staged(replacements) as commit,
        pytest.raises(Ds01Error, match="b cannot be written: Operation not permitted"),
    ):
        commit()
    assert contents(tmp_path) == {"a": "old", "b": "old"}


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Ds01Error, match="cannot be written: File exists"):
        replace_file(tmp_path / "file" / "a", "new")


def test_a_new_file_is_whole_and_alone(tmp_path: Path) -> None:
    create_file(tmp_path / "deep" / "a", "new")
    assert contents(tmp_path / "deep") == {"a": "new"}
    assert (tmp_path / "deep" / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "deep" / "a").stat().st_nlink == 1


def test_a_new_file_never_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, "a")
    told = r"a exists already, and stays as it is"
    with pytest.raises(Ds01Error, match=told):
        create_file(tmp_path / "a", "new")
    # As it is where somebody else has written it in the meantime.
    monkeypatch.setattr("os.path.lexists", _later(tmp_path / "a"))
    with pytest.raises(Ds01Error, match=told):
        create_file(tmp_path / "a", "new")
    assert contents(tmp_path) == {"a": "old"}


def _later(path: Path) -> Callable[[Path], bool]:
    """Say of ``path`` that nothing is there, but only once."""
    answers = iter([False])
    return lambda asked: next(answers, True) if asked == path else False


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_where_there_are_no_hard_links_a_new_file_is_moved_to_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.link", refuse)
    create_file(tmp_path / "a", "new")
    assert contents(tmp_path) == {"a": "new"}


@needs_strace
@pytest.mark.parametrize(
    ("call", "number", "left"),
    [
        ("rename", 1, {"a": "old", "b": "old"}),
        ("rename", 2, {"a": "new", "b": "old"}),
        ("fsync", 1, {"a": "old", "b": "old"}),
        ("fsync", 2, {"a": "old", "b": "old"}),
        ("fsync", 4, {"a": "new", "b": "new"}),
    ],
)
def test_a_crash_leaves_each_file_whole_and_the_first_goes_first(
    tmp_path: Path, call: str, number: int, left: dict[str, str]
) -> None:
    files(tmp_path, "a", "b")
    log = tmp_path.parent / f"{tmp_path.name}.log"
    assert killed(Program(WRITER, cwd=tmp_path), log, call, number)
    found = {name: text for name, text in contents(tmp_path).items() if name in left}
    # A call that is killed as it begins may still be carried out, or not.
    assert found in (left, {**left, "b" if number > 1 else "a": "new"})
    for name in left:
        replace_file(tmp_path / name, "newer")
    assert contents(tmp_path) == {"a": "newer", "b": "newer"}


def leftover(directory: Path, name: str) -> Path:
    made = directory / f".{name}-0123456789abcdef"
    made.write_text("left behind")
    return made


def test_what_a_running_process_has_written_aside_stays(tmp_path: Path) -> None:
    files(tmp_path, "a")
    with staged([Replacement(path=tmp_path / "a", before=b"theirs", text="mine")]) as commit:
        replace_file(tmp_path / "a", "theirs")
        commit()
    assert contents(tmp_path) == {"a": "mine"}


def test_only_leftovers_of_the_same_file_go(tmp_path: Path) -> None:
    files(tmp_path, "a")
    mine = leftover(tmp_path, "a")
    others = {leftover(tmp_path, name) for name in ("b", "a-a", "aa")}
    others |= {tmp_path / name for name in (".a-swp", "a-0123", ".a-01234567", f"{mine.name}.bak")}
    for path in others:
        path.write_text("somebody's")
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("outside")
    link = tmp_path / f".a-{'f' * 16}"
    link.symlink_to(outside)
    directory = tmp_path / f".a-{'e' * 16}"
    directory.mkdir()
    replace_file(tmp_path / "a", "new")
    assert not mine.exists()
    assert all(path.exists() for path in (*others, link, directory, outside))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_leftover_of_another_user_stays(tmp_path: Path) -> None:
    files(tmp_path, "a")
    theirs = leftover(tmp_path, "a")
    os.chown(theirs, 65534, 65534)
    replace_file(tmp_path / "a", "new")
    assert theirs.exists()


def test_where_nothing_can_be_locked_files_are_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    files(tmp_path, "a")
    monkeypatch.setattr(fcntl, "flock", refuse)
    left = leftover(tmp_path, "a")
    replace_file(tmp_path / "a", "new")
    assert contents(tmp_path) == {"a": "new", left.name: "left behind"}


def test_a_recipe_that_came_without_its_lock_is_locked_by_the_next_run(world: World) -> None:
    edited = RECIPE.replace('["app"]', '["app", "other"]')
    assert world.ds01("add", "demo.toml", "other").code == 0
    lock = world.lock.read_bytes()
    assert world.ds01("remove", "demo.toml", "other").code == 0
    world.write(edited)  # as a crash between the two leaves it
    assert world.ds01("lock", "--check", "demo.toml").code == 3
    assert world.ds01("add", "demo.toml", "other").code == 0
    assert world.lock.read_bytes() == lock
    assert world.recipe.read_text() == edited
