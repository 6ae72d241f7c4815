from __future__ import annotations

import contextlib
import re

import pytest

from ds01build.catalogue import LATEST, NotInCatalogue, find_framework, frameworks, select
from ds01build.catalogue.images import rows
from ds01build.errors import Ds01Error, RecipeError
from ds01build.grammar import image_reference
from ds01build.recipe import parse

OWN = 'name an image instead of a framework: image = "python:3.12-slim" in [base]'
HINT = 'in [base]: arch = "{}"; ds01 catalogue list --framework {} has them all'


@pytest.mark.parametrize(
    ("architecture", "mlc_arch", "driver", "chosen", "reason"),
    [
        ("ROCM5", "CUDA_ADA", "535.129.03", "ROCM5", "for ROCM5"),
        ("", "ROCM6", "535.129.03", "ROCM6", "for ROCM6, by MLC_ARCH of the environment"),
        ("", "", "570.86.10\n", "CUDA_ADA", "for CUDA_ADA, by the driver 570.86.10"),
        ("", "", "535.54.03", "CUDA_ADA", "for CUDA_ADA, by the driver 535.54.03"),
        ("", "", "530.30.02", "CUDA_AMPERE", "for CUDA_AMPERE, by the driver 530.30.02"),
        ("", "", "6.10.5", "ROCM6", "for ROCM6, by the driver 6.10.5"),
        ("", "", "5.18.13", "ROCM5", "for ROCM5, by the driver 5.18.13"),
        ("", "", "", "CUDA_AMPERE", "for CUDA_AMPERE, since no driver was found"),
    ],
)
def test_the_recipe_decides_before_the_environment_and_that_before_the_driver(
    architecture: str, mlc_arch: str, driver: str, chosen: str, reason: str
) -> None:
    found = select("pytorch", architecture=architecture, mlc_arch=mlc_arch, driver=driver)
    assert found.architecture == chosen
    assert chosen in found.framework.architectures
    assert found.reason == reason
    assert found.reference == found.framework.image


def test_the_latest_is_that_of_the_architecture() -> None:
    found = select("pytorch", mlc_arch="", driver="580.65.06")
    assert found.reference == "aimehub/pytorch-2.8.0-aime-cuda12.6.3"
    assert select("pytorch", mlc_arch="ROCM6", driver="").framework.version == "2.6.0"


@pytest.mark.parametrize("name", ["jax", "pytorch-cpu"])
def test_frameworks_that_aime_lacks_are_entries_of_their_own(name: str) -> None:
    found = select(name, mlc_arch="", driver="")
    assert image_reference(found.reference) == found.reference
    assert found.framework.name.lower() == name


def test_an_image_for_every_architecture_is_taken_on_any() -> None:
    found = select("pytorch-cpu", mlc_arch="ROCM6", driver="470.10.01")
    assert found.architecture == ""
    assert found.reason == "for every architecture"
    assert found.warnings == (f"{found.reference}: {found.framework.note}",)


def test_a_driver_that_is_too_old_is_told_with_the_one_that_is_needed() -> None:
    found = select(
        "pytorch", "2.7.1", architecture="CUDA_BLACKWELL", mlc_arch="", driver="535.54.03"
    )
    assert found.warnings == (
        "aimehub/pytorch-2.7.1-cuda12.8.0 needs driver 570.86.10, and this one is 535.54.03",
    )
    for enough in ("570.86.10", "570.124.06", "580.1.1", ""):
        fine = select("pytorch", "2.7.1", architecture="CUDA_BLACKWELL", mlc_arch="", driver=enough)
        assert not fine.warnings
    rocm = select("pytorch", "2.6.0", architecture="ROCM6", mlc_arch="", driver="6.3.6")
    assert rocm.warnings == (
        "aimehub/pytorch-2.6.0-rocm6.2 needs driver 6.10.5, and this one is 6.3.6",
    )


def test_nothing_is_said_of_images_whose_driver_is_not_documented() -> None:
    found = select("tensorflow", "2.16.1", architecture="CUDA_ADA", mlc_arch="", driver="470.1.1")
    assert not found.warnings


def test_a_driver_of_the_other_vendor_is_told() -> None:
    found = select("pytorch", "2.6.0", architecture="ROCM6", mlc_arch="", driver="550.54.15")
    assert found.warnings == (
        "aimehub/pytorch-2.6.0-rocm6.2 is for ROCM6, but driver 550.54.15 is of NVIDIA",
    )


