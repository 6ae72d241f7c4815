from __future__ import annotations

import pytest
from packaging.tags import parse_tag

from ds01build.platform import MACHINES, Platform, wheel_tags

BOOKWORM = Platform(python="3.11.2", glibc=(2, 36), machine="x86_64")


def accepts(tag: str, platform: Platform = BOOKWORM) -> bool:
    return any(str(one) in wheel_tags(platform) for one in parse_tag(tag))


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp311-cp311-linux_x86_64",
        "cp37-abi3-manylinux_2_28_x86_64",
        "cp311-none-any",
        "py3-none-manylinux_2_12_x86_64",
        "py3-none-any",
        "py2.py3-none-any",
        "py310-none-any",
    ],
)
def test_wheels_that_run_are_accepted(tag: str) -> None:
    assert accepts(tag)


@pytest.mark.parametrize(
    "tag",
    [
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp310-cp310-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux_2_37_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp311-cp311-macosx_11_0_x86_64",
        "cp311-cp311-win_amd64",
        "pp311-pypy311_pp73-manylinux_2_17_x86_64",
        "py2-none-any",
        "py312-none-any",
    ],
)
def test_wheels_for_other_platforms_are_not(tag: str) -> None:
    assert not accepts(tag)


def test_an_older_c_library_accepts_fewer_wheels() -> None:
    old = Platform(python="3.11.2", glibc=(2, 27), machine="x86_64")
    assert not accepts("cp311-cp311-manylinux_2_28_x86_64", old)
    assert wheel_tags(old).keys() < wheel_tags(BOOKWORM).keys()


def test_the_patch_version_of_the_interpreter_does_not_matter() -> None:
    other = Platform(python="3.11.9", glibc=(2, 36), machine="x86_64")
    assert wheel_tags(other) == wheel_tags(BOOKWORM)


def test_the_closest_wheel_is_the_best() -> None:
    ranks = wheel_tags(BOOKWORM)
    order = [
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-abi3-manylinux_2_36_x86_64",
        "cp310-abi3-manylinux_2_36_x86_64",
        "py311-none-manylinux_2_36_x86_64",
        "py3-none-any",
    ]
    assert ranks[order[0]] == 0
    assert sorted(order, key=ranks.__getitem__) == order
    assert sorted(ranks.values()) == list(range(len(ranks)))


@pytest.mark.parametrize("machine", MACHINES.values())
def test_each_machine_has_wheels_of_its_own(machine: str) -> None:
    platform = Platform(python="3.12.1", glibc=(2, 28), machine=machine)
    assert accepts(f"cp312-cp312-manylinux_2_28_{machine}", platform)
    assert {tag.rpartition("-")[2] for tag in wheel_tags(platform)} >= {"any", f"linux_{machine}"}
