"""Resolving over a base: what it has stays, is not locked again, and says why it is in the way."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bases import debian, distribution, facts
from servers import serving
from uv import find_uv_bin
from values import wheel_pin
from world import Index, metadata_of, wheel_of

from ds01build.base.holding import hold
from ds01build.errors import Ds01Error, ResolveError
from ds01build.platform import Platform
from ds01build.resolve import python, uv
from ds01build.resolve.request import PythonRequest, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.base.facts import BaseFacts
    from ds01build.pin import WheelPin

PLATFORM = Platform(python="3.11.9", glibc=(2, 36), machine="x86_64")
NUMBERS = count(1)
BASE = facts(
    distribution("torch", "2.8.0+cu126", "numpy", "sympy>=1", extras=["opt"]),
    distribution("numpy", "2.2.6"),
    distribution("sympy", "1.14"),
)


@dataclass(frozen=True)
class Resolver:
    """uv over an index of the test's own, which may have more indexes beside it."""

    index: Index
    root: Path
    more: list[Index] = field(default_factory=list)

    def __call__(
        self,
        base: BaseFacts,
        *requests: str,
        allow: str = "",
        keep: Mapping[str, WheelPin] | None = None,
        exclude: tuple[str, ...] = (),
        overrides: tuple[str, ...] = (),
        prerelease: str = "",
        settled: tuple[WheelPin, ...] = (),
    ) -> python.Resolution:
        """Resolve over ``base``, each of ``requests`` in a tier of its own: tier0, tier1, ..."""
        tiers = enumerate(requests)
        wanted = Wanted(
            requests=tuple(
                PythonRequest(tier=f"tier{n}", requirements=tuple(r.split())) for n, r in tiers
            ),
            platform=PLATFORM,
            exclude=exclude,
            overrides=overrides,
            prerelease=prerelease,
            holding=hold(base, allow.split()),
            settled=settled,
        )
        directory = self.root / str(next(NUMBERS))
        directory.mkdir()
        return python.resolve(wanted, keep or {}, self.tool(), uv.Workspace(directory))

    def tool(self) -> uv.Uv:
        own = [("default", self.index), *((f"more{n}", i) for n, i in enumerate(self.more))]
        return uv.Uv(
            program=Path(find_uv_bin()),
            interpreter=Path(sys.executable),
            environment={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "UV_CACHE_DIR": str(self.root / "cache"),
            },
            indexes=tuple(uv.Index(alias=a, url=i.url, secret_url=i.url) for a, i in own),
        )

    def refuses(self, base: BaseFacts, *requests: str, allow: str = "") -> Ds01Error:
        with pytest.raises(ResolveError) as caught:
            self(base, *requests, allow=allow)
        return caught.value


@pytest.fixture
def resolve(tmp_path: Path) -> Iterator[Resolver]:
    with serving() as server:
        index = Index(server, "/index")
        # A wheel for one platform is better than one for any: uv reads its metadata.
        needs = ["numpy", "nvidia-cublas==12.6", "sympy"]
        file = "torch-2.8.0-cp311-cp311-manylinux_2_28_x86_64.whl"
        index.add(file, wheel_of("torch", "2.8.0"), metadata_of("torch-2.8.0", needs))
        index.offer("torch", "2.9.0", requires=["numpy", "nvidia-cublas", "sympy"])
        index.offer("nvidia-cublas", "12.6")
        index.offer("sympy", "1.15")
        index.offer("numpy", "2.2.6")
        index.offer("numpy", "2.4.0")
        index.offer("vision", requires=["torch", "numpy>=2", "colour"])
        index.offer("colour", requires=["numpy"])
        yield Resolver(index, tmp_path)


def names(resolution: python.Resolution) -> list[str]:
    return [str(located.pin) for located in resolution.located]


@pytest.mark.parametrize("version", ["2.8.0+cu126", "2.8.0", "2.8.0a0+git1234", "2.7.0"])
def test_what_the_base_has_is_neither_locked_nor_is_what_it_needs(
    resolve: Resolver, version: str
) -> None:
    torch = distribution("torch", version, "numpy", "nvidia-cublas==12.4")
    base = facts(torch, distribution("numpy", "2.2.6"), distribution("nvidia-cublas", "12.4"))
    found = resolve(base, "vision torch")
    assert names(found) == ["colour==1.0", "vision==1.0"]
    assert [located.pin.requires for located in found.located] == [(), ("colour",)]
    assert found.warnings == ()


