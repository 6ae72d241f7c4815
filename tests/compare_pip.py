"""Compares what ds01 writes for wheels with what pip installs: paths, bytes and modes.

Run it with wheels, or directories of wheels: ``python tests/compare_pip.py DIRECTORY``.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.utils import parse_wheel_filename
from wheels import OnDisk

from ds01build.digest import Digest
from ds01build.errors import Ds01Error
from ds01build.layers.wheel import install
from ds01build.pin import WheelPin
from ds01build.target import Schemes, Target

OPTIONS = (
    "--no-deps",
    "--no-compile",
    "--no-index",
    "--ignore-installed",
    "--isolated",
    "--quiet",
    "--no-warn-script-location",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
)
LEFT_OUT = "REQUESTED"  # says that a user named the package; pip 26.3 was asked by name here


def _running_schemes() -> Schemes:
    """Return where the pip of this interpreter installs to."""
    paths = sysconfig.get_paths()
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    in_environment = sys.prefix != sys.base_prefix
    site = Path(sys.prefix) / "include" / "site" / version
    return Schemes(
        purelib=paths["purelib"],
        platlib=paths["platlib"],
        scripts=paths["scripts"],
        data=paths["data"],
        headers=str(site) if in_environment else paths["include"],
    )


SCHEMES = _running_schemes()
TARGET = Target(
    interpreter=sys.executable,
    version=".".join(map(str, sys.version_info[:3])),
    schemes=SCHEMES,
)


def pinned(wheel: Path) -> WheelPin:
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return WheelPin(
        name=name,
        version=str(version),
        file=wheel.name,
        size=wheel.stat().st_size,
        digest=Digest("sha256:" + 64 * "0"),
        tier="test",
    )


def by_ds01(wheel: Path) -> dict[str, tuple[int, str]]:
    """Return mode and sha256 of every file that ds01 writes, by path."""
    written = {}
    for _, entry in install(OnDisk(wheel), pinned(wheel), TARGET):
        summed = hashlib.sha256()
        for piece in entry.body() if entry.body else ():
            summed.update(piece.plain)
        if summed.hexdigest() != entry.stat.content:
            raise AssertionError(entry.path)
        written[entry.path] = (entry.stat.mode, entry.stat.content)
    return written


def by_pip(wheel: Path, scratch: Path) -> dict[str, tuple[int, str]]:
    """Return mode and sha256 of every file that pip installs, apart from REQUESTED, by path."""
    links = scratch / "links"
    links.mkdir()
    (links / wheel.name).symlink_to(wheel.absolute())
    root = scratch / "root"
    root.mkdir()
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", *OPTIONS),
            *("--find-links", str(links), "--root", str(root), _requirement(wheel)),
        ],
        check=True,
        umask=0o022,
        env={"PATH": os.environ["PATH"], "HOME": str(scratch), "PIP_CONFIG_FILE": os.devnull},
    )
    libraries = {f"{root}{path}" for path in (SCHEMES.purelib, SCHEMES.platlib)}
    found = {}
    for path in root.rglob("*"):
        is_own = path.parent.suffix == ".dist-info" and str(path.parent.parent) in libraries
        if not path.is_dir() and not (is_own and path.name == LEFT_OUT):
            content = path.read_bytes()
            if is_own and path.name == "RECORD":
                content = _without(content, f"{path.parent.name}/{LEFT_OUT},".encode())
            mode = path.lstat().st_mode & 0o7777
            found[str(path.relative_to(root))] = (mode, hashlib.sha256(content).hexdigest())
    return found


def _without(content: bytes, start: bytes) -> bytes:
    return b"".join(
        line for line in content.splitlines(keepends=True) if not line.startswith(start)
    )


def _requirement(wheel: Path) -> str:
    """Return the requirement with the name as the wheel's author writes it: headers go there."""
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        path = next(n for n in names if n.endswith(".dist-info/METADATA") and n.count("/") == 1)
        headers = BytesHeaderParser().parsebytes(opened.read(path))
    return f"{headers['Name']}=={parse_wheel_filename(wheel.name)[1]}"


def differences(wheel: Path) -> list[str]:
    """Return one line for each path about which ds01 and pip disagree."""
    with tempfile.TemporaryDirectory() as scratch:
        theirs = by_pip(wheel, Path(scratch))
    ours = by_ds01(wheel)
    return [
        f"{path}: ds01 {ours.get(path)}, pip {theirs.get(path)}"
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    ]


def main(arguments: list[str]) -> int:
    given = [Path(argument) for argument in arguments]
    wheels = [
        w for path in given for w in (sorted(path.glob("*.whl")) if path.is_dir() else [path])
    ]
    equal = 0
    for wheel in wheels:
        try:
            found = differences(wheel)
        except (Ds01Error, subprocess.CalledProcessError) as error:
            found = [str(error)]
        equal += not found
        for line in found:
            print(f"{wheel.name}: {line}", flush=True)  # noqa: T201 (this is a script)
    print(f"{len(wheels)} tried / {equal} equal")  # noqa: T201 (this is a script)
    return 0 if equal == len(wheels) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
