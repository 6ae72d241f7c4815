"""The screen of a selected base shows what is really there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import served_images as served
from layered import config, read
from served_images import LIBC, PYTHON, RUNTIME, Shelf
from test_base_facts import conda, debian, facts, installed
from world import NUMBERS

from ds01build.base.derive import derive
from ds01build.base.show import answer, every_package, screen

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

SITE = "opt/conda/lib/python3.11/site-packages"
REFERENCE = "aimehub/pytorch-2.8.0-aime-cuda12.6.3"


def test_the_screen_has_the_key_packages_by_framework() -> None:
    packages = {
        "torch": "2.8.0+cu126",
        "torchvision": "0.23.0",
        "torchaudio": "2.8.0",
        "nvidia_cudnn_cu12": "9.1",
        "tqdm": "4.67.1",
        "ipython": "9.3.0",
        "psutil": "7.0.0",
    }
    made = [item for pair in packages.items() for item in installed(SITE, *pair)]
    found = facts(
        [*conda(), *debian(), *made],
        PATH="/opt/conda/bin:/usr/bin",
        CUDA_VERSION="12.6.3",
        NVIDIA_REQUIRE_CUDA="cuda>=12.6",
    )
    assert screen(found, REFERENCE, architecture="CUDA_ADA") == (
        "━━━ Selected Base Image ━━━\n"
        "Image: aimehub/pytorch-2.8.0-aime-cuda12.6.3\n"
        "Architecture: CUDA_ADA\n"
        "System: Debian 12, amd64, glibc 2.36\n"
        "Python: 3.11.9 (/opt/conda/bin/python3, conda)\n"
        "Driver: cuda>=12.6\n"
        "\n"
        "Key Pre-installed Packages:\n"
        "  • PyTorch 2.8.0+cu126 (torch, torchvision, torchaudio)\n"
        "  • CUDA 12.6.3 + cuDNN\n"
        "  • numpy 2.2.6, tqdm 4.67.1\n"
        "  • conda, ipython 9.3.0, psutil 7.0.0\n"
        "\n"
        "8 Python packages, 1 Debian package\n"
    )


def test_a_base_without_python_says_so() -> None:
    shown = screen(derive(read([]), config()), "debian:12")
    assert "System: unknown, amd64\nPython: none\n" in shown
    assert "  • no Python packages\n" in shown


def test_all_packages_are_listed_by_what_may_become_of_them() -> None:
    old = installed("usr/lib/python3/dist-packages", "six", "1.16.0")
    new = installed("usr/local/lib/python3.11/dist-packages", "numpy", "2.2.6")
    assert every_package(facts(debian(*old, *new))) == (
        "Python packages, held:\n  numpy 2.2.6\n\n"
        "Python packages that a tier may shadow:\n  six 1.16.0\n\n"
        "Debian packages:\n  python3.11-minimal 3.11.2-6+deb12u6\n"
    )


def test_the_answer_is_json_with_every_package_and_without_apts_texts() -> None:
    found = json.loads(json.dumps(answer(facts(debian()), "debian:12")))
    assert found["reference"] == "debian:12"
    assert found["config"].startswith("sha256:")
    assert found["debs"][0]["name"] == "python3.11-minimal"
    assert "apt" not in found
    assert found["schema"] == "ds01.base/1"


def test_the_answer_of_the_command_is_that_of_the_image(world: World) -> None:
    shelf = Shelf(world.index.server, f"base/{next(NUMBERS)}")
    shelf.show(served.image([*RUNTIME, LIBC], PYTHON))
    outcome = world.ds01("base", "show", "--json", shelf.reference)
    size = r"[0-9]+ B in 2 layers"
    assert re.search(rf"^reading {shelf.reference}@\S+ \({size}\)$", outcome.err, re.MULTILINE)
    found = outcome.answer
    assert found["schema"] == "ds01.base/1"
    assert found["reference"] == shelf.reference
    assert found["interpreter"]["version"] == "3.11.9"
    assert found["catalogue_architecture"] == ""


@pytest.mark.parametrize(
    ("name", "mlc_arch", "hint"),
    [
        ("pytorch:2.9.1", "ROCM6", "MLC_ARCH=CUDA_BLACKWELL ds01 base show pytorch:2.9.1"),
        ("PyTorch:2.7.2", "CUDA_ADA", "ds01 base show pytorch:2.7.1"),
        ("mxnet", "ROCM6", "MLC_ARCH=CUDA_AMPERE ds01 base show mxnet"),
        ("mxnet:9.9", "ROCM6", "MLC_ARCH=CUDA_AMPERE ds01 base show mxnet:1.8.0-nvidia"),
    ],
)
def test_what_there_is_instead_of_a_framework_is_a_command(
    world: World, name: str, mlc_arch: str, hint: str
) -> None:
    world.variables["MLC_ARCH"] = mlc_arch
    outcome = world.ds01("base", "show", name)
    assert outcome.code == 1
    message, found = outcome.complaint
    assert message.startswith("error: the catalogue has no ")
    assert found == f"hint:  {hint}"


@pytest.mark.parametrize("name", ["pytorhc", "pytorhc:2.7.1"])
def test_an_image_that_cannot_be_had_may_be_a_framework_with_a_slip(
    world: World, name: str
) -> None:
    world.variables["https_proxy"] = "http://127.0.0.1:9"  # no registry answers
    outcome = world.ds01("base", "show", name)
    assert outcome.code == 4, outcome.err
    assert outcome.complaint[-1].endswith(
        "if the framework pytorch is meant: ds01 base show pytorch"
    )
