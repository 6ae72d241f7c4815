"""Packages that come as source: with a build backend of their own, so that nothing is fetched."""

from __future__ import annotations

import io
import tarfile
import textwrap
from typing import TYPE_CHECKING

from wheels import File
from world import metadata_of, wheel_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"
dynamic = ["dependencies"]
"""
BACKEND = """\
import os, shutil

def build_wheel(directory, config_settings=None, metadata_directory=None):
{before}
    shutil.copyfile("built", os.path.join(directory, {file!r}))
    return {file!r}
"""


def project(
    name: str,
    version: str = "1.0",
    *files: File,
    requires: Sequence[str] = (),
    before: str = "pass",
) -> dict[str, bytes]:
    """Return the files of a project; its build runs the Python code ``before`` first.

    A wheel lies beside it, as ``built``; with ``before`` it may be replaced. What it needs is known
    only once it is built.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    file = f"{stem}-py3-none-any.whl"
    backend = BACKEND.format(before=textwrap.indent(before, "    "), file=file)
    return {
        "pyproject.toml": PROJECT.format(name=name, version=version).encode(),
        "PKG-INFO": metadata_of(stem, requires),
        "backend.py": backend.encode(),
        "built": wheel_of(name, version, *files, requires=requires),
        # A build that is not reproducible comes to either.
        "other": wheel_of(name, version, File(name=b"other.py", content=b"1\n"), requires=requires),
    }


def packed(top: str, files: Mapping[str, bytes]) -> bytes:
    """Return a .tar.gz of ``files`` below a directory ``top``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def sdist(
    name: str, version: str = "1.0", *, requires: Sequence[str] = (), before: str = "pass"
) -> bytes:
    """Return the source distribution of ``project``."""
    files = project(name, version, requires=requires, before=before)
    return packed(f"{name.replace('-', '_')}-{version}", files)
