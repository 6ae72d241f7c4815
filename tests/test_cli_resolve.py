"""What cannot be resolved: each is explained in the recipe's words, and nothing is lost."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from archive import Package
from servers import captive, content, status
from wheels import File
from world import RECIPE, SIMPLE_JSON, is_shown_safely, own_archive, typed, wheel_of

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

BUILD = ("build", "demo.toml")
CONFLICT = (
    "Because all versions of right depend on lib>=1 and all versions of left depend on lib<1, we "
    "can conclude that all versions of left and all versions of right are incompatible. And "
    "because you require left and right, we can conclude that your requirements are "
    "unsatisfiable. [tier python asks for left] [tier python asks for right]"
)
NO_BUILDS = "has only source distributions, and ds01 never runs a build on this host"
FOREIGN = "has no wheel for this platform, only for `win_amd64`"
SITE = "/usr/local/lib/python3.11/dist-packages"
BYTES = "(different bytes)"
WAY_OUT = "leave one of them out; [resolve] exclude drops a Python package that others need"
OTHERWISE = "ask for a version with wheels, or drop what needs it with [resolve] exclude"
APT_TIER = '\n[tiers.system]\nkind = "apt"\npackages = [%s]\n'


def sdist(sentinel: str) -> bytes:
    """Return a source distribution whose setup.py writes ``sentinel``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in (
            ("setup.py", f"open({sentinel!r}, 'w')\nfrom setuptools import setup\nsetup()\n"),
            ("PKG-INFO", "Metadata-Version: 2.1\nName: fromsource\nVersion: 1.0\n"),
        ):
            member = tarfile.TarInfo(f"fromsource-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue())


def test_a_package_that_does_not_exist_is_named_with_its_tier(world: World) -> None:
    world.ask_for("app", "nosuch")
    world.refuses(
        1, *BUILD, says=["error: the package index has no nosuch (tier python asks for nosuch)"]
    )


def test_versions_that_exclude_each_other_name_both_requirers(world: World) -> None:
    world.index.offer("left", requires=["lib<1"])
    world.index.offer("right", requires=["lib>=1"])
    world.ask_for("left", "right")
    world.refuses(
        1,
        *BUILD,
        says=[f"error: {CONFLICT}"],
    )


def test_a_package_with_sources_only_is_named_and_never_built(world: World) -> None:
    sentinel = world.root / "sentinel"
    world.index.add("fromsource-1.0.tar.gz", sdist(str(sentinel)))
    world.index.offer("user", requires=["fromsource"])
    world.ask_for("user")
    world.refuses(
        1,
        *BUILD,
        says=[f"error: fromsource==1.0 {NO_BUILDS} (tier python asks for user): {OTHERWISE}"],
    )
    assert not sentinel.exists()


def test_a_package_for_other_platforms_only_is_named_with_them(world: World) -> None:
    world.index.add("winonly-1.0-cp311-cp311-win_amd64.whl", wheel_of("winonly"))
    world.ask_for("winonly")
    world.refuses(
        1,
        *BUILD,
        says=[f"error: winonly==1.0 {FOREIGN} (tier python asks for winonly): {OTHERWISE}"],
    )


def test_exclude_drops_what_nobody_can_build(world: World) -> None:
    world.index.add("fromsource-1.0.tar.gz", sdist("sentinel"))
    world.index.offer("user", requires=["fromsource"])
    world.ask_for("user", more='\n[resolve]\nexclude = ["fromsource"]\n')
    outcome = world.build()
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("answer", ["401 Unauthorized", "403 Forbidden"])
def test_an_index_that_wants_a_password_is_a_lack(world: World, answer: str) -> None:
    world.index.route("simple/other/", status(int(answer.split(maxsplit=1)[0])))
    world.ask_for("app", "other")
    outcome = world.ds01(*BUILD)
    assert outcome.code == 4, outcome.err
    assert outcome.complaint[0].startswith(f"error: the package index answers {answer}: ")
    assert outcome.complaint[1:] == [
        "hint:  put user and password into the netrc file or DS01_INDEX_URL"
    ]
    assert world.images() == world.built


def test_a_page_that_is_no_index_is_refused(world: World) -> None:
    world.index.route("simple/other/", captive())
    world.ask_for("other")
    outcome = world.ds01(*BUILD)
    assert outcome.code in {1, 4}, outcome.err
    assert "Traceback" not in outcome.err
    assert "bug" not in outcome.err
    assert world.images() == world.built


def test_an_index_without_sha256_is_refused_by_name(world: World) -> None:
    made = wheel_of("unhashed")
    world.index.route("files/unhashed-1.0-py3-none-any.whl", content(made))
    row = {
        "filename": "unhashed-1.0-py3-none-any.whl",
        "url": "../../files/unhashed-1.0-py3-none-any.whl",
        "hashes": {"md5": "0" * 32},
    }
    page = {"meta": {"api-version": "1.0"}, "name": "unhashed", "files": [row]}
    world.index.route("simple/unhashed/", typed(json.dumps(page).encode(), SIMPLE_JSON))
    world.ask_for("unhashed")
    world.refuses(
        1,
        *BUILD,
        says=["error: the package index has no sha256 for 'unhashed-1.0-py3-none-any.whl'"],
    )


def test_an_index_of_html_pages_without_sizes_will_do(world: World) -> None:
    file = "plain-1.0-py3-none-any.whl"
    world.index.add(file, wheel_of("plain"))
    digest = world.index.offers["plain"][file]["hashes"]["sha256"]
    page = f'<!DOCTYPE html><a href="../../files/{file}#sha256={digest}">{file}</a>'
    world.index.route("simple/plain/", typed(page.encode(), "text/html"))
    world.ask_for("plain")
    outcome = world.build()
    assert outcome.code == 0, outcome.err


def test_what_an_index_says_cannot_reach_the_terminal(world: World) -> None:
    world.index.offer("gone")
    file = "gone-1.0-py3-none-any.whl"
    row = {**world.index.offers["gone"][file], "yanked": "\x1b[31mred\x1b[0m\nerror: forged"}
    page = {"meta": {"api-version": "1.0"}, "name": "gone", "files": [row]}
    world.index.route("simple/gone/", typed(json.dumps(page).encode(), SIMPLE_JSON))
    world.ask_for("gone>=1")
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert "gone" in outcome.complaint[0]
    assert "\x1b" not in outcome.err
    assert "\nerror: forged" not in outcome.err


def test_a_file_of_another_package_is_not_taken(world: World) -> None:
    file = "other-1.0-py3-none-any.whl"
    page = {
        "meta": {"api-version": "1.0"},
        "name": "posing",
        "files": [world.index.offers["other"][file]],
    }
    world.index.route("simple/posing/", typed(json.dumps(page).encode(), SIMPLE_JSON))
    world.ask_for("posing")
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert "posing" in outcome.complaint[0]
    assert world.images() == world.built


def test_a_deb_that_does_not_exist_is_named_with_what_may_be_meant(world: World) -> None:
    world.write(RECIPE + APT_TIER % '"tooll"')
    outcome = world.refuses(
        1,
        *BUILD,
        says=[
            "error: tier 'system': Debian bookworm has no package 'tooll' (did you mean tool?)",
        ],
    )
    assert "resolving .debs" in outcome.err


def test_debs_that_exclude_each_other_name_both_requirers(world: World) -> None:
    world = own_archive(world)
    world.archive.publish(
        Package("wants-two", depends="libtool (>= 2)"),
        Package("wants-one", depends="libtool (= 1.0-1)"),
    )
    world.write(RECIPE + APT_TIER % '"wants-one", "wants-two"')
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0].startswith("error: tier 'system': no versions satisfy it: ")
    for words in ("wants-two: Depends: libtool (>= 2)", "wants-one: Depends: libtool (= 1.0-1)"):
        assert words in outcome.complaint[0]
    assert world.images() == world.built


