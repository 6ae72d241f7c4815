"""Whether packages that were resolved over one image may stand on another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from bases import debian, distribution, facts
from test_locking import asked
from test_stacking import Finding
from values import an_image_lock, digest

from ds01build.base.moving import Verdict, verdict
from ds01build.errors import ResolveError
from ds01build.layers import root
from ds01build.lock import LockedImage
from ds01build.target import Directory, Ground
from ds01build.workflow import locking
from ds01build.workflow.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.base.facts import BaseFacts
    from ds01build.lock import Lock
    from ds01build.pin import WheelPin
    from ds01build.recipe import FrameworkBase, ImageBase
    from ds01build.resolve.request import Wanted, Wheels

TARGET = root.target("3.11.9")
OLD = replace(
    facts(distribution("torch", "2.8.0"), distribution("numpy", "2.2.6"), cuda="12.6"),
    target=TARGET,
)


def over(*, cuda: str = "12.6", torch: str = "2.8.0", python: str = "3.11.9") -> BaseFacts:
    new = facts(distribution("torch", torch), distribution("numpy", "2.2.6"), cuda=cuda)
    return replace(new, target=replace(TARGET, version=python))


def test_an_image_with_the_same_facts_is_safe() -> None:
    new = replace(over(), config=digest("other"), debs=(), glibc=(2, 41))
    assert str(verdict(OLD, new)) == "safe: Python, glibc, CUDA and what it holds fit"
    moved = replace(TARGET, directories=(Directory("opt", 0o2775),))
    assert str(verdict(OLD, replace(new, target=moved))) == (
        "safe: Python, glibc, CUDA and what it holds fit, but tiers go to other directories"
    )


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (over(python="3.12.1"), "Python 3.11.9 became 3.12.1"),
        (replace(over(), glibc=(2, 31)), "glibc 2.36 became 2.31"),
        (over(cuda="13.0"), "CUDA 12.6 became 13.0"),
        (over(torch="2.9.0"), "torch 2.8.0 became 2.9.0"),
        (
            replace(over(), distributions=(*over().distributions, debian("six", "1.16.0"))),
            "six none became 1.16.0",
        ),
        (
            replace(
                over(),
                distributions=tuple(
                    replace(each, requires=("sympy>=2",)) for each in over().distributions
                ),
            ),
            "what its packages need is not the same",
        ),
    ],
)
def test_whatever_a_resolver_goes_by_has_to_be_resolved(new: BaseFacts, reason: str) -> None:
    assert verdict(OLD, new) == Verdict(answer="resolve", reasons=(reason,))


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (replace(over(), architecture="arm64"), "it is for arm64, not for amd64"),
        (replace(over(), distributions=()), "it has no torch, where 2.8.0 was"),
        (
            replace(over(), target=None),
            "it has no Python that packages can be put on, where 3.11.9 was",
        ),
    ],
)
def test_an_image_without_what_packages_stood_on_is_refused(new: BaseFacts, reason: str) -> None:
    assert verdict(OLD, new) == Verdict(answer="refused", reasons=(reason,))


def test_a_framework_that_a_recipe_lets_change_may_be_gone() -> None:
    new = replace(over(), distributions=(distribution("numpy", "2.2.6"),))
    assert verdict(OLD, new, ["torch"]).answer == "resolve"


RECIPE = """schema = 1
name = "demo"
base.image = "python:3.12"
tiers.work = { kind = "python", packages = ["pandas"] }
"""


@dataclass(frozen=True)
class Moving:
    """A name that stands for another image each time that it is looked up."""

    seen: list[BaseFacts]

    def locked(
        self,
        wanted: ImageBase | FrameworkBase,  # noqa: ARG002
        previous: LockedImage | None,
    ) -> LockedImage:
        if previous is not None:
            return previous
        image = an_image_lock().base
        assert isinstance(image, LockedImage)
        return replace(image, config=self.seen[-1].config, ground=Ground(), glibc="")

    def facts(self, image: LockedImage) -> BaseFacts:
        return next(each for each in self.seen if each.config == image.config)

    def known(self, image: LockedImage) -> BaseFacts | None:
        return self.facts(image)


@dataclass
class Counting(Finding):
    asked_for: list[Wanted] = field(default_factory=list)

    def wheels(self, wanted: Wanted, keep: Mapping[str, WheelPin]) -> Wheels:
        self.asked_for.append(wanted)
        return super().wheels(wanted, keep)


@dataclass
class Desk:
    recipe: Path
    resolver: Counting = field(default_factory=Counting)
    bases: Moving = field(default_factory=lambda: Moving([OLD]))
    notes: list[str] = field(default_factory=list)

    def lock(self, previous: Lock | None, upgrade: Upgrade) -> Lock:
        ask = asked(self.recipe, previous, self.resolver)
        return locking.relock(
            replace(ask, bases=self.bases, upgrade=upgrade, note=self.notes.append)
        )

    def moved(self, new: BaseFacts) -> Lock:
        first = self.lock(None, Upgrade())
        self.bases.seen.append(replace(new, config=digest("new")))
        return self.lock(first, Upgrade(base=True))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    recipe = tmp_path / "demo.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    return Desk(recipe)


def test_a_base_that_is_safe_keeps_every_wheel_and_asks_no_index(desk: Desk) -> None:
    lock = desk.moved(over())
    assert len(desk.resolver.asked_for) == 1
    assert isinstance(lock.base, LockedImage)
    assert lock.base.config == digest("new")
    assert [pin.name for pin in lock.wheels] == ["pandas"]
    assert desk.notes == ["the base has moved: safe: Python, glibc, CUDA and what it holds fit"]


def test_a_base_with_another_torch_is_resolved_over(desk: Desk) -> None:
    desk.moved(over(torch="2.9.0"))
    assert len(desk.resolver.asked_for) == 2
    assert desk.notes == ["the base has moved: resolve: torch 2.8.0 became 2.9.0"]


def test_a_changed_recipe_is_resolved_over_whatever_base(desk: Desk) -> None:
    first = desk.lock(None, Upgrade())
    desk.bases.seen.append(replace(over(), config=digest("new")))
    desk.recipe.write_text(RECIPE.replace('"pandas"', '"pandas", "six"'), encoding="utf-8")
    lock = desk.lock(first, Upgrade(base=True))
    assert [pin.name for pin in lock.wheels] == ["pandas", "six"]


def test_a_base_that_is_no_replacement_is_refused(desk: Desk) -> None:
    with pytest.raises(ResolveError) as caught:
        desk.moved(replace(over(), distributions=()))
    assert str(caught.value) == "the new base is no replacement: it has no torch, where 2.8.0 was"
    assert caught.value.hint == f"ds01 lock --upgrade {desk.recipe}"


DEBIAN = RECIPE.replace('base.image = "python:3.12"', 'base.debian = "bookworm"')


def test_a_root_of_debs_in_place_of_an_image_is_told_with_what_comes_of_it(desk: Desk) -> None:
    first = desk.lock(None, Upgrade())
    desk.recipe.write_text(DEBIAN, encoding="utf-8")
    second = desk.lock(first, Upgrade(base=True))
    said = "the base has moved: resolve: {} became {}; Python {} became {}"
    image = ("aimehub/pytorch-2.8.0-cuda12.6.3:latest", "Debian bookworm", "3.11.9", "3.11.2")
    assert desk.notes == [said.format(*image)]
    desk.recipe.write_text(RECIPE, encoding="utf-8")
    desk.lock(second, Upgrade(base=True))
    assert desk.notes[1:] == [said.format(image[1], image[0], image[3], image[2])]


def test_another_suite_is_told_and_the_same_one_is_not(desk: Desk) -> None:
    desk.recipe.write_text(DEBIAN, encoding="utf-8")
    first = desk.lock(None, Upgrade())
    assert desk.lock(first, Upgrade(everything=True)) == first
    assert desk.notes == []
    desk.recipe.write_text(DEBIAN.replace("bookworm", "trixie"), encoding="utf-8")
    desk.lock(first, Upgrade(base=True))
    assert desk.notes == ["the base has moved: resolve: Debian bookworm became Debian trixie"]