@pytest.mark.parametrize("driver", ["x", "535", "1" * 9, "5\x1b[31m.1", "535.1/../2", "\uff15.1"])
def test_a_driver_that_cannot_be_read_is_none_and_is_told(driver: str) -> None:
    found = select("pytorch", mlc_arch="", driver=driver)
    assert found.reason == "for CUDA_AMPERE, since no driver was found"
    assert found.warnings == (f"the driver's version {driver!r} cannot be read",)


def test_every_documented_driver_belongs_to_an_image() -> None:
    known = {(e.name, e.version, one) for e in frameworks() for one in e.architectures}
    for row in rows("drivers.csv"):
        assert (row["framework"], row["version"], row["arch"]) in known
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", row["driver"])


@pytest.mark.parametrize(
    ("name", "version", "mlc_arch", "message", "hint"),
    [
        (
            *("pytorch", "2.9.1", ""),
            (
                "the catalogue has no Pytorch image for CUDA_AMPERE of version '2.9.1'; "
                "there are 2.7.1-aime, 2.7.1, 2.7.0-aime, 2.7.0, 2.6.0, 2.5.1, 2.5.0, 2.4.0 "
                "and 23 more; did you mean '2.7.1'?"
            ),
            HINT.format("CUDA_BLACKWELL", "pytorch"),
        ),
        (
            *("rocm", LATEST, ""),
            ("the catalogue has no ROCM image for the architecture 'CUDA_AMPERE'; there are ROCM5"),
            HINT.format("ROCM5", "rocm"),
        ),
        (
            *("pytorch", LATEST, "AMPERE"),
            (
                "MLC_ARCH is 'AMPERE', but the catalogue's architectures are CUDA_BLACKWELL, "
                "CUDA_ADA, CUDA_AMPERE, ROCM6, ROCM5, CUDA; did you mean 'CUDA_AMPERE'?"
            ),
            "unset MLC_ARCH",
        ),
        (
            *("custom", LATEST, ""),
            "a custom base is an image of your own",
            'name an image instead of a framework: image = "python:3.12-slim" in [base]',
        ),
        (
            *("torch7", LATEST, ""),
            (
                "the catalogue has no framework 'torch7'; there are pytorch, tensorflow, rocm, "
                "mxnet, jax, pytorch-cpu; did you mean 'pytorch'?"
            ),
            f"{OWN}; ds01 catalogue list",
        ),
    ],
)
def test_what_there_is_not_is_told_with_what_to_write(
    name: str, version: str, mlc_arch: str, message: str, hint: str
) -> None:
    with pytest.raises(Ds01Error) as caught:
        select(name, version, mlc_arch=mlc_arch, driver="")
    assert str(caught.value) == message
    assert caught.value.hint == hint


@pytest.mark.parametrize("name", sorted({each.name.lower() for each in frameworks()}))
@pytest.mark.parametrize("mlc_arch", ["", "CUDA_BLACKWELL", "CUDA_ADA", "CUDA", "ROCM6", "ROCM5"])
def test_what_to_take_instead_is_there(name: str, mlc_arch: str) -> None:
    versions = {each.version for each in frameworks() if each.name.lower() == name}
    for version in (LATEST, "9.9", "2.9", *versions):
        with contextlib.suppress(NotInCatalogue):
            select(name, version, mlc_arch=mlc_arch, driver="")
            continue
        with pytest.raises(NotInCatalogue) as caught:
            select(name, version, mlc_arch=mlc_arch, driver="")
        instead, architecture = caught.value.version or version, caught.value.architecture
        select(name, instead, architecture=architecture, mlc_arch=mlc_arch, driver="")
    with pytest.raises(NotInCatalogue) as caught:  # as in a recipe without an arch
        find_framework(name, "9.9")
    instead, architecture = caught.value.version, caught.value.architecture
    select(name, instead, architecture=architecture, mlc_arch=mlc_arch, driver="")


def test_a_recipe_says_what_to_write_instead_of_custom() -> None:
    with pytest.raises(RecipeError) as caught:
        parse('schema = 1\nname = "a"\n[base]\nframework = "custom"\n', source="a.toml")
    assert str(caught.value) == (
        "a.toml: base: a custom base is an image of your own (name an image instead of a "
        'framework: image = "python:3.12-slim" in [base])'
    )
