"""Recipes over image bases, from the command to the container: what a base has stays as it is."""

from __future__ import annotations

import gzip
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import registries
from desks import python_tier, run_tier
from images import run
from standins import conda, recipes
from standins.frameworks import CUDA, LIBRARIES, LOCAL, TORCH, VISION
from wheels import File

from ds01build.lock import LockedImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from desks import Desk
    from registries import Registry
    from standin_fixtures import StandIns
    from world import Index

    from ds01build.lock import Lock

pytest_plugins = ("standin_fixtures", "desk_fixtures")
pytestmark = pytest.mark.network  # stand-ins are made of packages

SITES = {"a-light": recipes.SITE, "b-light": recipes.SITE, "c-light": conda.SITE}
PARTICULAR = ["owners", pytest.param("c-light", marks=pytest.mark.slow)]  # directories of their own
VERSIONS = {"a-light": LOCAL, "b-light": "", "c-light": LOCAL}


def offer_work(offers: Index) -> None:
    """Offer a package that needs a framework, and a framework with all of CUDA, as indexes do."""
    offers.offer("work", requires=["torch>=2", "torchvision", "numpy>=2", "part"])
    offers.offer("part")
    offers.offer("torch", TORCH, requires=CUDA)
    offers.offer("torchvision", VISION, requires=[f"torch=={TORCH}"])
    offers.offer("numpy", "3.0")
    for name, version, requires in LIBRARIES:
        offers.offer(name, version, requires=requires)


