from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement

from ds01build.catalogue import (
    LATEST,
    Framework,
    bundle,
    bundles,
    find_framework,
    frameworks,
)
from ds01build.catalogue.images import latest
from ds01build.catalogue.packages import read
from ds01build.errors import Ds01Error, RecipeError
from ds01build.grammar import image_reference

ARCHITECTURES = {"CUDA_BLACKWELL", "CUDA_ADA", "CUDA_AMPERE", "CUDA", "ROCM6", "ROCM5"}


def test_the_bundles_are_in_the_order_of_their_rank() -> None:
    assert list(bundles()) == [
        *("system", "jupyter", "data-science", "ml", "cv"),
        *("nlp", "rl", "audio", "ts", "llm"),
    ]
    assert [each.rank for each in bundles().values()] == list(range(10))


def test_every_bundle_is_complete_and_names_nothing_twice() -> None:
    for name, each in bundles().items():
        assert each.name == name
        assert each.title
        assert each.packages
        assert len(each.packages) == len(set(each.packages))
        assert not set(each.exclude) & set(each.packages)


def test_no_package_is_in_two_bundles() -> None:
    packages = [package for each in bundles().values() for package in each.packages]
    assert len(packages) == len(set(packages))


def test_the_bundles_leave_versions_to_the_lock() -> None:
    packages = [p for each in bundles().values() if each.kind == "python" for p in each.packages]
    assert all(str(Requirement(package)) == Requirement(package).name for package in packages)


def test_the_cv_bundle_has_one_cv2() -> None:
    cv = bundle("cv")
    assert "opencv-python-headless" in cv.packages
    # The one that asks for the other cv2 gives way to the same files under another name.
    assert "ultralytics-opencv-headless" in cv.packages
    assert cv.exclude == ("opencv-python", "ultralytics")


def test_an_unknown_bundle_gets_a_suggestion_or_the_list() -> None:
    with pytest.raises(Ds01Error) as caught:
        bundle("jupiter")
    assert str(caught.value) == "no bundle is called 'jupiter'; did you mean 'jupyter'?"
    with pytest.raises(Ds01Error) as caught:
        bundle("\n")
    assert str(caught.value) == (
        r"no bundle is called '\n'; there are system, jupyter, data-science, ml, cv, nlp, rl, "
        "audio, ts, llm"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('kind = "pip"', "a.kind: 'pip' is not apt or python"),
        ('packages = ["A B"]', "a.packages[0]: 'A B' is not a requirement, such as pandas>=2.2"),
        ("rank = true", "a.rank: expected an integer, found a boolean"),
        ('tilte = "x"', "a.tilte: unknown key; did you mean 'title'?"),
        ('exclude = ["a b"]', "a.exclude[0]: 'a b' is not the name of a Python package"),
    ],
)
def test_a_wrong_table_of_bundles_is_refused(line: str, problem: str) -> None:
    lines = ['kind = "python"', "rank = 1", 'title = "A"', 'packages = ["x"]']
    kept = [each for each in lines if each.split()[0] != line.split(maxsplit=1)[0]]
    with pytest.raises(RecipeError) as caught:
        read("\n".join(["[a]", *kept, line]))
    assert [str(issue) for issue in caught.value.issues] == [problem]


def test_two_bundles_cannot_have_one_rank() -> None:
    one = 'kind = "apt"\nrank = 1\ntitle = "A"\npackages = ["git"]\n'
    with pytest.raises(RecipeError, match="two bundles have the same rank"):
        read(f"[a]\n{one}[b]\n{one}")


def test_every_row_of_the_catalogue_is_well_formed() -> None:
    rows = [
        each for each in frameworks() if each.name in {"Pytorch", "Tensorflow", "Mxnet", "ROCM"}
    ]
    assert len(rows) == 117
    for each in rows:
        assert re.fullmatch(r"Pytorch|Tensorflow|Mxnet|ROCM", each.name)
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+a?(-(aime|nvidia|jlab|amd))?", each.version)
        assert each.architectures
        assert set(each.architectures) <= ARCHITECTURES
        assert image_reference(each.image) == each.image


