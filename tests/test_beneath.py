from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ds01build import beneath
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal(root: Path, relative: str, limit: int = 100) -> str:
    with pytest.raises(Ds01Error) as caught:
        beneath.read(root, relative, limit=limit)
    assert caught.value.exit_code == 1
    return str(caught.value)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a directory beside a secret."""
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "recipes"
    (root / "below").mkdir(parents=True)
    (root / "file").write_bytes(b"content")
    (root / "below" / "file").write_bytes(b"deeper")
    return root


def test_a_file_below_the_root_is_read(root: Path) -> None:
    assert beneath.read(root, "file") == b"content"
    assert beneath.read(root, "below/file") == b"deeper"


def test_the_root_itself_may_be_reached_through_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert beneath.read(link, "below/file") == b"deeper"


@pytest.mark.parametrize(
    "relative",
    ["", "/", "/etc/passwd", "..", "../secret", "below/../file", "./file", "below//file", "below/"],
)
def test_what_is_no_path_below_the_root_is_refused(root: Path, relative: str) -> None:
    assert refusal(root, relative) == f"{relative!r} is not a path below the recipe"


def test_a_nul_is_refused_and_shown_escaped(root: Path) -> None:
    assert refusal(root, "file\0\x1b[31m") == r"'file\x00\x1b[31m' is not a path below the recipe"


def test_a_link_to_a_file_is_refused(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    (root / "inside").symlink_to("file")
    for name in ("link", "inside"):
        assert refusal(root, name) == f"'{root}/{name}' is a symbolic link, or below one"


def test_a_link_to_a_directory_on_the_way_is_refused(root: Path) -> None:
    (root / "out").symlink_to("..")
    assert refusal(root, "out/secret") == f"'{root}/out/secret' cannot be read: Not a directory"
    (root / "below" / "out").symlink_to(root.parent)
    assert (
        refusal(root, "below/out/secret")
        == f"'{root}/below/out/secret' cannot be read: Not a directory"
    )


def test_a_missing_file_is_named(root: Path) -> None:
    assert refusal(root, "none") == f"'{root}/none' cannot be read: No such file or directory"
    assert refusal(root, "file/x") == f"'{root}/file/x' cannot be read: Not a directory"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "is not a regular file"),
        (os.mkdir, "is not a regular file"),
        (_socket, "cannot be read: No such device or address"),
    ],
)
def test_what_is_no_file_is_refused_and_does_not_hang(
    root: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(root / "odd")
    assert refusal(root, "odd") == f"'{root}/odd' {reason}"


def test_a_device_is_refused() -> None:
    assert refusal(Path("/dev"), "null") == "'/dev/null' is not a regular file"


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(root: Path) -> None:
    assert beneath.read(root, "file", limit=7) == b"content"
    assert refusal(root, "file", limit=6) == f"'{root}/file' is larger than 6 bytes"
    with (root / "huge").open("wb") as huge:
        huge.truncate(beneath.LIMIT + 1)
    with pytest.raises(Ds01Error, match=f"larger than {beneath.LIMIT} bytes"):
        beneath.read(root, "huge")


@pytest.mark.parametrize("relative", ["below/file", "below/none", "none/x", "below", "file/x"])
def test_no_descriptor_is_left_open(root: Path, relative: str) -> None:
    before = os.open("/dev/null", os.O_RDONLY)  # the lowest number that is free
    os.close(before)
    with contextlib.suppress(Ds01Error):
        beneath.read(root, relative)
    after = os.open("/dev/null", os.O_RDONLY)
    os.close(after)
    assert after == before


def test_text_is_utf_8_of_a_mebibyte_at_most(root: Path) -> None:
    (root / "text").write_text("é", encoding="utf-8")
    assert beneath.read_text(root, "text") == "é"
    (root / "text").write_bytes(b"\xff")
    with pytest.raises(Ds01Error, match=rf"^'{root}/text' is not UTF-8 text$"):
        beneath.read_text(root, "text")
    (root / "text").write_bytes(bytes(beneath.TEXT_LIMIT + 1))
    with pytest.raises(Ds01Error, match=rf"^'{root}/text' is larger than 1048576 bytes$"):
        beneath.read_text(root, "text")


def test_a_file_elsewhere_is_read_where_only_its_reader_or_root_can_write_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = root / "file"
    assert beneath.read_trusted(file, uid=os.getuid()) == b"content"
    (root / "link").symlink_to("file")
    assert beneath.read_trusted(root / "link", uid=os.getuid()) == b"content"
    for mode in (0o664, 0o646):
        file.chmod(mode)
        with pytest.raises(Ds01Error, match=rf"can be written by others \(mode {mode:04o}\)"):
            beneath.read_trusted(file, uid=os.getuid())
    file.chmod(0o644)
    status = file.stat()
    other = os.stat_result((*status[:4], 4321, *status[5:]))
    monkeypatch.setattr(os, "fstat", lambda _: other)
    with pytest.raises(Ds01Error, match="belongs to uid 4321, neither to root nor to you"):
        beneath.read_trusted(file, uid=os.getuid())
