"""``ds01 catalogue`` and ``ds01 bundle`` say what there is, and what of it this machine gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import served_images as served
from served_images import LIBC, PYTHON, RUNTIME, Shelf
from test_base_facts import debian, facts, installed
from world import NUMBERS

from ds01build.base.present import Present, present
from ds01build.catalogue import NotInCatalogue, bundles, describe, entries, frameworks
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

SITE = "usr/local/lib/python3.11/site-packages"
PYTORCH = "aimehub/pytorch-2.7.1"


def test_entries_are_those_of_a_framework_for_an_architecture_in_any_case() -> None:
    assert entries() == frameworks()
    found = entries("PYTORCH", "cuda_ada")
    assert found
    assert {each.name for each in found} == {"Pytorch"}
    assert all("CUDA_ADA" in each.architectures for each in found)
    assert [each.name for each in entries("pytorch-cpu", "ROCM6")] == ["Pytorch-CPU"]


def test_a_name_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(Ds01Error, match=r"no framework 'pytorhc'.*did you mean 'pytorch'\?"):
        entries("pytorhc")
    with pytest.raises(Ds01Error, match=r"no architecture 'CUDA_HOPPER'; there are CUDA_BLACKWELL"):
        entries("", "CUDA_HOPPER")
    with pytest.raises(Ds01Error, match="no architecture 'gpu'"):
        describe("pytorch", architecture="gpu", mlc_arch="", driver="")


def test_an_entry_says_why_it_is_chosen_and_which_is_the_latest() -> None:
    entry = describe("pytorch", "2.7.1", mlc_arch="", driver="560.35.05")
    assert entry.selected.reason == "for CUDA_ADA, by the driver 560.35.05"
    assert entry.driver == "560.35.05"
    assert not entry.is_latest
    assert entry.latest.framework.version == "2.8.0-aime"
    assert {one for each in entry.others for one in each.architectures} >= {"CUDA_BLACKWELL"}
    assert entry.selected.framework not in entry.others
    assert describe("pytorch", mlc_arch="", driver="560.35.05").is_latest


def test_an_architecture_that_was_asked_for_is_no_recipes() -> None:
    entry = describe("pytorch", architecture="rocm6", mlc_arch="CUDA_ADA", driver="560.35.05")
    assert entry.selected.architecture == "ROCM6"
    assert entry.selected.reason == "ROCM6: the architecture that was asked for"
    assert entry.latest.reason == entry.selected.reason


def test_an_entry_for_another_architecture_is_not_in_the_catalogue() -> None:
    with pytest.raises(NotInCatalogue):
        describe("pytorch", "2.9.1", architecture="CUDA_ADA", mlc_arch="", driver="")


def test_the_catalogue_is_a_table_or_json(world: World) -> None:
    words = ("catalogue", "list", "--framework", "pytorch", "--arch", "CUDA_BLACKWELL")
    heading, *lines = world.ds01(*words).out.splitlines()
    assert heading.split() == ["FRAMEWORK", "VERSION", "ARCHITECTURES", "IMAGE"]
    found = world.ds01(*words, "--json").answer
    assert found["schema"] == "ds01.catalogue/1"
    assert len(found["entries"]) == len(lines) > 1
    (old,) = (each for each in found["entries"] if each["version"] == "2.7.1")
    assert old["least_drivers"]["CUDA_BLACKWELL"] == "570.86.10"


def test_one_entry_is_a_screen_or_json(world: World) -> None:
    world.variables["MLC_ARCH"] = "CUDA_BLACKWELL"
    outcome = world.ds01("catalogue", "show", "pytorch:2.7.1")
    assert outcome.out.splitlines()[:6] == [
        "pytorch 2.7.1",
        "  image:          aimehub/pytorch-2.7.1-cuda12.8.0",
        "  architectures:  CUDA_BLACKWELL",
        "  chosen here:    for CUDA_BLACKWELL, by MLC_ARCH of the environment",
        "  least driver:   570.86.10",
        "  latest here:    2.9.1, the highest release for CUDA_BLACKWELL",
    ]
    found = world.ds01("catalogue", "show", "pytorch:2.7.1", "--json").answer
    assert found["schema"] == "ds01.catalogue-entry/1"
    assert found["latest"]["version"] == "2.9.1"
    assert found["is_latest"] is False


def test_what_there_is_instead_is_a_command(world: World) -> None:
    world.variables["MLC_ARCH"] = "CUDA_ADA"
    outcome = world.ds01("catalogue", "show", "pytorch:2.9.1")
    assert outcome.code == 1
    command = "ds01 catalogue show pytorch:2.9.1 --arch CUDA_BLACKWELL"
    assert outcome.complaint[-1] == f"hint:  {command}"
    assert world.ds01(*command.split()[1:]).code == 0


def test_bundles_are_a_table_or_json(world: World) -> None:
    heading, *lines = world.ds01("bundle", "list").out.splitlines()
    assert heading.split() == ["NAME", "KIND", "PACKAGES", "TITLE"]
    assert [line.split()[0] for line in lines] == list(bundles())
    found = world.ds01("bundle", "list", "--json").answer
    assert found["schema"] == "ds01.bundles/1"
    assert [each["name"] for each in found["bundles"]] == list(bundles())


def test_one_bundle_is_its_packages_what_it_leaves_out_and_a_note(world: World) -> None:
    lines = world.ds01("bundle", "show", "cv").out.splitlines()
    assert lines[0] == "cv: Computer vision, for a tier of kind python"
    assert lines[1:6] == [f"  {each}" for each in bundles()["cv"].packages]
    assert lines[6] == "no image with it holds: opencv-python, ultralytics"
    assert lines[7] == f"note: {bundles()['cv'].note}"
    assert world.ds01("bundle", "show", "cvv").complaint[0] == (
        "error: no bundle is called 'cvv'; did you mean 'cv'?"
    )


def test_a_bundle_over_a_base_says_what_that_has_already(world: World) -> None:
    shelf = Shelf(world.index.server, f"base/{next(NUMBERS)}")
    shelf.show(served.image([*RUNTIME, LIBC], [*PYTHON, *installed(SITE, "timm", "1.0.9")]))
    words = ("bundle", "show", "cv", "--quiet", "--base", shelf.reference)
    lines = world.ds01(*words).out.splitlines()
    assert lines[1] == f"over {shelf.reference}"
    assert "  timm  (the base holds 1.0.9)" in lines
    assert "  kornia" in lines
    found = world.ds01(*words, "--json").answer
    assert found["base"] == shelf.reference
    assert found["present"] == {"timm": {"version": "1.0.9", "held": True}}


def test_what_a_base_has_is_told_by_what_may_become_of_it() -> None:
    old = installed("usr/lib/python3/dist-packages", "six", "1.16.0")
    new = installed("usr/local/lib/python3.11/dist-packages", "numpy", "2.2.6")
    found = facts(debian(*old, *new))
    assert present(found, "python", ["numpy>=2", "six", "pandas"]) == {
        "numpy>=2": Present(version="2.2.6", is_held=True),
        "six": Present(version="1.16.0"),
    }
    assert present(found, "apt", ["python3.11-minimal=3.11*", "git"]) == {
        "python3.11-minimal=3.11*": Present(version="3.11.2-6+deb12u6")
    }


def test_of_a_package_in_two_places_the_base_has_the_one_that_python_finds() -> None:
    shadowed = installed("usr/lib/python3/dist-packages", "six", "1.16.0")
    own = installed("usr/local/lib/python3.11/dist-packages", "six", "1.17.0")
    found = present(facts(debian(*shadowed, *own)), "python", ["six"])
    assert found == {"six": Present(version="1.17.0", is_held=True)}


def test_every_answer_is_one_json_object(world: World) -> None:
    for words in (("bundle", "show", "cv"), ("catalogue", "show", "pytorch-cpu")):
        assert isinstance(json.loads(world.ds01(*words, "--json").out), dict)
