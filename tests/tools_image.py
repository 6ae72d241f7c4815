"""The least image that tiers can be executed over: a shell, GNU tar and find of this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from layered import Item, folder, link, program, tar

TOOLS = (
    *("sh", "tar", "find", "mkdir", "sleep", "cat", "mkfifo", "rm", "head", "touch", "chmod"),
    *("chown", "stat", "sort", "uniq"),
)
_LIBRARY = re.compile(r"(/\S+) \(0x")


@cache
def tools(*more: str) -> bytes:
    """Return the tar of the image's one layer, with ``more`` tools.

    Skips the test on a machine without the tools.
    """
    lacking = [tool for tool in (*TOOLS, *more, "ldd") if shutil.which(tool) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}, which this machine lacks")
    paths = {name: Path(str(shutil.which(name))).resolve() for name in (*TOOLS, *more)}
    if b"GNU tar" not in subprocess.check_output([paths["tar"], "--version"]):
        pytest.skip("needs GNU tar")
    return tar(
        [
            *(folder(path) for path in ("etc", "tmp", "usr/bin", "usr/lib", "usr/lib64")),
            *(link(name, f"usr/{name}") for name in ("bin", "lib", "lib64")),
            Item("etc/os-release", b"ID=debian\nVERSION_CODENAME=bookworm\n"),
            *(program(f"usr/bin/{name}", path.read_bytes()) for name, path in paths.items()),
            *(_library(path) for path in sorted(_libraries(paths.values()))),
        ]
    )


def _libraries(programs: object) -> set[str]:
    command = ["ldd", *map(str, programs)]  # type: ignore[call-overload]
    return set(_LIBRARY.findall(subprocess.check_output(command, text=True)))


def _library(path: str) -> Item:
    place = path.removeprefix("/usr").lstrip("/")
    return program(f"usr/{place}", Path(path).read_bytes())