def test_a_row_for_several_architectures_fits_each_of_them() -> None:
    assert sum(len(each.architectures) for each in frameworks() if each.name != "JAX") == 129
    for architecture in ("CUDA_ADA", "CUDA_AMPERE"):
        found = find_framework("tensorflow", "2.14.0", architecture)
        assert found.image == "aimehub/tensorflow-2.14.0-cuda11.8"


@pytest.mark.parametrize(
    ("name", "architecture", "version"),
    [
        ("pytorch", "CUDA_BLACKWELL", "2.9.1"),
        ("pytorch", "CUDA_ADA", "2.8.0-aime"),
        ("pytorch", "CUDA_AMPERE", "2.7.1-aime"),
        ("pytorch", "CUDA", "1.7.0"),
        ("pytorch", "ROCM6", "2.6.0"),
        ("pytorch", "ROCM5", "2.2.0"),
        ("tensorflow", "CUDA_ADA", "2.16.1"),
        ("tensorflow", "CUDA_AMPERE", "2.14.0"),
        ("tensorflow", "CUDA", "2.4.0"),
        ("tensorflow", "ROCM6", "2.13.1"),
        ("tensorflow", "ROCM5", "2.11.0"),
        ("mxnet", "CUDA_AMPERE", "1.8.0-nvidia"),
        ("mxnet", "CUDA", "1.6.0"),
        ("rocm", "ROCM5", "5.4.2"),
        ("pytorch", "", "2.9.1"),
        ("jax", "CUDA_AMPERE", "23.10"),
        ("pytorch-cpu", "CUDA_AMPERE", "2.5.1"),
    ],
)
def test_latest_is_the_highest_release(name: str, architecture: str, version: str) -> None:
    assert find_framework(name, LATEST, architecture).version == version


def test_latest_is_the_first_variant_of_the_highest_final_release() -> None:
    early, low, variant, plain = (
        Framework(name="X", version=version, architectures=("A",), image=f"x:{version}")
        for version in ("3.0.0a-nvidia", "2.9.0-aime", "2.10.0-aime", "2.10.0")
    )
    assert latest([early, low, variant, plain]) == variant
    assert latest([early, low, plain, variant]) == plain
    assert latest([early]) == early


def test_of_two_images_for_one_version_the_first_is_meant() -> None:
    found = find_framework("tensorflow", "1.15.4-nvidia", "CUDA_AMPERE")
    assert found.image == "aimehub/tensorflow-1.15.4-nvidia"


def test_the_letter_case_of_a_framework_does_not_matter() -> None:
    assert find_framework("PyTorch", "2.8.0", "CUDA_ADA") == find_framework(
        "pytorch", "2.8.0", "CUDA_ADA"
    )


@pytest.mark.parametrize(
    ("name", "version", "architecture", "message"),
    [
        (
            "pytorhc",
            LATEST,
            "",
            (
                "the catalogue has no framework 'pytorhc'; there are pytorch, tensorflow, rocm, "
                "mxnet, jax, pytorch-cpu; did you mean 'pytorch'?"
            ),
        ),
        (
            "mxnet",
            LATEST,
            "CUDA_AMPER",
            (
                "the catalogue has no Mxnet image for the architecture 'CUDA_AMPER'; "
                "there are CUDA_AMPERE, CUDA; did you mean 'CUDA_AMPERE'?"
            ),
        ),
        (
            "pytorch",
            "2.9.0",
            "CUDA_BLACKWELL",
            (
                "the catalogue has no Pytorch image for CUDA_BLACKWELL of version '2.9.0'; "
                "there are 2.9.1, 2.8.0-aime, 2.8.0, 2.7.1-aime, 2.7.1, 2.7.0-aime, 2.7.0; "
                "did you mean '2.9.1'?"
            ),
        ),
        (
            "tensorflow",
            "x",
            "",
            (
                "the catalogue has no Tensorflow image of version 'x'; there are 2.16.1, 2.15.0, "
                "2.14.0, 2.13.1-aime, 2.13.1, 2.13.0, 2.12.0, 2.11.0-nvidia and 25 more"
            ),
        ),
    ],
)
def test_what_the_catalogue_lacks_is_told_with_what_it_has(
    name: str, version: str, architecture: str, message: str
) -> None:
    with pytest.raises(Ds01Error) as caught:
        find_framework(name, version, architecture)
    assert str(caught.value) == message
