"""``image-delete``: what goes, what never does, and what is asked before."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from test_image_list import build
from world import SCRIPT, Outcome, files_below

from ds01build.store.index import encode

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

pytest_plugins = ("world_fixtures",)

DELETE = ("image", "delete", "--no-engine")
MARK = "# demo: made by ds01 from a lock\nFROM scratch\n"


def deleted(world: World, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 (JSON)
    outcome = world.ds01(*DELETE, "--yes", "--json", *arguments)
    assert outcome.code == code, outcome.err
    assert outcome.answer["schema"] == "ds01.deleted/1"
    return outcome.answer


def outcomes(answer: Any) -> dict[str, str]:  # noqa: ANN401 (JSON)
    return {each["name"]: each["outcome"] for each in answer["images"]}


def names(world: World) -> list[str]:
    answer = world.ds01("image", "list", "--no-engine", "--json").answer
    return [each["name"] for each in answer["images"]]


def everything(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in files_below(root)}


@pytest.fixture
def two(world: World) -> World:
    """A world with two images: demo, of two generations, one of them pinned, and second."""
    world.ask_for("app", "other")
    assert world.build("--no-load").code == 0
    assert world.ds01("store", "pin", "demo@1").code == 0
    build(world, "second", "other")
    return world


@pytest.fixture
def dockerfiles(two: World) -> Path:
    """The directory of Dockerfiles, with that of demo and the context that it was written with."""
    directory = two.root / "home/dockerfiles"
    for path, text in {
        "demo.Dockerfile": MARK,
        "demo.context/install.py": "",
        "demo.context/requirements/python.txt": "",
        f"demo.context/files/{'0' * 16}-0644-notes.txt": "",
        "second.Dockerfile": MARK,
        "demo-2.Dockerfile": MARK,
    }.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    return directory


def asked(world: World, answer: bytes, *arguments: str) -> Outcome:
    """Run a command on a terminal, and answer its one question; stdout is what it printed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SCRIPT.with_name("image-delete"), *arguments],
        env={**world.environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    with process:
        said = _until(ours, b"]: ")  # of the question: nothing before it ends so
        if answer == b"\x03":
            # Between the question and the read behind it a signal waits for the next one.
            for _ in range(100):
                process.send_signal(signal.SIGINT)
                time.sleep(0.01)
                if process.poll() is not None:
                    break
        else:
            os.write(ours, answer)
        said += _until(ours, b"\0")
        process.kill()  # unless it has ended, as it should
        out = process.stdout.read() if process.stdout else b""
    os.close(ours)
    return Outcome(process.returncode, out.decode(), said.decode())


def _until(terminal: int, end: bytes) -> bytes:
    """Return what is said on a terminal, until it ends so or nobody is there any more."""
    said, limit = b"", time.monotonic() + 60
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while not said.endswith(end):
            ready, _, _ = select.select([terminal], [], [], limit - time.monotonic())
            assert ready, f"nothing more comes: {said!r}"
            said += os.read(terminal, 4096)
    return said


def test_nothing_of_a_workspace_is_ever_deleted(two: World, dockerfiles: Path) -> None:
    """Neither a recipe, a lock, nor a Dockerfile in a workspace goes with its image.

    What --help promises to keep is kept, and no backup is promised that nobody makes.
    """
    for name in ("Dockerfile", "demo.Dockerfile", "requirements.txt"):
        two.write(MARK, name)
    context = two.recipe.parent / "Dockerfile.context"
    context.mkdir()
    (context / "install.py").touch()
    before = everything(two.recipe.parent)
    answer = deleted(two, "--all", "--force")
    assert outcomes(answer) == {"demo": "deleted", "second": "deleted"}
    assert everything(two.recipe.parent) == before
    assert not (dockerfiles / "demo.Dockerfile").exists()
    assert "backup" not in two.ds01("image", "delete", "--help").out


def test_an_image_goes_with_its_generations_and_its_dockerfile(
    two: World, dockerfiles: Path
) -> None:
    answer = deleted(two, "demo")
    (row,) = answer["images"]
    assert (row["outcome"], row["generations"]) == ("deleted", [1, 2])
    assert names(two) == ["second"]
    assert not (two.store / "roots/demo").exists()
    assert sorted(path.name for path in dockerfiles.iterdir()) == [
        "demo-2.Dockerfile",
        "second.Dockerfile",
    ]
    index = (two.store / "index.json").read_text()
    assert '"demo' not in index
    assert two.verified() == ""


def test_a_collection_frees_what_was_said(two: World) -> None:
    """What deleting an image gives back is known before: bytes that others share stay."""
    before = two.ds01("store", "gc", "--no-engine", "--dry-run", "--json").answer["bytes"]
    said = two.ds01(*DELETE, "--dry-run", "--json", "demo").answer
    assert said["dry_run"]
    assert names(two) == ["demo", "second"]
    answer = deleted(two, "demo")
    assert answer["gc_bytes"] == said["gc_bytes"] > before
    freed = two.ds01("store", "gc", "--no-engine", "--json").answer["bytes"]
    assert freed == said["gc_bytes"]
    assert two.verified() == ""
    assert set(two.images()) == {"second"}  # all of whose blobs are there


def test_a_dry_run_says_what_goes_and_deletes_nothing(two: World, dockerfiles: Path) -> None:
    before = everything(two.root)
    outcome = two.ds01(*DELETE, "--dry-run", "demo")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        f"file {dockerfiles}/demo.Dockerfile",
        f"file {dockerfiles}/demo.context/files/{'0' * 16}-0644-notes.txt",
        f"file {dockerfiles}/demo.context/install.py",
        f"file {dockerfiles}/demo.context/requirements/python.txt",
        "generation demo@1",
        "generation demo@2",
        "image demo",
    ]
    assert outcome.err.splitlines()[0] == "nothing is deleted: this is what would be"
    changed = {path for path, text in everything(two.root).items() if before.get(path) != text}
    assert not {path for path in changed if "/leases/" not in path and "/locks/" not in path}
    done = two.ds01(*DELETE, "--yes", "demo")
    assert done.out == outcome.out