def test_a_deb_that_needs_its_scripts_is_refused_by_name(world: World) -> None:
    world = own_archive(world)
    world.archive.publish(Package("postfix"))
    world.write(RECIPE + APT_TIER % '"postfix"')
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0].startswith("error: maintainer scripts are not run, and cannot be ")
    assert "postfix" in outcome.complaint[0]


def test_an_archive_that_the_keyring_does_not_vouch_for_is_refused(world: World) -> None:
    world.write(RECIPE + APT_TIER % '"tool"')
    keyring = world.root / "empty.gpg"
    keyring.write_bytes(b"")
    outcome = replace(world, variables={"DS01_APT_KEYRING": str(keyring)}).ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert f"is not vouched for by {keyring}" in outcome.complaint[0]
    assert world.images() == world.built


SETTINGS = {
    "an index with a space": (
        {"DS01_INDEX_URL": "https://user:hunter2@in valid/simple"},
        "DS01_INDEX_URL is a URL with spaces, control characters or backslashes",
    ),
    "an index without a host": (
        {"DS01_INDEX_URL": "https://user:hunter2@/simple"},
        "DS01_INDEX_URL is a URL without a host",
    ),
    "an index with a bad port": (
        {"PIP_INDEX_URL": "https://user:hunter2@index.invalid:port/", "DS01_INDEX_URL": ""},
        "PIP_INDEX_URL is a URL with a malformed host or port",
    ),
    "a mirror with an escape": (
        {"DS01_APT_MIRROR": "http://user:hunter2@a\x1b[31m/debian"},
        "DS01_APT_MIRROR is a URL with spaces, control characters or backslashes",
    ),
    "a keyring that is not there": (
        {"DS01_APT_KEYRING": "/nowhere/archive.gpg"},
        "the keyring '/nowhere/archive.gpg' does not exist or may not be read",
    ),
    "a keyring with a newline": (
        {"DS01_APT_KEYRING": "/nowhere/\nDeb evil"},
        "the keyring for apt is not the absolute path of a keyring: '/nowhere/\\nDeb evil'",
    ),
    "a cache that is no directory": (
        {"XDG_CACHE_HOME": "/dev/null"},
        "/dev/null/ds01 cannot be written to: Not a directory",
    ),
}


