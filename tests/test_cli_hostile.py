"""Hostile wheels and .debs on their way through a build; test_wheel_hostile has them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from archive import Package
from wheels import File, archive, record
from world import RECIPE, is_shown_safely, metadata_of, own_archive, wheel_of

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

BUILD = ("build", "demo.toml")
FILE = "evil-1.0-py3-none-any.whl"
INFO = "evil-1.0.dist-info"
SCRIPT = b"[console_scripts]\n%s = evil:main\n"


def lying_record() -> bytes:
    """Return a wheel whose RECORD has the checksum of something else."""
    honest = File(name=b"evil.py", content=b"A = 1\n")
    metadata = File(name=f"{INFO}/METADATA".encode(), content=metadata_of("evil-1.0"))
    tag = b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rest = [metadata, File(name=f"{INFO}/WHEEL".encode(), content=tag)]
    written = File(name=b"evil.py", content=b"A = 2\n")
    return archive([written, *rest, record([honest, *rest], "evil-1.0")])


HOSTILE = {
    "a path out of the root": (
        wheel_of("evil", "1.0", File(name=b"../../../../../../etc/cron.d/evil", content=b"x")),
        "the name '../../../../../../etc/cron.d/evil' leads upwards",
    ),
    "an absolute path": (
        wheel_of("evil", "1.0", File(name=b"/etc/passwd", content=b"x")),
        "the name '/etc/passwd' is absolute",
    ),
    "a symbolic link": (
        wheel_of("evil", "1.0", File(name=b"link", content=b"/etc/passwd", mode=0o120777)),
        "'link' is a symbolic link",
    ),
    "a RECORD that lies": (lying_record(), "'evil.py' does not have the sha256 that RECORD says"),
    "a file that RECORD does not list": (
        wheel_of("evil", "1.0", extra=[File(name=b"more.py", content=b"x")]),
        "RECORD does not have 'more.py'",
    ),
    "an entry point named python3": (
        wheel_of(
            "evil",
            "1.0",
            File(name=b"evil.py", content=b"def main(): ...\n"),
            File(name=f"{INFO}/entry_points.txt".encode(), content=SCRIPT % b"python3"),
        ),
        "would put its own 'python3' before the base's",
    ),
    "an entry point with a path": (
        wheel_of(
            "evil",
            "1.0",
            File(name=b"evil.py", content=b"def main(): ...\n"),
            File(name=f"{INFO}/entry_points.txt".encode(), content=SCRIPT % b"../../bin/sh"),
        ),
        "the entry point '../../bin/sh' is not a plain file name",
    ),
    "a name with an escape": (
        wheel_of("evil", "1.0", File(name=b"a\x1b[31mb", content=b"x")),
        "the name 'a\\x1b[31mb' has characters that can't be seen",
    ),
    "a bomb": (
        wheel_of("evil", "1.0", File(name=b"bomb", content=b"\0" * (64 << 20))),
        "unpacks to 67109240 bytes, more than the 14254376 of a zip of its size",
    ),
    "something else than a zip": (b"MZ" + b"\0" * 100, "is not a zip file, or is cut short"),
}


@pytest.mark.parametrize(("body", "problem"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_wheel_is_refused_by_name(world: World, body: bytes, problem: str) -> None:
    world.index.add(FILE, body, metadata_of("evil-1.0"))
    world.ask_for("app", "evil")
    outcome = world.ds01(*BUILD)
    assert outcome.complaint == [f"error: {FILE}: {problem}"]
    assert (outcome.code, outcome.out) == (1, "")
    assert is_shown_safely(outcome.err)
    assert world.images() == world.built


DEBS = {
    "a path out of the root": (
        Package("evil", files={"../../../etc/cron.d/evil": b"x"}),
        "evil_1.0-1_amd64.deb: '..' is not a plain path",
    ),
    "a program of another package": (
        Package("evil", files={"bin/bash": b"#!evil\n"}),
        "/usr/bin/bash: bash=5.2.15-2 and evil=1.0-1 disagree (different bytes)",
    ),
}


@pytest.mark.parametrize(("package", "problem"), DEBS.values(), ids=DEBS.keys())
def test_a_hostile_deb_is_refused_by_name(world: World, package: Package, problem: str) -> None:
    world = own_archive(world)
    world.archive.publish(package)
    world.write(RECIPE + '\n[tiers.system]\nkind = "apt"\npackages = ["evil"]\n')
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0] == f"error: {problem}"
    assert world.images() == world.built
