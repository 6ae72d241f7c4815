from __future__ import annotations

from dataclasses import replace

import pytest
from bases import DIST, debian, distribution, facts
from values import wheel_pin

from ds01build.base.lint import Finding, lint, require_sound
from ds01build.catalogue import bundles, rivals
from ds01build.errors import ResolveError


def test_two_wheels_that_write_the_same_modules_are_an_error() -> None:
    wheels = [wheel_pin("opencv-python", version="4.11"), wheel_pin("opencv-python-headless")]
    assert lint(wheels) == (
        Finding(
            problem="opencv-python==4.11 and opencv-python-headless==1.0 both write cv2/",
            hint='keep one of them, for instance with exclude = ["opencv-python"] under [resolve]',
            is_error=True,
        ),
    )


def test_a_wheel_beside_its_rival_in_the_directory_of_tiers_is_an_error() -> None:
    base = facts(distribution("tensorflow", "2.19.0"))
    assert lint([wheel_pin("tensorflow-cpu", version="2.19.1")], base) == (
        Finding(
            problem="tensorflow-cpu==2.19.1 and tensorflow 2.19.0 of the base both write "
            "tensorflow/",
            hint='keep one of them, for instance with exclude = ["tensorflow-cpu"] under [resolve]',
            is_error=True,
        ),
    )


def test_a_wheel_over_its_rival_in_another_directory_is_a_warning() -> None:
    base = facts(debian("opencv-python", "4.6.0"))
    found = lint([wheel_pin("opencv-python-headless")], base)
    assert [finding.is_error for finding in found] == [False]


def test_rivals_within_the_base_are_its_own_business() -> None:
    base = facts(distribution("opencv-python", "4"), distribution("opencv-python-headless", "4"))
    assert lint([wheel_pin("numpy")], base) == ()


def test_one_name_is_no_rival_of_itself() -> None:
    base = facts(distribution("opencv-python", "4.9"))
    assert lint([wheel_pin("opencv-python", version="4.11")], base) == ()


CUDA = [
    wheel_pin("torch", version="2.9.0"),
    wheel_pin("nvidia-cublas-cu12", size=400_000_000),
    wheel_pin("nvidia-cudnn-cu12", size=600_000_000),
    wheel_pin("triton"),
]
CUDA[0] = replace(CUDA[0], requires=("nvidia-cublas-cu12", "nvidia-cudnn-cu12", "triton"))


def test_cuda_in_wheels_over_a_base_that_has_it_is_a_warning_with_who_needs_it() -> None:
    assert lint(CUDA, facts(cuda="12.6.3")) == (
        Finding(
            problem="2 wheels bring 1000 MB of CUDA over a base that has CUDA 12.6.3 "
            "(nvidia-cublas-cu12, nvidia-cudnn-cu12, needed by torch)",
            hint="leave out what needs them, or ask for a version that fits what the base has",
        ),
    )
    (found,) = lint(CUDA, facts(distribution("nvidia-nccl-cu12", "2.27.3")))
    assert "a base that has CUDA in wheels" in found.problem


def test_cuda_in_wheels_is_fine_where_the_base_has_none() -> None:
    assert lint(CUDA, facts(distribution("numpy", "2.2.6"))) == ()
    assert lint(CUDA) == ()


def test_two_torches_are_a_warning() -> None:
    old = distribution("torch", "2.7.0", directory=DIST)
    assert lint([wheel_pin("torch", version="2.9.0")], facts(old)) == (
        Finding(
            problem=f"torch==2.9.0 comes on top of torch 2.7.0 in {DIST} of the base, which stays "
            "there unused"
        ),
    )
    (found,) = lint([], facts(old, distribution("torch", "2.8.0")))
    assert found.problem.startswith("the base has torch twice: ")


def test_a_torch_that_takes_the_place_of_the_bases_is_no_second_one() -> None:
    base = facts(distribution("torch", "2.8.0"))
    assert lint([wheel_pin("torch", version="2.9.0")], base) == ()


def test_a_wheel_of_the_version_that_a_deb_has_is_a_warning_by_name() -> None:
    base = facts(
        debian("idna", "3.3"),
        debian("six", "1.16"),
        debian("urllib3", "1.26.12"),
        distribution("certifi", "2022.9.24", directory=DIST),
        debian("odd", "1.0-odd"),
    )
    wheels = [
        wheel_pin(name, version=version)
        for name, version in (
            ("certifi", "2022.9.24"),
            ("idna", "3.3.0"),
            ("odd", "1.0"),
            ("six", "1.17"),
            ("urllib3", "1.26.12"),
        )
    ]
    assert lint(wheels, base) == (
        Finding(
            problem="idna==3.3.0, urllib3==1.26.12 from an index: over python3-idna, "
            "python3-urllib3 of the base at the same version, and without the patches of its "
            'distribution; exclude = ["idna", "urllib3"] under [resolve] keeps the base\'s'
        ),
    )


def test_no_name_has_two_kinds_of_rivals() -> None:
    names = [name for each in rivals() for name in each.names]
    assert len(names) == len(set(names))
    assert all(len(each.names) > 1 and each.modules for each in rivals())


def test_a_bundle_says_how_rivals_among_its_packages_end() -> None:
    for each in bundles().values():
        for group in rivals():
            assert len([name for name in each.packages if name in group.names]) < 2
    assert "opencv-python" in bundles()["cv"].exclude


def test_warnings_are_returned_and_errors_raised_all_at_once() -> None:
    base = facts(debian("faiss-gpu", "1.7"), cuda="12.6")
    assert require_sound([wheel_pin("faiss-cpu")], base) == (
        "faiss-cpu==1.0 and faiss-gpu 1.7 of the base both write faiss/",
    )
    wheels = ["faiss-cpu", "opencv-python", "opencv-python-headless", "faiss-gpu"]
    with pytest.raises(ResolveError) as caught:
        require_sound([wheel_pin(name) for name in wheels], base)
    assert str(caught.value) == (
        "opencv-python==1.0 and opencv-python-headless==1.0 both write cv2/; "
        "faiss-cpu==1.0 and faiss-gpu==1.0 both write faiss/"
    )
    assert caught.value.hint.endswith('exclude = ["opencv-python"] under [resolve]')