def test_a_base_that_has_everything_leaves_nothing_to_lock(resolve: Resolver) -> None:
    assert resolve(BASE, "torch numpy").located == ()


def test_a_build_of_the_held_release_from_an_index_does_not_take_its_place(
    resolve: Resolver,
) -> None:
    for build in ("cpu", "rocm"):
        resolve.index.offer("torch", f"2.8.0+{build}", requires=["zebra==1.0"])
    for version in ("1.0", "2.0"):
        resolve.index.offer("zebra", version)
    base = facts(distribution("torch", "2.8.0"))
    assert names(resolve(base, "torch zebra")) == ["zebra==2.0"]


def test_what_a_held_package_needs_of_a_shadowable_one_binds_whoever_brings_it(
    resolve: Resolver,
) -> None:
    base = facts(
        distribution("torch", "2.8.0", "numpy<2.3"), debian("numpy", "2.1"), debian("sympy", "1")
    )
    assert names(resolve(base, "colour")) == ["colour==1.0", "numpy==2.2.6"]
    assert names(resolve(base, "torch")) == []


def test_a_newer_package_goes_over_one_of_a_deb(resolve: Resolver) -> None:
    base = facts(debian("numpy", "1.24.2"), debian("colour", "0.5"))
    assert names(resolve(base, "vision", exclude=("torch",))) == [
        "colour==1.0",
        "numpy==2.4.0",
        "vision==1.0",
    ]


def test_the_version_that_the_base_has_is_preferred_for_what_nobody_asked_for(
    resolve: Resolver,
) -> None:
    base = facts(debian("numpy", "2.2.6"))
    assert names(resolve(base, "colour")) == ["colour==1.0", "numpy==2.2.6"]
    assert names(resolve(base, "colour numpy")) == ["colour==1.0", "numpy==2.4.0"]


def test_a_locked_version_is_preferred_to_the_one_of_the_base(resolve: Resolver) -> None:
    resolve.index.offer("numpy", "2.3.0")
    keep = {"numpy": wheel_pin("numpy", version="2.3.0", tier="tier1")}
    found = resolve(facts(debian("numpy", "2.2.6")), "colour", "colour", keep=keep)
    assert names(found) == ["colour==1.0", "numpy==2.3.0"]
    assert [located.pin.tier for located in found.located] == ["tier0", "tier1"]


def test_a_locked_wheel_that_the_base_has_now_is_locked_no_more(resolve: Resolver) -> None:
    keep = {"numpy": wheel_pin("numpy", version="2.4.0", tier="tier0")}
    assert names(resolve(BASE, "colour", keep=keep)) == ["colour==1.0"]


def test_what_an_extra_of_a_held_package_adds_is_locked(resolve: Resolver) -> None:
    resolve.index.offer("opt-einsum", requires=["numpy"])
    torch = distribution(
        "torch",
        "2.8.0",
        "sympy",
        "opt-einsum; extra == 'opt'",
        "gone; extra == 'no'",
        extras=["opt", "no"],
    )
    base = facts(torch, distribution("numpy", "2.2.6"), distribution("sympy", "1"))
    found = resolve(base, "torch[opt]")
    assert names(found) == ["opt-einsum==1.0"]
    assert found.located[0].pin.tier == "tier0"


def test_an_extra_of_a_held_package_that_asks_for_others_of_its_own_adds_theirs(
    resolve: Resolver,
) -> None:
    needs = ("opt-einsum; extra == 'some'", "torch[some]; extra == 'all'")
    base = facts(distribution("torch", "2.8.0", *needs, extras=["all", "some"]))
    resolve.index.offer("opt-einsum")
    assert names(resolve(base, "torch[all]")) == ["opt-einsum==1.0"]


def test_an_extra_that_a_held_package_does_not_have_is_an_error(resolve: Resolver) -> None:
    error = resolve.refuses(BASE, "colour", "torch[opt,nope]")
    assert str(error) == (
        "torch 2.8.0+cu126 of the base does not have an extra 'nope' "
        "(tier tier1 asks for torch[opt,nope])"
    )


def test_an_extra_that_a_package_asks_for_in_vain_names_the_package(resolve: Resolver) -> None:
    resolve.index.offer("fancy", requires=["torch[nope]"])
    error = resolve.refuses(BASE, "fancy")
    assert str(error) == (
        "torch 2.8.0+cu126 of the base does not have an extra 'nope' (needed by fancy)"
    )