@pytest.mark.parametrize("base", SITES)
def test_a_tier_takes_the_framework_of_its_base(
    base: str, desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    offer_work(offers)
    recipe = desk.recipe(stand_ins.load(base, desk.host), python_tier("work"))
    answer = desk.build(recipe)
    assert [pin.name for pin in desk.lock(recipe).wheels] == ["part", "work"]
    image = answer["image"]["reference"]
    assert desk.inside(image, "python3 -m pip check") == "No broken requirements found.\n"
    show = "import torch, numpy, work; print(torch.__version__, numpy.__version__, work.__file__)"
    assert desk.inside(image, f"cd /; python3 -c '{show}'") == (
        f"{TORCH}{VERSIONS[base]} {recipes.HELD['numpy']} {SITES[base]}/work.py\n"
    )


def test_a_newer_package_comes_before_that_of_a_deb(
    desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    newer = File(name=b"requests/__init__.py", content=b"__version__ = '9.1'\n")
    offers.offer("requests", "9.1", newer)
    recipe = desk.recipe(stand_ins.load("d", desk.host), python_tier("requests>=9"))
    image = desk.build(recipe)["image"]["reference"]
    show = "import requests; print(requests.__version__, requests.__file__)"
    assert desk.inside(image, f"cd /; python3 -c '{show}'") == (
        f"9.1 {recipes.SITE}/requests/__init__.py\n"
    )
    assert desk.inside(image, "dpkg --audit && dpkg --verify python3-requests") == ""
    status = "dpkg-query -W -f '${db:Status-Abbrev}' python3-requests"
    assert desk.inside(image, status) == "ii "


# Per wish: what the index offers, and what an error has to name.
CONFLICTS = {
    "torch<2": ("code", "torch<2", "torch 2.13.0+cpu"),
    "needs-old": ("needs-old", "torch<2", "torch 2.13.0+cpu"),
    "needs-numpy": ("needs-numpy", "numpy>=3", "numpy 2.2.6"),
}


@pytest.mark.parametrize("wish", CONFLICTS)
def test_what_cannot_hold_the_framework_fails_before_a_build_and_names_both(
    wish: str, desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    offers.offer("torch", "1.13.1")
    offers.offer("numpy", "3.0")
    offers.offer("needs-old", requires=["torch<2"])
    offers.offer("needs-numpy", requires=["numpy>=3"])
    base = stand_ins.load("a-light", desk.host)
    recipe = desk.recipe(base, python_tier(wish))
    ended = desk.refused(recipe, "build")
    assert ended.code == 1
    assert ended.out == ""
    said = " ".join(ended.err.split())
    for named in CONFLICTS[wish]:
        assert named in said, said
    assert not recipe.with_suffix(".lock").exists()
    assert offers.fetched("torch-1.13.1-py3-none-any.whl") == 0
    assert desk.docker("images", "--quiet", f"ds01-{os.geteuid()}/{desk.name}") == ""


def test_a_framework_that_may_change_makes_way_with_all_its_files(
    desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    other = File(name=b"torch/__init__.py", content=b"__version__ = '1.13.1'\n")
    offers.offer("torch", "1.13.1", other, File(name=b"torch/new.py", content=b""))
    offers.offer("torchvision", "0.14.1", requires=["torch==1.13.1"])
    base = stand_ins.load("a-light", desk.host)
    allowed = '\n[resolve]\nallow-base-change = ["torch", "torchvision"]\n'
    recipe = desk.recipe(base, python_tier("torch<2", "torchvision") + allowed)
    image = desk.build(recipe)["image"]["reference"]
    assert {pin.name: pin.version for pin in desk.lock(recipe).wheels} == {
        "torch": "1.13.1",
        "torchvision": "0.14.1",
    }
    listed = desk.inside(image, f"cd {recipes.SITE}; echo torch*; echo torch/* torchvision/*")
    assert listed.splitlines() == [
        "torch torch-1.13.1.dist-info torchvision-0.14.1.dist-info torchvision.py",
        "torch/__init__.py torch/new.py torchvision/*",
    ]
    assert desk.inside(image, "python3 -m pip check") == "No broken requirements found.\n"
    show = "cd /; python3 -c 'import torch; print(torch.__version__)'"
    assert desk.inside(image, show) == "1.13.1\n"


@pytest.mark.parametrize("base", PARTICULAR)
def test_everything_of_a_base_keeps_its_mode_owner_and_link(
    base: str, each_desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    desk = each_desk
    data = File(name=b"thing-1.0.data/data/etc/thing/conf", content=b"x")
    script = File(name=b"thing-1.0.data/scripts/thing", content=b"#!python\n", mode=0o100755)
    offers.offer("thing", "1.0", File(name=b"thing.py", content=b""), data, script)
    (desk.place.root / "own").write_text("own")
    files = '[tiers.files]\nkind = "files"\nfiles = [\n'
    for to in ("/opt/link/own", "/opt/shared/deep/own", "/opt/conda/share/own", "/usr/share/own"):
        files += f'  {{ from = "own", to = "{to}" }},\n'
    reference = stand_ins.load(base, desk.host)
    recipe = desk.recipe(reference, python_tier("thing") + files + "]\n")
    image = desk.build(recipe)["image"]["reference"]
    before, after = desk.tree(reference), desk.tree(image)
    changed = {
        path: (seen, after.get(path)) for path, seen in before.items() if after.get(path) != seen
    }
    assert changed == {}  # of what tiers own, nothing was there
    assert desk.inside(image, "thing; cat /opt/shared/deep/own /opt/link/own") == "ownown"
    new = sorted(after.keys() - before.keys())
    assert any(path.endswith("/etc/thing/conf") for path in new)
    assert not [path for path in new if after[path].split()[2] != "0:0"]


@pytest.fixture
def counted(tmp_path: Path, stand_ins: StandIns) -> Iterator[tuple[Registry, str]]:
    """Yield a registry that tells what it was asked for, and the reference of a base in it."""
    layout = stand_ins.layout("owners").copied(tmp_path / "layout")
    layout.rename("latest")
    with registries.registry(tmp_path / "registry") as registry:
        registry.push(layout.directory, "counted")
        yield registry, f"{registry.host}/counted:latest"


def fetched(registry: Registry, lock: Lock) -> int:
    """Return how many times layers of a lock's base were fetched from the registry."""
    assert isinstance(lock.base, LockedImage)
    digests = [str(layer.digest) for layer in lock.base.layers]
    asked = [line for line in registry.requests() if line.startswith("GET ")]
    return sum(line.endswith(f"/blobs/{digest}") for line in asked for digest in digests)


def test_layers_of_a_base_are_not_fetched_where_the_engine_has_it(
    each_desk: Desk, offers: Index, counted: tuple[Registry, str]
) -> None:
    desk, (registry, reference) = each_desk, counted
    offers.offer("work")
    desk.docker("pull", "--quiet", reference)
    try:
        recipe = desk.recipe(reference, python_tier("work"))
        before = len(registry.requests())
        answer = desk.build(recipe)
        lock = desk.lock(recipe)
        asked = registry.requests()[before:]
        assert asked, "the registry's log says nothing"
        assert not [
            line
            for line in asked
            if any(
                str(layer.digest) in line
                for layer in lock.base.layers  # type: ignore[union-attr]
            )
        ]
        assert desk.inside(answer["image"]["reference"], "cd /; python3 -c 'import work'") == ""
    finally:
        run("docker", "--host", desk.host, "rmi", "--force", reference)


def test_layers_of_a_base_are_fetched_once_where_only_its_facts_are_known(
    desk: Desk, offers: Index, counted: tuple[Registry, str], tmp_path: Path
) -> None:
    registry, reference = counted
    offers.offer("work")
    offers.offer("other")
    alone = desk.without_engine(tmp_path / "alone")
    lock = alone.lock(alone.recipe(reference, python_tier("work"), "one"))
    assert isinstance(lock.base, LockedImage)
    assert fetched(registry, lock) == len(lock.base.layers)
    other = alone.recipe(reference, python_tier("other"), "two")
    alone.place.build(other, "--no-load")
    assert fetched(registry, lock) == len(lock.base.layers)


def test_a_load_leaves_layers_that_other_images_of_the_store_have(
    desk: Desk, offers: Index, stand_ins: StandIns, tmp_path: Path
) -> None:
    offers.offer("work")
    offers.offer("other")
    reference = stand_ins.load("owners", desk.host)
    first = desk.build(desk.recipe(reference, python_tier("work")))
    blob = desk.place.path(first["layers"][-1]["digest"])
    packed = blob.read_bytes()
    layout = stand_ins.layout("owners").copied(tmp_path / "layout")
    layout.append_pieces([(gzip.decompress(packed), packed)])
    base = stand_ins.registry.push(layout, tag=desk.name)
    desk.build(desk.recipe(base, python_tier("other"), f"{desk.name}-second"))
    assert blob.is_file()
    assert desk.place.ds01("store", "verify").code == 0


@pytest.fixture
def unheard_of(
    each_desk: Desk, offers: Index, counted: tuple[Registry, str], tmp_path: Path
) -> str:
    """Return a base in a registry that no engine has ever had."""
    registry, reference = counted
    offers.offer("own", "1", File(name=b"own/name", content=each_desk.name.encode()))
    maker = each_desk.without_engine(tmp_path / "maker").place
    recipe = each_desk.recipe(reference, python_tier("own"), "latest")
    maker.build(recipe, "--no-load")
    ended = maker.ds01("image", "export", "--quiet", "latest", "--oci-dir", tmp_path / "own")
    assert ended.code == 0, ended.err
    registry.push(tmp_path / "own", "own")
    return f"{registry.host}/own:latest"


def test_an_engine_that_has_layers_of_a_base_but_not_the_base_gets_an_image(
    each_desk: Desk, offers: Index, unheard_of: str, tmp_path: Path
) -> None:
    for name in ("work", "other"):
        offers.offer(name)
    each_desk.build(each_desk.recipe(unheard_of, python_tier("work")))
    recipe = each_desk.recipe(unheard_of, python_tier("other"), f"{each_desk.name}-2")
    lock = each_desk.lock(recipe)
    assert isinstance(lock.base, LockedImage)
    brought = {str(layer.digest) for layer in lock.base.layers}
    assert not brought & each_desk.place.blobs().keys(), "the engine has them"
    (tmp_path / "other/home").mkdir(parents=True)  # whose store is empty
    other = replace(each_desk, place=replace(each_desk.place, root=tmp_path / "other"))
    image = other.build(recipe, "--locked")["image"]["reference"]
    assert other.inside(image, "cd /; python3 -c 'import own, other'") == ""


def plain_size(desk: Desk, layer: dict[str, Any]) -> int:
    return len(gzip.decompress(desk.place.path(layer["digest"]).read_bytes()))


def test_a_changed_layer_travels_alone(each_desk: Desk, offers: Index, stand_ins: StandIns) -> None:
    desk = each_desk
    noise = {name: random.Random(name).randbytes(5 << 20) for name in ("one", "two", "two-again")}
    for name, version, key in (("one", "1", "one"), ("two", "1", "two"), ("two", "2", "two-again")):
        offers.offer(name, version, File(name=f"{name}.bin".encode(), content=noise[key]))
    base = stand_ins.load("owners", desk.host)
    first = desk.build(desk.recipe(base, python_tier("one", "two==1")))
    second = desk.build(desk.recipe(base, python_tier("one", "two==2")))
    assert first["bytes"]["sent"] > 10 << 20
    (changed,) = (layer for layer in second["layers"] if layer["action"] != "reused")
    plain = plain_size(desk, changed)
    assert plain > 5 << 20
    assert plain <= second["bytes"]["sent"] <= plain + (64 << 10)
    assert desk.build(desk.recipe(base, python_tier("one", "two==2")))["bytes"]["sent"] == 0


def test_a_tier_is_executed_over_layers_that_the_engine_has(
    each_desk: Desk, offers: Index, stand_ins: StandIns
) -> None:
    desk = each_desk
    noise = random.Random(desk.name).randbytes(5 << 20)
    offers.offer("big", "1", File(name=b"big.bin", content=noise))
    base, tier = stand_ins.load("owners", desk.host), python_tier("big")
    desk.build(desk.recipe(base, tier + run_tier("echo 1 >/srv/run")))
    second = desk.build(desk.recipe(base, tier + run_tier("echo 2 >/srv/run")))
    assert [layer["action"] for layer in second["layers"]] == ["reused", "ran"]
    changed = plain_size(desk, second["layers"][-1])
    assert changed <= second["bytes"]["sent"] <= changed + (64 << 10)


@pytest.mark.parametrize("base", PARTICULAR)
def test_an_engine_changes_neither_lock_nor_image(
    base: str, each_desk: Desk, offers: Index, stand_ins: StandIns, tmp_path: Path
) -> None:
    desk, alone = each_desk, each_desk.without_engine(tmp_path / "alone")
    offers.offer("work")
    reference = stand_ins.load(base, desk.host)
    recipe, other = (each.recipe(reference, python_tier("work")) for each in (desk, alone))
    with_engine = desk.build(recipe)
    without = alone.place.build(other)
    assert recipe.with_suffix(".lock").read_bytes() == other.with_suffix(".lock").read_bytes()
    assert with_engine["layers"] == without["layers"]
    assert with_engine["image"]["digest"] == without["image"]["digest"]
    plans = [
        each.place.ds01("plan", "--json", path).answer
        for each, path in ((desk, recipe), (alone, other))
    ]
    assert [step["key"] for step in plans[0]["tiers"]] == [s["key"] for s in plans[1]["tiers"]]


SAME = "touch -d @0 /srv/same /srv"  # a file's time is in its layer


@pytest.mark.slow
def test_a_tier_is_not_run_where_all_that_it_sees_comes_out_unchanged(
    desk: Desk, stand_ins: StandIns
) -> None:
    base = stand_ins.load("plain", desk.host)
    later = run_tier("head -c 9 /dev/urandom | base64 >/etc/random", name="later")

    def built(command: str) -> tuple[list[str], str]:
        recipe = desk.recipe(base, run_tier(command, SAME, name="first") + later)
        answer = desk.build(recipe)
        random = desk.inside(answer["image"]["reference"], "cat /etc/random")
        return [layer["action"] for layer in answer["layers"]], random

    first = built("echo same >/srv/same")
    assert first[0] == ["ran", "ran"]
    recipe = desk.recipe(base, run_tier("printf 'same\\n' >/srv/same", SAME, name="first") + later)
    planned = desk.place.ds01("plan", "--json", recipe).answer
    assert {step["tier"]: step["reason"] for step in planned["tiers"]}["later"] == (
        "run, unless first comes out unchanged"
    )
    assert built("printf 'same\\n' >/srv/same") == (["ran", "reused"], first[1])
    changed = built("echo other >/srv/same")
    assert changed[0] == ["ran", "ran"]
    assert changed[1] != first[1]


def test_commands_get_what_the_recipe_says_of_containers(
    each_desk: Desk, stand_ins: StandIns
) -> None:
    desk = each_desk
    settings = """
[image]
env = { GREETING = "a 'b' $HOME", PATH = "/srv/bin:/usr/bin:/bin" }
workdir = "/job/here"
"""
    see = run_tier('printf "%s|%s|%s" "$GREETING" "$PATH" "$PWD" >seen')
    recipe = desk.recipe(stand_ins.load("plain", desk.host), see + settings)
    image = desk.build(recipe)["image"]["reference"]
    said = desk.inside(image, "pwd; cat /job/here/seen")
    assert said == "/job/here\na 'b' $HOME|/srv/bin:/usr/bin:/bin|/job/here"
