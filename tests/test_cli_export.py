"""``ds01 export``: one file at a time, never over another, and pip and uv install from it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import served_images as served
import tomli
from packaging.pylock import Pylock
from served_images import LIBC, PYTHON, RUNTIME, Shelf
from test_base_facts import installed
from world import NUMBERS, RECIPE, SIMPLE_JSON, secret_index, typed

from ds01build.lockfile import loads

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

FORMATS = ("pylock", "requirements", "spdx", "cyclonedx", "devcontainer")
SITE = "usr/local/lib/python3.11/site-packages"
PROBLEM = (
    "no package index offers app==1.0 with the locked sha256 any more, and pylock.toml has to say "
    "where it is"
)
UV = Path(sys.executable).with_name("uv")


def exported(world: World, wanted: str, *options: str) -> str:
    outcome = world.ds01("export", "--quiet", "--format", wanted, *options, "demo.toml")
    assert outcome.code == 0, outcome.err
    return outcome.out


def stand_on(world: World, *distributions: tuple[str, str]) -> str:
    """Let the recipe stand on an image that has ``distributions``, and return its name."""
    shelf = Shelf(world.index.server, f"base/{next(NUMBERS)}")
    made = [item for pair in distributions for item in installed(SITE, *pair)]
    shelf.show(served.image([*RUNTIME, LIBC], [*PYTHON, *made]))
    world.write(RECIPE.replace('debian = "bookworm"', f'image = "{shelf.reference}"'))
    return shelf.reference


def run(*command: str | Path) -> str:
    """Run an installer as it is configured for nobody, and return all that it says."""
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PIP_CONFIG_FILE": "/dev/null"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("wanted", FORMATS)
def test_an_export_is_all_of_stdout_and_the_same_again(world: World, wanted: str) -> None:
    first = exported(world, wanted)
    assert first.endswith("\n")
    assert exported(world, wanted) == first
    assert exported(world, wanted, "--frozen") == first
    assert exported(world, wanted, "-o", name := _name(wanted)) == f"{name}\n"
    assert (world.recipe.parent / name).read_text(encoding="utf-8") == first


def _name(wanted: str) -> str:
    return "pylock.toml" if wanted == "pylock" else f"out/{wanted}"


def test_it_locks_first_where_there_is_no_lock(world: World) -> None:
    world.lock.unlink()
    text = exported(world, "requirements")
    locked = loads(world.lock.read_text(encoding="utf-8"), source="demo.lock")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [f"{pin} --hash={pin.digest}" for pin in locked.wheels]
    world.lock.unlink()
    outcome = world.ds01("export", "--format", "spdx", "--locked", "demo.toml")
    assert (outcome.code, outcome.out) == (3, "")
    assert not world.lock.exists()


def test_a_pylock_says_where_the_index_has_each_wheel(world: World) -> None:
    document = tomli.loads(exported(world, "pylock"))
    read = Pylock.from_dict(document)
    files = {name: row for table in world.index.offers.values() for name, row in table.items()}
    found = {wheel.name: wheel for each in read.packages for wheel in each.wheels or ()}
    assert found.keys() == {"app-1.0-py3-none-any.whl", "lib-1.0-py3-none-any.whl"}
    for name, wheel in found.items():
        assert name is not None
        assert wheel.url == files[name]["url"]
        assert wheel.hashes == files[name]["hashes"]
    assert world.index.url not in world.lock.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the world's base has Python 3.11")
def test_pip_and_uv_install_from_both_forms_what_is_locked(world: World, tmp_path: Path) -> None:
    lock, lines = world.recipe.parent / "pylock.toml", world.recipe.parent / "requirements.txt"
    exported(world, "pylock", "-o", "pylock.toml")
    exported(world, "requirements", "-o", "requirements.txt")
    target, index = tmp_path / "target", f"--index-url={world.index.url}"
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-cache-dir", "--target")
    hashed = ("--require-hashes", "--no-deps")
    assert "Would install app-1.0 lib-1.0" in run(*pip, target, index, *hashed, "-r", lines)
    assert "Would install app-1.0 lib-1.0" in run(*pip, target, "-r", lock)
    uv = (UV, "pip", "--no-config", f"--cache-dir={tmp_path / 'cache'}")
    where = (f"--target={target}", f"--python={sys.executable}", "--dry-run")
    for command in (
        (*uv, "sync", *where, f"--default-index={world.index.url}", "--require-hashes", lines),
        (*uv, "install", *where, "-r", lock),
        (*uv, "sync", *where, lock),
    ):
        said = run(*command)
        assert " + app==1.0\n" in said
        assert " + lib==1.0\n" in said


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the world's base has Python 3.11")
def test_a_wheel_of_a_url_is_installed_from_there(world: World, tmp_path: Path) -> None:
    file = "other-1.0-py3-none-any.whl"
    url, sha256 = world.index.offers["other"][file]["url"], _sha256(world, "other", file)
    world.write(RECIPE.replace('["app"]', f'["other @ {url}#sha256={sha256}"]'))
    exported(world, "pylock", "-o", "pylock.toml")
    exported(world, "requirements", "-o", "requirements.txt")
    target = f"--target={tmp_path / 'target'}"
    for name in ("pylock.toml", "requirements.txt"):
        path = world.recipe.with_name(name)
        assert url in path.read_text(encoding="utf-8")
        more = ("--require-hashes", "--no-deps") if name == "requirements.txt" else ()
        pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-cache-dir")
        assert "Would install other-1.0" in run(*pip, target, *more, "-r", path)
        uv = (UV, "pip", "install", "--no-config", f"--cache-dir={tmp_path / 'cache'}")
        where = (target, f"--python={sys.executable}", "--dry-run")
        assert f" + other @ {url}" in run(*uv, *where, *more, "-r", path)


def _sha256(world: World, name: str, file: str) -> str:
    return str(world.index.offers[name][file]["hashes"]["sha256"])


def test_a_wheel_that_the_index_has_no_more_is_told_with_what_helps(world: World) -> None:
    exported(world, "pylock")
    for name in ("app", "lib"):
        world.index.offers[name].clear()
        world.index.add(f"{name}-1.0-py3-none-any.whl", b"other bytes")
    shutil.rmtree(world.root / "home/.cache/ds01/uv")
    world.refuses(
        1,
        *("export", "--quiet", "--format", "pylock", "demo.toml"),
        says=[
            f"error: {PROBLEM}",
            "hint:  ds01 lock --upgrade-package app RECIPE",
        ],
    )


def test_without_a_network_a_pylock_says_where_the_index_had_each_wheel(world: World) -> None:
    first = exported(world, "pylock")
    outcome = world.ds01("export", "--offline", "--quiet", "--format", "pylock", "demo.toml")
    assert outcome.out == first


def test_over_an_image_it_is_said_what_the_base_has(world: World) -> None:
    reference = stand_on(world, ("lib", "1.5"), ("held", "2.0+local"))
    document = tomli.loads(exported(world, "pylock"))
    assert [each["name"] for each in document["packages"]] == ["app"]
    base = document["tool"]["ds01"]["base"]
    assert (base["image"], base["held"]) == (reference, ["held==2.0+local", "lib==1.5"])
    assert "# which has lib==1.5\n" in exported(world, "requirements")
    bill = json.loads(exported(world, "cyclonedx"))
    assert [each["name"] for each in bill["components"]] == [reference, "app"]
    assert {each["name"] for each in bill["components"][0]["components"]} == {"held", "lib"}


def test_what_is_there_is_replaced_only_where_that_is_asked(world: World) -> None:
    path = world.write("mine\n", "out.json")
    outcome = world.refuses(
        1,
        *("export", "--format", "spdx", "-o", "out.json", "demo.toml"),
        says=[
            "error: out.json exists already, and stays as it is",
            "hint:  mv -T -- out.json out.json.old, or --force",
        ],
    )
    assert path.read_text(encoding="utf-8") == "mine\n"
    assert outcome.out == ""
    exported(world, "spdx", "-o", "out.json", "--force")
    assert json.loads(path.read_text(encoding="utf-8"))["spdxVersion"] == "SPDX-2.3"
    assert [each for each in path.parent.iterdir() if each.name.startswith(".out")] == []


def test_what_is_no_file_of_an_answer_is_replaced_in_no_case(world: World) -> None:
    """A pipe stands for a device, which root could replace."""
    folder = world.recipe.parent
    os.mkfifo(folder / "pipe")
    (folder / "mine.json").write_text("mine\n", encoding="utf-8")
    (folder / "link").symlink_to("mine.json")
    (folder / "again").symlink_to(".")
    os.link(world.recipe, folder / "hard")
    before = (world.recipe.read_bytes(), world.lock.read_bytes())
    for path, problem in {
        "pipe": "pipe is no regular file",
        "link": "link is a link",
        "again": "again is a link",
        "demo.toml": "demo.toml is read from",
        "again/demo.toml": "again/demo.toml is read from",
        "hard": "hard is read from",
        "demo.lock": "demo.lock is read from",
    }.items():
        world.refuses(
            1,
            *("export", "--format", "spdx", "--force", "-o", path, "demo.toml"),
            says=[f"error: {problem}, and stays as it is", "hint:  -o names another file"],
        )
    assert (world.recipe.read_bytes(), world.lock.read_bytes()) == before
    assert (folder / "pipe").is_fifo()
    assert (folder / "link").is_symlink()
    assert (folder / "again").is_symlink()


def test_a_lock_that_the_export_makes_is_not_replaced_by_it(world: World) -> None:
    world.lock.unlink()
    words = ("export", "--format", "spdx", "--force", "-o", "demo.lock", "demo.toml")
    assert world.ds01(*words).code == 1
    assert loads(world.lock.read_text(encoding="utf-8"), source="demo.lock").name == "demo"


def test_what_the_recipe_names_is_not_replaced_by_its_export(world: World) -> None:
    world.write(f'{RECIPE}\n[tiers.more]\nkind = "python"\nrequirements = "more.txt"\n')
    texts = {"more.txt": "-r deep.txt\n", "deep.txt": "app\n"}
    paths = [world.write(text, name) for name, text in texts.items()]
    assert world.ds01("lock", "demo.toml").code == 0
    for path in paths:
        world.refuses(
            1,
            *("export", "--format", "requirements", "--force", "-o", path.name, "demo.toml"),
            says=[
                f"error: {path.name} is read from, and stays as it is",
                "hint:  -o names another file",
            ],
        )
        assert path.read_text(encoding="utf-8") == texts[path.name]


def test_what_is_there_is_seen_before_anything_is_locked(world: World) -> None:
    world.write("mine\n", "out.json")
    world.lock.unlink()
    assert world.ds01("export", "--format", "spdx", "-o", "out.json", "demo.toml").code == 1
    assert not world.lock.exists()


def test_a_link_to_nowhere_is_not_written_through(world: World) -> None:
    there = world.recipe.with_name("there.json")
    world.recipe.with_name("out.json").symlink_to(there)
    outcome = world.ds01("export", "--format", "spdx", "-o", "out.json", "demo.toml")
    assert outcome.code == 1
    assert not there.exists()


def test_an_export_can_be_read_by_others(world: World) -> None:
    exported(world, "spdx", "-o", "out.json")
    mode = world.recipe.with_name("out.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o644


def test_the_answer_names_the_file(world: World) -> None:
    outcome = world.ds01("export", "--format", "spdx", "-o", "x.json", "--json", "demo.toml")
    assert outcome.answer == {
        "schema": "ds01.export/1",
        "name": "demo",
        "format": "spdx",
        "path": "x.json",
    }


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("spdx", "--json"), "--json needs -o: without it, stdout is the export itself"),
        (("spdx", "--force"), "--force needs -o: without it, stdout is the export itself"),
        (
            ("dockerfile",),
            "a Dockerfile has a context beside it: name a directory with -o",
        ),
        (
            ("pylock", "-o", "lock.toml"),
            "installers read no pylock from 'lock.toml': call it pylock.toml, or pylock.NAME.toml",
        ),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(
    world: World, words: tuple[str, ...], problem: str
) -> None:
    outcome = world.ds01("export", "demo.toml", "--format", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith(f"Error: {problem}\n")


def test_bills_of_materials_have_the_time_that_is_given_or_a_constant(world: World) -> None:
    def times() -> tuple[Any, Any]:
        spdx, bill = json.loads(exported(world, "spdx")), json.loads(exported(world, "cyclonedx"))
        return spdx["creationInfo"]["created"], bill["metadata"]["timestamp"]

    assert times() == ("1980-01-02T00:00:00Z",) * 2
    world.variables["SOURCE_DATE_EPOCH"] = "1767225600"
    assert times() == ("2026-01-01T00:00:00Z",) * 2
    for wrong in ("soon", "-1", "9" * 12, "1.5"):
        world.variables["SOURCE_DATE_EPOCH"] = wrong
        outcome = world.ds01("export", "--format", "spdx", "demo.toml")
        assert (outcome.code, outcome.out) == (2, "")
        assert f"SOURCE_DATE_EPOCH is '{wrong}', and no count of seconds" in outcome.err


def test_a_dockerfile_is_that_of_its_own_command(world: World) -> None:
    stand_on(world)
    assert (
        exported(world, "dockerfile", "-o", "one") == f"{world.root}/project/one/demo.Dockerfile\n"
    )
    world.ds01("dockerfile", "-o", "two", "demo.toml")
    one, two = (world.recipe.with_name(name) for name in ("one", "two"))
    assert _tree(one) == _tree(two)
    words = ("export", "--format", "dockerfile", "-o", "one", "demo.toml")
    assert world.ds01(*words).complaint[0].endswith("exists already, and stays as it is")
    exported(world, "dockerfile", "-o", "one", "--force")
    (one / "demo.Dockerfile").write_text("FROM mine\n")
    assert world.ds01(*words, "--force").code == 1
    assert (one / "demo.Dockerfile").read_text() == "FROM mine\n"


def test_what_is_no_dockerfile_of_ds01_is_replaced_in_no_case(world: World) -> None:
    stand_on(world)
    folder = world.recipe.parent
    os.mkfifo(folder / "pipe")
    for name in ("one", "two", "three", "four"):
        (folder / name).mkdir()
    os.mkfifo(folder / "one/demo.Dockerfile")
    (folder / "two/demo.Dockerfile").mkdir()
    (folder / "three/demo.Dockerfile").symlink_to(folder / "mine")
    os.link(world.recipe, folder / "four/demo.Dockerfile")
    (folder / "mine").write_text("# made by ds01 from a lock\n", encoding="utf-8")
    words = ("export", "--format", "dockerfile", "--force", "demo.toml", "-o")
    for name, problem in {
        "one": "no regular file",
        "two": "no regular file",
        "three": "a link",
        "four": "read from",
    }.items():
        path = folder / name / "demo.Dockerfile"
        told = [
            f"error: {path} is {problem}, and stays as it is",
            "hint:  -o names another file",
        ]
        world.refuses(1, *words, name, says=told)
        assert not (folder / name / "demo.context").exists()
    assert world.ds01(*words, "pipe").code == 2
    assert (folder / "one/demo.Dockerfile").is_fifo()
    # Its own command replaces what ds01 wrote, and waits for no pipe either.
    outcome = world.ds01("dockerfile", "-o", "one", "demo.toml")
    assert (outcome.code, outcome.out) == (1, "")
    assert "one/demo.Dockerfile is no regular file" in outcome.err


def _tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_no_secret_of_the_index_is_in_an_export(world: World) -> None:
    secret = secret_index(world, "pa55word")
    secret.variables["DS01_INDEX_URL"] = secret.index.url.replace("://", "://user:pa55word@")
    for name, files in secret.index.offers.items():
        # A link that is relative leads to the server whose password is known.
        rows = [{**row, "url": f"../../files/{file}"} for file, row in files.items()]
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": rows, "versions": ["1.0"]}
        secret.index.route(f"simple/{name}/", typed(json.dumps(page).encode(), SIMPLE_JSON))
    for wanted in FORMATS:
        assert "pa55word" not in exported(secret, wanted)
    assert f"{secret.index.prefix}/files/app-1.0" in exported(secret, "pylock")
