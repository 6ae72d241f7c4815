"""What a stage that fails leaves in an engine whose own builder makes an image of each step."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest
from engines import Names, Tars, image
from tools_image import tools

from ds01build.engine.builder import Classic, Order
from ds01build.engine.leftovers import present, remove_steps
from ds01build.engine.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ds01build.engine.api import Engine

pytest_plugins = ("engine_fixtures",)


@dataclass(frozen=True)
class Bench:
    """An engine with a base that nobody else has."""

    engine: Engine
    base: str
    base_id: str
    context: Path

    def order(self, *commands: str) -> Order:
        lines = [f"FROM {self.base} AS stage", *(f"RUN {command}" for command in commands)]
        (self.context / "Dockerfile").write_text("\n".join(lines))
        return Order(context=self.context, target="stage", tag=f"{self.base}-made", network=False)

    def build(self, *commands: str) -> tuple[bool, str]:
        builder = Classic(client=self.engine.client, environment={})
        return builder.build(self.order(*commands))

    def made(self) -> set[str]:
        """Return the images that stand on the base."""
        rows = self.engine.client.images(all=True)
        found = {self.base_id}
        for _ in rows:
            found |= {row["Id"] for row in rows if row["ParentId"] in found}
        return found - {self.base_id}


@pytest.fixture
def bench(graph_engine: Engine, tmp_path: Path) -> Iterator[Bench]:
    tars = [tools()]
    names = Names(graph_engine, f"ds01-test/{secrets.token_hex(6)}")
    made = load(
        graph_engine, image(tars, Env=["PATH=/usr/bin"]), Tars.of(tars), [names.tag("base")]
    )
    found = Bench(graph_engine, names.tag("base"), str(made.engine_id), tmp_path)
    yield found
    for each in (f"{found.base}-made", names.tag("other")):
        graph_engine.remove(each)
    assert found.made() == set()
    assert graph_engine.remove(found.base)


def test_a_stage_that_fails_leaves_no_image(bench: Bench) -> None:
    done, printed = bench.build("echo a >/a", "echo b >/b", "exit 3")
    assert not done
    assert "returned a non-zero code: 3" in printed
    assert bench.made() == set()


def test_a_stage_that_is_built_goes_with_its_tag(bench: Bench) -> None:
    assert bench.build("echo a >/a", "echo b >/b")[0]
    assert len(bench.made()) == 2
    bench.engine.remove(f"{bench.base}-made")
    assert bench.made() == set()


def dangling(bench: Bench) -> str:
    """Make an image without a name, as somebody's failed build leaves it, and return its id."""
    assert bench.build("echo theirs >/theirs")[0]
    (theirs,) = bench.made()
    bench.engine.client.tag(bench.base_id, bench.base.rpartition(":")[0], "base-made", force=True)
    return theirs


def test_nobody_elses_image_goes_whatever_a_command_prints(bench: Bench) -> None:
    theirs = dangling(bench)
    try:
        done, printed = bench.build(
            f"echo ' ---> {theirs.removeprefix('sha256:')[:12]}'", "echo b >/b", "exit 3"
        )
        assert not done
        assert f"\n ---> {theirs.removeprefix('sha256:')[:12]}\n" in printed
        assert bench.made() == {theirs}
    finally:
        bench.engine.client.remove_image(theirs)


def test_what_was_there_before_is_no_step_of_this_build(bench: Bench) -> None:
    theirs = dangling(bench)
    try:
        # It has done the same, so its image is taken from there.
        done, printed = bench.build("echo theirs >/theirs", "exit 3")
        assert not done
        assert "Using cache" in printed
        assert bench.made() == {theirs}
        remove_steps(bench.engine.client, printed, present(bench.engine.client))
        assert bench.made() == {theirs}
    finally:
        bench.engine.client.remove_image(theirs)


def test_an_engine_that_cannot_list_its_images_builds_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(**words: object) -> None:
        raise docker.errors.APIError(f"one cannot be described: {sorted(words)}")

    with monkeypatch.context() as patch:
        patch.setattr(bench.engine.client, "images", damaged)
        assert present(bench.engine.client) is None
        assert bench.build("echo a >/a")[0]


def test_an_interrupted_stage_leaves_no_image(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Iterator[dict[str, Any]]] = bench.engine.client.build

    def interrupted(**words: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (docker-py's)
        for message in real(**words):
            yield message
            if "Step 4/4" in str(message.get("stream")):
                threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT]).start()

    monkeypatch.setattr(bench.engine.client, "build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.build("echo a >/a", "echo b >/b", "sleep 100")
    assert bench.made() == set()