def test_a_recipe_that_cannot_hold_torch_names_both_requirers(resolve: Resolver) -> None:
    resolve.index.offer("modern", requires=["torch>=2.9"])
    error = resolve.refuses(BASE, "colour", "modern")
    assert str(error) == (
        "the base holds torch 2.8.0+cu126; tier tier1 asks for modern: "
        "Because all versions of modern depend on torch>=2.9 and the base's torch==2.8.0+cu126, "
        "we can conclude that all versions of modern cannot be used. And because you require "
        "modern, we can conclude that your requirements are unsatisfiable."
    )
    assert error.hint == 'to let tiers change it: allow-base-change = ["torch"] under [resolve]'


def test_the_way_out_of_a_conflict_works(resolve: Resolver) -> None:
    resolve.index.offer("modern", requires=["torch>=2.9"])
    found = resolve(BASE, "modern", allow="torch")
    assert names(found) == ["modern==1.0", "nvidia-cublas==12.6", "torch==2.9.0"]
    replaced = hold(BASE, ["torch"]).replaced(located.pin.name for located in found.located)
    assert [str(each.name) for each in replaced] == ["torch"]


def test_what_may_change_stays_where_nothing_asks_for_another(resolve: Resolver) -> None:
    base = facts(
        distribution("torch", "2.8.0+cu126", "numpy", "sympy"),
        distribution("numpy", "2.2.6"),
        debian("sympy", "1.15"),
    )
    assert names(resolve(base, "vision", allow="torch")) == ["colour==1.0", "vision==1.0"]


def test_a_package_that_a_hold_keeps_far_behind_is_named_with_the_hold(resolve: Resolver) -> None:
    resolve.index.offer("framed", "1.4", requires=["torch<2.9"])
    resolve.index.offer("framed", "2.0", requires=["torch>=2.9"])
    found = resolve(BASE, "framed colour")
    assert names(found) == ["colour==1.0", "framed==1.4"]
    assert found.warnings == (
        "framed 1.4 is far behind 2.0, because the base holds torch 2.8.0+cu126",
    )
    keep = {"framed": wheel_pin("framed", version="1.4", tier="tier0")}
    assert resolve(BASE, "framed colour", keep=keep).warnings == ()  # it was told once


def test_the_file_of_a_settled_pin_stays_where_its_version_does(resolve: Resolver) -> None:
    resolve.index.offer("framed", "1.4", requires=["torch<2.9"])
    mine = wheel_pin("framed", version="1.4", tier="old", content="mine")
    gone = wheel_pin("colour", version="0.9", content="gone")
    found = resolve(BASE, "framed colour", keep={"framed": mine}, settled=(mine, gone))
    assert names(found) == ["colour==1.0", "framed==1.4"]
    colour, framed = found.located
    assert (framed.pin, framed.url) == (replace(mine, tier="tier0"), "")
    assert colour.url
    assert colour.pin.digest != gone.digest


def test_a_package_that_something_else_keeps_behind_is_no_warning(resolve: Resolver) -> None:
    resolve.index.offer("framed", "1.4", requires=["sympy"])
    resolve.index.offer("framed", "2.0", requires=["sympy", "colour>=2"])
    resolve.index.offer("colour", "2.0")
    resolve.index.offer("frame-user", requires=["framed<2"])
    assert resolve(BASE, "framed frame-user").warnings == ()


def test_two_years_are_far_behind_too(resolve: Resolver) -> None:
    resolve.index.offer("framed", "1.4", requires=["torch<2.9"])
    row = resolve.index.offers["framed"]["framed-1.4-py3-none-any.whl"]
    row["upload-time"] = "2023-01-01T00:00:00Z"
    resolve.index.offer("framed", "1.5", requires=["torch>=2.9"])
    assert resolve(BASE, "framed").warnings == ()
    row = resolve.index.offers["framed"]["framed-1.5-py3-none-any.whl"]
    row["upload-time"] = "2025-01-01T00:00:00Z"
    resolve.index.offer("framed", "0.1")
    fresh = replace(resolve, root=resolve.root / "fresh")  # the page is cached
    fresh.root.mkdir()
    assert len(fresh(BASE, "framed").warnings) == 1


