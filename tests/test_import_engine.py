"""What was installed by hand in a container becomes a recipe, or is added to the one it has."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from typing import TYPE_CHECKING

import debs
import pytest
import tomli
from desks import python_tier
from images import run

from ds01build.recipe import AptTier, PythonTier, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from desks import Desk
    from standin_fixtures import StandIns
    from world import Index

    from ds01build.recipe import Recipe

pytest_plugins = ("standin_fixtures", "desk_fixtures")
pytestmark = pytest.mark.network  # stand-ins are made of packages


@pytest.fixture
def container(each_desk: Desk) -> Iterator[Callable[..., str]]:
    """Return what starts a container of an image, in which commands can be run by hand."""
    made: list[str] = []

    def start(image: str, *options: str) -> str:
        name = f"ds01-test-{secrets.token_hex(6)}"
        words = ("--user=0", *options, "--network=host", "--entrypoint=sleep", image, "infinity")
        each_desk.docker("run", "--detach", "--init", "--name", name, *words)
        made.append(name)
        return name

    yield start
    for name in made:
        run("docker", "--host", each_desk.host, "rm", "--force", "--volumes", name)


def packages(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    tiers = [tier for tier in recipe.tiers if isinstance(tier, (AptTier, PythonTier))]
    return {tier.name: tier.packages for tier in tiers}


def install(desk: Desk, name: str, offers: Index, *words: str) -> None:
    pip = "python3 -m pip --disable-pip-version-check install --break-system-packages --index-url"
    command = f"{pip} {offers.url} {shlex.join(words)}"
    desk.docker("exec", name, "/bin/sh", "-euc", command)


def install_deb(desk: Desk, name: str, package: str, version: str) -> None:
    made = debs.deb(debs.control(package, Version=version, Architecture="all"), [])
    file = desk.place.root / f"{package}.deb"
    file.write_bytes(made)
    desk.docker("cp", str(file), f"{name}:/tmp/{package}.deb")
    desk.docker("exec", name, "dpkg", "--force-all", "-i", f"/tmp/{package}.deb")


def test_what_was_installed_by_hand_becomes_a_recipe_over_the_image(
    each_desk: Desk, offers: Index, stand_ins: StandIns, container: Callable[..., str]
) -> None:
    offers.offer("wanted", "2.1", requires=["brought"])
    offers.offer("brought", "1.5")
    image = stand_ins.load("a-light", each_desk.host)
    name = container(image)
    install(each_desk, name, offers, "wanted")
    install_deb(each_desk, name, "by-hand", "1.2-3")
    ended = each_desk.place.ds01("import", "--from-container", name, "-o", "-")
    assert ended.code == 0, ended.err
    recipe = parse(ended.out, source="imported")
    assert tomli.loads(ended.out)["base"] == {"image": image}
    assert packages(recipe) == {
        "system": ("by-hand=1.2-3",),
        "custom": ("wanted==2.1",),
    }
    assert f"{name}:brought 1.5: no longer needed (others need it: a lock chooses it)" in ended.err
    each_desk.docker("stop", "--time=0", name)
    stopped = each_desk.place.ds01("import", "--from-container", name, "-o", "-", "--pin-all")
    assert 'packages = ["brought==1.5", "wanted==2.1"]' in stopped.out


def test_what_pip_put_into_the_workspace_for_a_user_counts(
    each_desk: Desk, offers: Index, stand_ins: StandIns, container: Callable[..., str]
) -> None:
    offers.offer("wanted", "2.1")
    workspace = each_desk.place.root / "workspace"
    workspace.mkdir()
    options = (f"--volume={workspace}:/workspace", "--env=HOME=/workspace")
    name = container(stand_ins.load("a-light", each_desk.host), *options, f"--user={os.geteuid()}")
    install(each_desk, name, offers, "--user", "wanted")
    ended = each_desk.place.ds01("import", "--from-container", name, "-o", "-")
    assert ended.code == 0, ended.err
    if any(workspace.iterdir()):
        assert packages(parse(ended.out, source="imported")) == {"custom": ("wanted==2.1",)}
    else:  # the engine sees other files at the same path
        assert "not carried over: packages in the mount /workspace (not looked at: " in ended.err


def test_what_came_on_top_of_an_image_of_ds01_is_added_to_its_recipe(
    each_desk: Desk, offers: Index, stand_ins: StandIns, container: Callable[..., str]
) -> None:
    for version in ("1.0", "2.0"):
        offers.offer("tool", version)
    offers.offer("more", "3.0")
    image = stand_ins.load("a-light", each_desk.host)
    recipe = each_desk.recipe(image, python_tier("tool==1.0"))
    built = each_desk.build(recipe)["image"]["reference"]
    listing = ("images", "--quiet", "--no-trunc", built.partition(":")[0])
    name, before = container(built), each_desk.docker(*listing)
    install(each_desk, name, offers, "--upgrade", "tool", "more")
    asked = each_desk.place.ds01("import", "--from-container", name)
    assert asked.code == 0, asked.err
    assert asked.out.splitlines() == [
        f"ds01 add {recipe} tool==2.0",
        f"ds01 add {recipe} --tier custom --kind python more==3.0",
    ]
    added = each_desk.place.ds01("import", "--from-container", name, "--add-to", recipe)
    assert added.code == 0, added.err
    assert packages(parse(recipe.read_text(), source="r")) == {"code": ("tool==2.0", "more==3.0")}
    assert [str(pin) for pin in each_desk.lock(recipe).wheels] == ["more==3.0", "tool==2.0"]
    assert each_desk.docker(*listing) == before, "nothing is committed"


def test_an_image_of_ds01_is_what_it_was_made_of(
    each_desk: Desk, offers: Index, stand_ins: StandIns, container: Callable[..., str]
) -> None:
    for version in ("1.0", "2.0"):
        offers.offer("tool", version)
    offers.offer("other", "1.0")
    image = stand_ins.load("a-light", each_desk.host)
    recipe = each_desk.recipe(image, python_tier("tool==1.0", "other"))
    built = each_desk.build(recipe)["image"]["reference"]
    name = container(built)
    install(each_desk, name, offers, "--upgrade", "tool")
    words = ("import", "--from-container", name, "-o", "-", "--name", "again")
    ended = each_desk.place.ds01(*words)
    assert ended.code == 0, ended.err
    made = parse(ended.out, source="imported")
    assert made.base == parse(recipe.read_text(), source="r").base
    assert packages(made) == {"code": ("other", "tool==2.0")}
    shutil.rmtree(each_desk.place.store / "roots")
    unknown = each_desk.place.ds01(*words)
    assert unknown.code == 0, unknown.err
    assert f"not carried over: what {built} has (ds01 made that image here" in unknown.err


def test_a_short_name_is_that_of_ones_own_container(
    each_desk: Desk, stand_ins: StandIns, container: Callable[..., str]
) -> None:
    full = container(stand_ins.load("a-light", each_desk.host))
    short = f"{full}-x"
    each_desk.docker("rename", full, f"{short}._.{os.geteuid()}")
    try:
        ended = each_desk.place.ds01("import", "--from-container", short, "-o", "-")
    finally:
        each_desk.docker("rename", f"{short}._.{os.geteuid()}", full)
    assert ended.code == 0, ended.err


def test_what_nothing_can_be_made_of_is_not_called_nothing(
    each_desk: Desk, stand_ins: StandIns, container: Callable[..., str]
) -> None:
    image = stand_ins.load("a-light", each_desk.host)
    name = container(each_desk.build(each_desk.recipe(image, ""))["image"]["reference"])
    site = "/usr/local/lib/python3.12/site-packages/odd-1.dist-info"
    each_desk.docker("exec", name, "sh", "-c", f"mkdir -p {site}; touch {site}/direct_url.json")
    each_desk.docker(
        "exec", name, "sh", "-c", f"printf 'Name: odd\\nVersion: 1\\n' > {site}/METADATA"
    )
    ended = each_desk.place.ds01("import", "--from-container", name)
    assert ended.code == 0, ended.err
    assert "not carried over: odd 1 (not from an index" in ended.err
    assert ended.err.endswith("nothing else was installed by hand\n")


def test_a_container_in_which_nothing_was_installed_has_nothing_to_import(
    each_desk: Desk, stand_ins: StandIns, container: Callable[..., str]
) -> None:
    name = container(stand_ins.load("a-light", each_desk.host))
    each_desk.docker("exec", name, "touch", "/etc/passwd-of-mine")
    ended = each_desk.place.ds01("import", "--from-container", name, "-o", "-", "--name", "plain")
    assert ended.code == 0, ended.err
    assert parse(ended.out, source="imported").tiers == ()


def test_what_an_engine_does_not_have_is_named(each_desk: Desk) -> None:
    ended = each_desk.place.ds01("import", "--from-container", "ds01-test-nobody")
    assert ended.code == 1
    assert "has no container ds01-test-nobody" in ended.err
    odd = each_desk.place.ds01("import", "--from-container", "../../images/json")
    assert odd.code == 1
    assert "'../../images/json' is not the name of a container" in odd.err


def test_a_container_that_lies_about_itself_adds_no_key_to_a_recipe(
    each_desk: Desk, stand_ins: StandIns, container: Callable[..., str], tmp_path: Path
) -> None:
    name = container(stand_ins.load("a-light", each_desk.host))
    site = each_desk.docker(
        "exec", name, "python3", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
    ).strip()
    lies = {
        "a-1": 'Name: a\nVersion: 1"]\n[image]\nuser = "root\n',
        "b-2": "Name: b c\nVersion: 2\n",
    }
    for stem, metadata in lies.items():
        folder = f"{site}/{stem}.dist-info"
        script = f"mkdir -p {folder}; printf '%b' {shlex.quote(metadata)} > {folder}/METADATA"
        each_desk.docker("exec", name, "/bin/sh", "-euc", script)
    linked = f"ln -s /etc/shadow {site}/linked-1.dist-info; mkfifo {site}/pipe-1.dist-info"
    each_desk.docker("exec", name, "/bin/sh", "-euc", linked)
    file = f"mkdir {site}/file-1.dist-info; ln -s /etc/passwd {site}/file-1.dist-info/METADATA"
    each_desk.docker("exec", name, "/bin/sh", "-euc", file)
    ended = each_desk.place.ds01("import", "--from-container", name, "-o", "-")
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    for stem in ("b-2", "linked-1", "pipe-1", "file-1"):
        assert f"not carried over: {site}/{stem}.dist-info (it" in ended.err
    recipe = parse(ended.out, source="imported")
    assert (recipe.tiers, recipe.image.user) == ((), "")