def test_a_deleted_image_is_built_again_from_its_recipe(two: World) -> None:
    digest = two.images()["demo"]
    deleted(two, "demo")
    outcome = two.build("--no-load", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.answer["image"]["digest"] == digest
    assert {layer["action"] for layer in outcome.answer["layers"]} == {"reused"}
    answer = two.ds01("image", "list", "--no-engine", "--json").answer
    assert [each["generation"] for each in answer["images"]] == [1, 1]


def test_a_dockerfile_stays_that_is_kept_or_that_ds01_did_not_write(
    two: World, dockerfiles: Path
) -> None:
    before = everything(dockerfiles)
    deleted(two, "demo", "--keep-dockerfile")
    assert everything(dockerfiles) == before
    (dockerfiles / "second.Dockerfile").write_text("FROM debian\n")
    (row,) = deleted(two, "second")["images"]
    assert row["left"] == [f"{dockerfiles}/second.Dockerfile"]
    assert (dockerfiles / "second.Dockerfile").read_text() == "FROM debian\n"


def test_what_a_person_put_into_a_context_stays(two: World, dockerfiles: Path) -> None:
    mine = [dockerfiles / "demo.context" / name for name in ("notes.md", "files/mine.toml")]
    for path in mine:
        path.write_text("mine\n")
    (row,) = deleted(two, "demo")["images"]
    assert row["left"] == sorted(map(str, mine))
    assert sorted(files_below(dockerfiles / "demo.context")) == sorted(mine)
    assert not (dockerfiles / "demo.context/requirements").exists()


def test_nothing_behind_a_link_is_deleted(two: World, dockerfiles: Path) -> None:
    there = two.recipe.parent / "there"
    (dockerfiles / "demo.context").rename(there)
    (dockerfiles / "demo.context").symlink_to(there)
    before = everything(there)
    deleted(two, "demo")
    assert everything(there) == before
    (dockerfiles / "second.Dockerfile").unlink()
    (dockerfiles / "second.Dockerfile").symlink_to(two.write(MARK, "own.Dockerfile"))
    aside = dockerfiles.rename(two.root / "aside")
    dockerfiles.symlink_to(aside)
    deleted(two, "second")
    assert (aside / "second.Dockerfile").is_symlink()
    assert (two.recipe.parent / "own.Dockerfile").read_text() == MARK


def test_a_recipe_that_lies_in_a_context_stays(two: World, dockerfiles: Path) -> None:
    own = dockerfiles / "demo.context/requirements/demo.txt"
    own.write_text(two.recipe.read_text())
    outcome = two.ds01("build", "--no-load", own)
    assert outcome.code == 0, outcome.err
    deleted(two, "demo")
    assert own.exists()


def test_what_is_not_there_is_skipped_and_the_rest_is_done(two: World) -> None:
    outcome = two.ds01(*DELETE, "--yes", "dmo", "second", "demo@1", "ds01-1/demo")
    assert outcome.code == 1
    assert names(two) == ["demo"]
    said = [line for line in outcome.err.splitlines() if line.startswith(("skipped", "error"))]
    numbered = "an image goes with all its generations (ds01 store gc --keep N drops some)"
    assert said == [
        "skipped: dmo: no image is called 'dmo'; did you mean 'demo'? (ds01 image list)",
        f"skipped: demo@1: {numbered}",
        "skipped: ds01-1/demo: no image is called 'ds01-1/demo' (ds01 image list)",
        "error: 1 deleted, 3 skipped, 0 failed",
    ]


def test_every_image_of_an_answer_has_the_same_keys(two: World, dockerfiles: Path) -> None:
    (dockerfiles / "demo.Dockerfile").unlink()
    (dockerfiles / "demo.Dockerfile").mkdir()  # which is no file
    answer = deleted(two, "demo", "second", "missing", "demo@1", code=1)
    assert outcomes(answer) == {
        "demo": "failed",
        "second": "deleted",
        "missing": "skipped",
        "demo@1": "skipped",
    }
    assert len({tuple(sorted(each)) for each in answer["images"]}) == 1
    assert answer["images"][2]["generations"] == answer["images"][2]["left"] == []


def test_what_goes_wrong_with_one_image_is_said_and_the_rest_is_done(
    two: World, dockerfiles: Path
) -> None:
    (dockerfiles / "demo.Dockerfile").unlink()
    (dockerfiles / "demo.Dockerfile").mkdir()  # which is no file
    outcome = two.ds01(*DELETE, "--yes", "demo", "second", "--json")
    assert outcome.code == 1
    assert outcomes(outcome.answer) == {"demo": "failed", "second": "deleted"}
    assert outcome.complaint == ["error: 1 deleted, 0 skipped, 1 failed"]
    assert f"failed: demo: {dockerfiles}/demo.Dockerfile is no regular file" in outcome.err
    assert names(two) == ["demo"]
    assert outcomes(deleted(two, "demo", "--keep-dockerfile")) == {"demo": "deleted"}


def test_an_image_has_several_names_and_goes_once(two: World) -> None:
    full = f"ds01-{os.geteuid()}/demo"
    assert outcomes(deleted(two, full, "demo", f"{full}:latest")) == {"demo": "deleted"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name the images to delete, or give --all"),
        (("demo", "--all", "--yes"), "name the images to delete, or give --all"),
        (("demo",), "there is no terminal to ask on: --yes goes on without"),
        (("--all",), "there is no terminal to ask on: --yes goes on without"),
    ],
)
def test_without_a_terminal_nothing_is_asked_and_nothing_deleted(
    two: World, arguments: tuple[str, ...], problem: str
) -> None:
    outcome = two.ds01(*DELETE, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1] == f"Error: {problem}"
    assert names(two) == ["demo", "second"]