@pytest.mark.parametrize(("variables", "problem"), SETTINGS.values(), ids=SETTINGS.keys())
def test_settings_that_make_no_sense_are_told_without_what_they_hold(
    world: World, variables: dict[str, str], problem: str
) -> None:
    world.write(RECIPE + APT_TIER % '"tool"')
    outcome = replace(world, variables=variables).ds01(*BUILD)
    assert outcome.complaint[0] == f"error: {problem}"
    assert outcome.code in {1, 4}
    assert "hunter2" not in outcome.err
    assert is_shown_safely(outcome.err)
    assert world.images() == world.built


def test_a_package_may_hold_what_another_already_has(world: World) -> None:
    same = File(name=b"shared/__init__.py", content=b"VERSION = 1\n")
    world.index.offer("one", "1.0", same)
    world.index.offer("two", "1.0", same)
    world.ask_for("one", "two")
    assert world.build().code == 0


@pytest.mark.parametrize("tiers", ["one tier", "two tiers"])
def test_two_wheels_that_own_one_path_are_named_and_exclude_is_the_way_out(
    world: World, tiers: str
) -> None:
    world.index.offer("headless", "1.0", File(name=b"cv/__init__.py", content=b"HEADLESS = 1\n"))
    world.index.offer("headed", "1.0", File(name=b"cv/__init__.py", content=b"HEADLESS = 0\n"))
    world.index.offer("vision", requires=["headless"])
    recipe = RECIPE.replace('"app"', '"app", "headed"')
    recipe += '\n[tiers.more]\nkind = "python"\npackages = ["vision"]\n'
    if tiers == "one tier":
        recipe = RECIPE.replace('"app"', '"headed", "vision"')
    world.write(recipe)
    assert world.ds01("lock", "demo.toml").code == 0
    world.refuses(
        1,
        *BUILD,
        says=[
            f"error: {SITE}/cv/__init__.py: headed==1.0 and headless==1.0 disagree {BYTES}",
            f"hint:  {WAY_OUT}",
        ],
    )
    world.write(recipe + '\n[resolve]\nexclude = ["headless"]\n')
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    assert world.images() != world.built
