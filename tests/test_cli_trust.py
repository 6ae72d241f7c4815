"""What is not taken on trust: edited locks, damaged files, the way a recipe is named."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from ds01build import versions
from ds01build.digest import Digest
from ds01build.workflow import quick

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)


@pytest.mark.parametrize(
    ("was", "now", "path"),
    [
        ('name = "demo"', 'name = "other"', "name: 'other', the recipe is called 'demo'"),
        (
            'suite = "bookworm"',
            'suite = "trixie"',
            "base.suite: 'trixie', the recipe says 'bookworm'",
        ),
        ('version = "3.11.2"', 'version = "3.11.9"', "target: is not that of the locked Python"),
        ('data = "/usr/local"', 'data = "/etc"', "target: is not that of the locked Python"),
        ('to = "share/man"', 'to = "../../etc"', "target: is not that of the locked Python"),
    ],
)
def test_a_value_that_ds01_would_not_write_is_refused(
    world: World, was: str, now: str, path: str
) -> None:
    text = world.lock.read_text(encoding="utf-8")
    assert was in text
    world.lock.write_text(text.replace(was, now, 1), encoding="utf-8")
    done = world.ds01("build", "demo.toml")
    assert done.code == 1
    assert path in done.err
    assert "hint:  remove " in done.err


def test_a_package_that_the_lock_does_not_have_cannot_be_upgraded(world: World) -> None:
    done = world.ds01("lock", "--upgrade-package", "nothere", "demo.toml")
    assert done.code == 1
    assert "error: the lock has no package 'nothere'" in done.err


def test_a_damaged_download_is_moved_aside_and_fetched_again(world: World) -> None:
    world.build("--keep-sources")
    before = world.images()
    damaged = 0
    for blob in (world.store / "blobs" / "sha256").iterdir():
        content = blob.read_bytes()
        if content.startswith(b"PK"):
            blob.chmod(0o600)
            blob.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
            damaged += 1
    assert damaged
    for row in (world.store / "keys").rglob("*.json"):
        row.unlink()
    for _ in range(damaged):
        done = world.ds01("build", "demo.toml")
        assert done.code == 1
        assert "was damaged in the store and has been moved aside" in done.err
    assert world.build().code == 0
    assert world.images() == before


def test_the_lock_is_found_from_within_the_directory_of_recipes(world: World) -> None:
    root = world.recipe.parent
    (root / "recipes").mkdir()
    (root / "lockfiles").mkdir()
    world.recipe.rename(root / "recipes" / "demo.toml")
    world.lock.rename(root / "lockfiles" / "demo.lock")
    command = world.command("build", "--locked", "demo.toml")
    done = subprocess.run(
        command,
        cwd=root / "recipes",
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not (root / "recipes" / "demo.lock").exists()


@pytest.mark.parametrize("redirection", [">/dev/full", "2>&-"])
def test_an_answer_that_cannot_be_written_is_no_bug(world: World, redirection: str) -> None:
    words = " ".join(map(str, world.command("build", "demo.toml")))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{words} {redirection}"],
        cwd=world.recipe.parent,
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 1)
    assert "a bug in ds01" not in done.stderr


def test_help_shows_its_examples_line_by_line(world: World) -> None:
    lines = world.ds01("lock", "--help").out.splitlines()
    assert "  ds01 lock recipes/quickstart.toml" in lines


def test_what_a_build_printed_names_its_image(world: World) -> None:
    reference = world.build().out.strip()
    place = world.recipe.parent / "exported"
    assert world.ds01("image", "export", reference, "--oci-dir", place).code == 0
    digits = reference.rpartition(":")[2][:12]
    assert world.ds01("image", "export", digits, "--oci-dir", f"{place}2").code == 0


def test_a_new_writer_forgets_what_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, lock = Digest.of(b"recipe"), Digest.of(b"lock")
    before = quick.build_key(recipe, lock)
    monkeypatch.setattr(versions, "WRITER", versions.WRITER + 1)
    assert quick.build_key(recipe, lock) != before
