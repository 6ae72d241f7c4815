"""Resolving over a base: what it has stays, is not locked again, and says why it is in the way."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bases import debian, distribution, facts
from servers import serving
from uv import find_uv_bin
from values import wheel_pin
from world import Index

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
    distribution("torch", "2.8.0+cu126", "numpy", "sympy>=1", "absent", extras=["opt"]),
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
        index.offer("torch", "2.8.0", requires=["numpy", "nvidia-cublas", "sympy"])
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
    torch = distribution("torch", version, "numpy", "nvidia-cublas==12.4", "sympy")
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
    resolve.index.offer("torch", "2.8.0+cpu", requires=["colour"])
    resolve.index.offer("torch", "2.8.0+rocm", requires=["colour"])
    base = facts(distribution("torch", "2.8.0"))
    assert names(resolve(base, "vision")) == ["colour==1.0", "numpy==2.4.0", "vision==1.0"]
    assert names(resolve(base, "torch")) == []


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