def test_a_person_is_asked_and_no_is_the_default(two: World, dockerfiles: Path) -> None:
    for answer in (b"\n", b"n\n"):
        outcome = asked(two, answer, "--no-engine", "demo")
        assert (outcome.code, outcome.out) == (0, "")
        assert "Delete demo? [y/N]: " in outcome.err
        assert "demo: 2 generations" in outcome.err
        assert f"{dockerfiles}/demo.Dockerfile" in outcome.err
        assert f"stays: {two.recipe}" in outcome.err
        assert outcome.err.rstrip().endswith("nothing is deleted")
    assert names(two) == ["demo", "second"]
    outcome = asked(two, b"y\n", "--no-engine", "demo", "--json")
    assert outcome.code == 0
    assert outcomes(json.loads(outcome.out)) == {"demo": "deleted"}
    assert names(two) == ["second"]


def test_all_images_go_only_at_the_word_yes(two: World) -> None:
    for answer in (b"y\n", b"\n", b"YES\n", b"no\n"):
        outcome = asked(two, answer, "--no-engine", "--all")
        assert (outcome.code, outcome.out) == (0, "")
        assert "Delete all images (demo, second)? Type yes" in outcome.err
    assert names(two) == ["demo", "second"]
    assert asked(two, b"yes\n", "--no-engine", "--all").code == 0
    assert names(two) == []


def test_an_interrupt_at_the_question_deletes_nothing(two: World) -> None:
    outcome = asked(two, b"\x03", "--no-engine", "demo")
    assert outcome.code == 130
    assert names(two) == ["demo", "second"]


def test_containers_that_cannot_be_seen_are_not_taken_for_none(two: World) -> None:
    for option in ("--yes", "--force"):
        outcome = two.ds01("image", "delete", option, "demo")  # whose engine does not answer
        assert outcome.code == 4
        assert outcome.complaint == [
            "error: which containers use an image is not known, since the engine does not answer",
            "hint:  docker info; image-delete --no-engine deletes from the store alone",
        ]
    assert names(two) == ["demo", "second"]


def test_names_are_not_lost_where_the_index_is_damaged(two: World) -> None:
    index = two.store / "index.json"
    index.write_text("{")
    outcome = two.ds01(*DELETE, "--yes", "demo")
    assert outcome.code == 1
    assert outcome.complaint == [
        f"error: {index} is damaged: nothing is deleted",
        "hint:  ds01 store verify --repair",
    ]
    assert index.read_text() == "{"


def test_a_damaged_generation_goes_with_its_image(two: World) -> None:
    (two.store / "roots/demo/2.json").write_text("{")
    answer = deleted(two, "demo")
    assert outcomes(answer) == {"demo": "deleted"}
    assert not (two.store / "roots/demo").exists()
    assert two.verified() == ""


def test_what_was_interrupted_is_deleted_by_the_next_attempt(two: World) -> None:
    """A crash leaves generations without a name, or fewer of them: they can be deleted still."""
    index = json.loads((two.store / "index.json").read_text())
    kept = [
        each
        for each in index["manifests"]
        if not each["annotations"]["org.opencontainers.image.ref.name"].startswith("demo")
    ]
    (two.store / "index.json").write_bytes(encode(kept))
    (two.store / "roots/demo/1.json").unlink()
    assert names(two) == ["second"]
    assert outcomes(deleted(two, "demo")) == {"demo": "deleted"}
    assert not (two.store / "roots/demo").exists()
