"""What of a base is held, preferred and free to change: rules over its facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bases import DIST, SITE, debian, distribution, facts
from hypothesis import given
from hypothesis import strategies as st

from ds01build.base.holding import Holding, hold, is_accelerator, is_framework
from ds01build.errors import ResolveError


def test_what_lies_where_tiers_install_to_is_held_and_what_debs_brought_is_preferred() -> None:
    found = hold(facts(distribution("numpy", "2.2.6"), debian("requests", "2.28.1")))
    assert [str(each) for each in found.held] == ["numpy 2.2.6"]
    assert [str(each) for each in found.preferred] == ["requests 2.28.1"]


@pytest.mark.parametrize(
    "name",
    ["torch", "torchvision", "jaxlib", "tensorflow-cpu", "nvidia-cublas-cu12", "pytorch-triton"],
)
def test_a_framework_is_held_wherever_it_lies(name: str) -> None:
    found = hold(facts(distribution(name, "1.0", directory=DIST)))
    assert [each.name for each in found.held] == [name]


@pytest.mark.parametrize(
    "name", ["jaxtyping", "tensorflow-datasets", "torchmetrics", "nvidia-ml-py"]
)
def test_what_is_only_named_like_a_framework_is_none(name: str) -> None:
    assert not is_framework(name)
    assert not is_accelerator(name)


def test_the_first_directory_that_python_looks_into_counts() -> None:
    base = facts(debian("numpy", "1.24.2"), distribution("numpy", "2.2.6"))
    assert [str(each) for each in hold(base).held] == ["numpy 2.2.6"]
    assert base.interpreter is not None
    other = replace(base.interpreter, directories=(DIST, SITE))
    assert hold(replace(base, interpreter=other)).held == ()


def test_markers_are_those_of_the_base_and_not_of_this_machine() -> None:
    torch = distribution(
        "torch",
        "2.8.0",
        "one; platform_machine == 'aarch64' and python_version < '3.12'",
        "two; platform_machine == 'x86_64'",
        "three; sys_platform == 'win32'",
    )
    base = replace(facts(torch), architecture="arm64")
    assert [str(demand.need) for demand in hold(base).unmet] == ["one"]


def test_a_requirement_with_a_url_is_met_by_any_version() -> None:
    torch = distribution("torch", "2.8.0", "numpy @ https://example.org/numpy-9-py3-none-any.whl")
    found = hold(facts(torch, debian("numpy", "1.0")))
    assert [str(demand.need) for demand in found.demands] == ["numpy"]


def test_a_build_of_a_release_meets_what_asks_for_the_release() -> None:
    base = facts(distribution("torch", "2.8.0+cu126"), distribution("tv", "1", "torch==2.8.0"))
    assert hold(base).unmet == ()


def test_with_torch_goes_what_only_torch_needs_of_cuda() -> None:
    base = facts(
        distribution("torch", "2.8.0", "nvidia-nccl-cu12", "triton", "nvidia-cublas-cu12", "numpy"),
        distribution("nvidia-cublas-cu12", "12.8"),
        distribution("nvidia-nccl-cu12", "2.27"),
        distribution("triton", "3.4.0"),
        distribution("cupy", "13", "nvidia-nccl-cu12"),
        distribution("numpy", "2.2.6"),
    )
    found = hold(base, ["torch"])
    assert [each.name for each in found.movable] == ["nvidia-cublas-cu12", "torch", "triton"]
    assert [str(each.need) for each in found.demands] == []
    assert [str(need) for each in found.movable for need in each.needs] == [
        "nvidia-cublas-cu12",
        "triton",
    ]


@pytest.mark.parametrize(
    ("owner", "problem"),
    [
        ("python3-torch", f"it belongs to the .deb python3-torch, and lies in {SITE}"),
        ("", f"it has no RECORD of its files in {SITE}"),
    ],
)
def test_what_cannot_make_way_is_not_allowed_to_change(owner: str, problem: str) -> None:
    base = facts(distribution("torch", "2.8.0", owner=owner, owns=()))
    with pytest.raises(ResolveError) as caught:
        hold(base, ["torch"])
    assert str(caught.value) == (
        f"the base's torch 2.8.0 cannot be changed: {problem}, where tiers install to"
    )
    assert caught.value.hint == 'take "torch" out of allow-base-change under [resolve]'


def test_what_is_shadowed_needs_no_whiteout() -> None:
    base = facts(distribution("torch", "2.8.0", directory=DIST, owner="python3-torch", owns=()))
    found = hold(base, ["torch"])
    assert [each.name for each in found.movable] == ["torch"]
    assert found.replaced(["torch"]) == ()


def test_a_name_that_the_base_does_not_have_is_told_with_what_may_be_meant() -> None:
    found = hold(facts(distribution("torch", "2.8.0")), ["torhc"])
    assert found.warnings() == (
        "allow-base-change: the base has no 'torhc'; did you mean 'torch'?",
    )


HOSTILE = st.text(max_size=30) | st.sampled_from(
    ["x @ file:///etc/passwd", "x\n[[index]]", "x; extra == 'a\"'", "x[a\n]>=1", "-r /etc/passwd"]
)


@given(HOSTILE, HOSTILE, st.lists(HOSTILE, max_size=4), st.lists(HOSTILE, max_size=4))
def test_whatever_a_base_says_of_itself_cannot_reach_beyond_a_line(
    name: str, version: str, requires: list[str], extras: list[str]
) -> None:
    base = facts(
        distribution(name, version, *requires, extras=extras),
        distribution("torch", "2.8.0", *requires, extras=extras),
    )
    found = hold(base)
    texts = [
        text
        for each in (*found.held, *found.movable, *found.preferred)
        for text in (each.name, each.version, *map(str, each.needs), *each.extras)
    ]
    assert all(text.isprintable() and text.isascii() and "/" not in text for text in texts)
    assert all("://" not in text for text in texts)


NAMES = ["numpy", "torch", "scipy", "nvidia-nccl-cu12"]
DISTRIBUTIONS = st.builds(
    lambda name, version, directory, requires: distribution(
        name, version, *requires, directory=directory
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["1.0", "2.0", "2.0+cu1", "odd-version"]),
    st.sampled_from([SITE, DIST]),
    st.lists(st.sampled_from(["numpy>=2", "torch==2.0", "scipy", "absent"]), max_size=3),
)


@given(st.lists(DISTRIBUTIONS, max_size=6), st.sets(st.sampled_from(NAMES)))
def test_everything_importable_has_one_place(
    distributions: list[object], allowed: set[str]
) -> None:
    base = replace(facts(), distributions=tuple(distributions))  # type: ignore[arg-type]
    found = hold(base, allowed)
    places = [each.name for each in (*found.held, *found.movable, *found.preferred)]
    places += [each.name for each in found.unreadable]
    assert sorted(places) == sorted({each.name for each in base.distributions})
    assert not {each.name for each in found.held} & allowed
    assert bool(found) == bool(distributions)


def test_a_base_without_python_holds_nothing() -> None:
    assert hold(replace(facts(), interpreter=None)) == Holding()