def test_a_preference_does_not_make_a_requested_package_older(resolve: Resolver) -> None:
    resolve.index.offer("frame-one", "1.0", requires=["shared"])
    resolve.index.offer("frame-one", "2.0", requires=["shared>=2"])
    resolve.index.offer("frame-two", "1.0", requires=["shared<9"])
    for version in ("1.0", "2.0"):
        resolve.index.offer("shared", version)
    base = facts(debian("shared", "1.0"))
    assert names(resolve(base, "frame-two frame-one")) == [
        "frame-one==2.0",
        "frame-two==1.0",
        "shared==2.0",
    ]
    assert names(resolve(base, "frame-two")) == ["frame-two==1.0", "shared==1.0"]


def test_the_base_needs_what_it_can_be_satisfied_with_only(resolve: Resolver) -> None:
    torch = distribution("torch", "2.8.0+cu126", "numpy>=3", "absent")
    found = resolve(facts(torch, distribution("numpy", "2.2.6")), "torch vision")
    assert names(found) == ["colour==1.0", "vision==1.0"]
    assert found.warnings == ("the base lacks absent, numpy>=3, which its torch 2.8.0+cu126 needs",)


def test_a_version_that_cannot_be_read_is_not_written_over(resolve: Resolver) -> None:
    base = facts(distribution("colour", "r12-custom"))
    assert hold(base).warnings() == (
        "the base's colour cannot be held: its version 'r12-custom' lies outside PEP 440",
    )
    error = resolve.refuses(base, "colour")
    assert str(error) == (
        "a tier would write over the base's colour, which cannot be held: its version 'r12-custom' "
        "lies outside PEP 440"
    )
    assert error.hint == 'to let tiers change it: allow-base-change = ["colour"] under [resolve]'
    assert names(resolve(base, "colour", allow="colour")) == ["colour==1.0", "numpy==2.4.0"]
    (gone,) = hold(base, ["colour"]).replaced(["colour"])
    assert gone.owns


def test_what_is_needed_in_one_version_by_a_held_one_names_that_one(resolve: Resolver) -> None:
    base = facts(
        distribution("torch", "2.8.0"),
        distribution("torchvision", "0.23", "torch==2.8.0", owns=()),
    )
    resolve.index.offer("modern", requires=["torch>=2.9"])
    error = resolve.refuses(base, "modern", allow="torch")
    assert str(error).startswith(
        "torchvision 0.23 of the base needs torch==2.8.0; tier tier0 asks for modern: Because "
    )
    site = "/usr/local/lib/python3.11/site-packages"
    assert error.hint == (
        f"torchvision can't be changed: it has no RECORD of its files in {site}, where tiers "
        "install to"
    )


def test_what_may_change_and_stays_behind_is_a_warning(resolve: Resolver) -> None:
    base = facts(
        distribution("torch", "2.8.0"), distribution("torchvision", "0.23", "torch==2.8.0")
    )
    found = resolve(base, "torch>=2.9", allow="torch torchvision")
    assert "torch==2.9.0" in names(found)
    (warning,) = found.warnings
    assert warning == (
        "torchvision 0.23 of the base needs torch==2.8.0, and comes to torch 2.9.0: "
        "let a tier ask for torchvision"
    )


def test_overrides_and_exclude_work_over_a_base(resolve: Resolver) -> None:
    resolve.index.offer("modern", requires=["torch>=2.9", "colour>=5"])
    found = resolve(BASE, "modern", overrides=("torch>=2",), exclude=("colour",))
    assert names(found) == ["modern==1.0"]


@pytest.mark.parametrize("prerelease", ["", "disallow", "if-necessary"])
def test_a_held_pre_release_is_taken_whatever_the_recipe_says(
    resolve: Resolver, prerelease: str
) -> None:
    base = facts(distribution("torch", "2.9.0a0+git12"), distribution("numpy", "2.3.0rc1"))
    assert names(resolve(base, "vision", prerelease=prerelease)) == ["colour==1.0", "vision==1.0"]


def test_two_indexes_are_told_apart_over_a_base(resolve: Resolver) -> None:
    other = Index(resolve.index.server, "/other")
    other.offer("special", requires=["torch"])
    resolve.more.append(other)
    (located,) = resolve(BASE, "special").located
    assert (str(located.pin), located.pin.index) == ("special==1.0", "more0")
