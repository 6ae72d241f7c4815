"""What a container is wished to be, by words and by answers, before an engine is asked."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.catalogue import frameworks
from ds01build.cli.making import summary
from ds01build.cli.picking import Asked, Desk
from ds01build.cli.wishing import settled
from ds01build.container import Identity, Wish
from ds01build.container.names import check_name
from ds01build.digest import Digest
from ds01build.errors import Ds01Error
from ds01build.reference import parse_reference
from ds01build.workflow import selecting
from ds01build.workflow.containers import Host
from ds01build.workflow.inventory import Held
from ds01build.workflow.ports import free_port
from ds01build.workflow.selecting import Candidate
from ds01build.workflow.sharing import Base

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ds01build.asking import Option
    from ds01build.engine.api import Engine

T = TypeVar("T")
OPTIONS: dict[str, Any] = {
    "workspace": None,
    "data": None,
    "models": None,
    "cpu_only": False,
    "gpus": None,
    "devices": (),
    "network": None,
    "sudo": False,
    "mlc_labels": False,
    "existing": False,
    "recreate": False,
}


@dataclass
class Answers:
    """An Asker that gives answers in their order, and notes what was asked."""

    given: list[str]
    asked: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        pass

    def explain(self, topic: str) -> None:
        pass

    def choose(self, question: str, _options: Sequence[Option], default: str) -> str:
        return self._next(question) or default

    def check(
        self, question: str, _options: Sequence[Option], _chosen: Collection[str]
    ) -> tuple[str, ...]:
        raise AssertionError(question)

    def text(
        self, question: str, read: Callable[[str], T], default: str = "", *, typed: str = ""
    ) -> T:
        assert not typed
        return read(self._next(question) or default)

    def confirm(self, question: str, *, default: bool) -> bool:
        return {"y": True, "n": False}.get(self._next(question), default)

    def can_correct(self, problem: str) -> bool:
        raise AssertionError(problem)

    def _next(self, question: str) -> str:
        self.asked.append(question)
        return self.given.pop(0)


def unasked() -> Engine:
    raise AssertionError("no engine is asked")


def image(name: str, framework: str = "", **more: Any) -> Candidate:  # noqa: ANN401
    tag = f"ds01-7/{name}:latest"
    return Candidate(name=name, tag=tag, is_loaded=True, framework=framework, **more)


IMAGES = (image("newest", "pytorch"), image("older", "pytorch"), image("my.project-image"))


def desk(asker: Answers | None = None, most: int = 0, home: Path = Path("/home/u")) -> Desk:
    host = Host(
        engine=unasked,
        identity=Identity(uid=7, gid=8, login="u"),
        home=home,
        report=lambda _: None,
        now=lambda: "",
    )
    return Desk(host, lambda: IMAGES, asker, lambda: most)


def wished(at: Desk, name: str | None, image: str | None = None, **rest: Any) -> Wish:  # noqa: ANN401
    return settled(Asked(name=name, image=image), {**OPTIONS, **rest}, at)


@pytest.mark.parametrize(
    ("most", "options", "answers", "gpus"),
    [
        (0, {}, [], 0),
        (4, {}, ["y", "3"], 3),
        (4, {}, ["", ""], 1),
        (1, {}, [""], 1),
        (4, {}, ["n"], 0),
        (4, {"cpu_only": True}, [], 0),
        (4, {"gpus": 2}, [], 2),
    ],
)
def test_gpus_are_asked_for_where_there_are_any(
    most: int, options: dict[str, Any], answers: list[str], gpus: int
) -> None:
    asker = Answers(list(answers))
    assert wished(desk(asker, most), "a", "b/c", **options).gpus == gpus
    assert asker.given == []


def test_who_cannot_be_asked_gets_one_gpu_of_those_that_are_there() -> None:
    assert wished(desk(most=4), "a", "b/c").gpus == 1
    named = wished(desk(most=4), "a", "b/c", devices=("0.1", "GPU-1"))
    assert (named.gpus, named.devices) == (0, ("0.1", "GPU-1"))


def test_a_number_of_gpus_that_there_are_not_is_no_answer() -> None:
    for text in ("0", "5", "-1", "x", ""):
        with pytest.raises(ValueError, match="a number from 1 to 4"):
            wished(desk(Answers(["y", text or " "]), most=4), "a", "b/c")


def test_an_image_is_chosen_and_the_container_called_like_it() -> None:
    asker = Answers(["ds01-7/my.project-image:latest", ""])
    wish = wished(desk(asker), None)
    assert (wish.name, wish.image) == ("my-project", "ds01-7/my.project-image:latest")
    assert asker.asked == ["Image", "Name of the container"]
    assert wish.workspace == "/home/u/workspace/my-project"


def test_the_newest_image_comes_first_and_is_the_default() -> None:
    assert wished(desk(Answers(["", "x"])), None).image == IMAGES[0].tag


def test_the_workspace_of_an_images_container_is_its_project(tmp_path: Path) -> None:
    project = tmp_path / "workspace/my.project"
    project.mkdir(parents=True)
    assert wished(desk(home=tmp_path), "my-project").workspace == str(project)
    other = wished(desk(home=tmp_path), "x", "newest/a").workspace
    assert other == str(tmp_path / "workspace/x")


def test_a_workspace_that_cannot_be_looked_into_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", denied)
    with pytest.raises(Ds01Error, match=r"workspace/my\.project: Permission denied") as caught:
        wished(desk(home=tmp_path), "my-project")
    assert caught.value.hint == (
        f"ls -ld -- {tmp_path}/workspace; --workspace DIR names another one"
    )


def test_of_several_images_on_a_framework_one_is_chosen() -> None:
    newest = selecting.on_framework("Torch", IMAGES)
    assert [each.name for each in newest] == ["newest", "older"]
    with pytest.raises(Ds01Error, match="you have no image on jax") as raised:
        selecting.meant("jax", IMAGES)
    assert raised.value.hint == "image-create --framework jax"
    with pytest.raises(Ds01Error, match="did you mean 'newest'"):
        selecting.meant("newst", IMAGES)
    named = (*IMAGES, image("pytorch"))
    assert [each.name for each in selecting.meant("pytorch", named)] == ["pytorch"]


def test_options_that_contradict_each_other_are_refused() -> None:
    for options in (
        {"cpu_only": True, "gpus": 1},
        {"cpu_only": True, "devices": ("0",)},
        {"gpus": 0, "devices": ("0",)},
        {"existing": True, "recreate": True},
    ):
        with pytest.raises(click.UsageError, match="contradict"):
            wished(desk(), "a", "b/c", **options)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("thesis", ""),
        ("python:3.12", "python:3.12"),
        ("lab:5000/a/b", "lab:5000/a/b:latest"),
        (f"a@sha256:{'0' * 64}", f"a@sha256:{'0' * 64}"),
    ],
)
def test_a_full_reference_is_told_from_a_name(text: str, full: str) -> None:
    assert selecting.full_reference(text) == full


def test_what_is_no_reference_is_told_with_why() -> None:
    with pytest.raises(Ds01Error) as caught:
        selecting.full_reference("UPPER/x:y")
    assert str(caught.value) == (
        "'UPPER/x:y': 'UPPER' is neither a host nor the start of an image's name"
    )


@given(
    st.sampled_from(["a", "x/y", "lab:5000/z"]),
    st.from_regex(r"[a-z0-9]+(?:[._-][a-z0-9]+){0,9}", fullmatch=True),
)
def test_whatever_an_image_is_called_a_container_of_it_has_a_name(host: str, name: str) -> None:
    for tag in (f"{host}/{name}:latest", f"{name}-image:1", f"{name}@sha256:{'1' * 64}"):
        assert check_name(selecting.default_name(tag))


def test_an_image_stands_on_the_framework_whose_image_its_base_is() -> None:
    for row in (frameworks()[0], frameworks()[-1]):
        reference = str(parse_reference(row.image))
        found = selecting._held(held(reference), 7)
        assert found.framework == row.name.lower()
        assert found.remark == "not in the engine"
    assert selecting._held(held("docker.io/library/debian:bookworm"), 7).framework == ""


def held(reference: str) -> Held:
    return Held(
        name="a",
        digest=Digest(f"sha256:{'0' * 64}"),
        layers=1,
        size=1,
        exclusive=1,
        generation=1,
        generations=1,
        created="",
        base=Base(reference=reference, digest=None),
        recipe="",
        verdict="recipe changed",
        is_current=True,
        tags=(),
        containers=(),
    )


def test_what_has_become_of_an_image_is_marked() -> None:
    assert image("a", verdict="recipe changed").remark == "old: recipe changed"
    assert image("a", verdict="fresh").remark == ""


def test_of_ports_that_are_tried_the_first_free_one_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        used = taken.getsockname()[1]
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            free = other.getsockname()[1]
        assert free_port([free - 1], [used, free - 1, free]) == free
        with pytest.raises(Ds01Error, match="no free port"):
            free_port([free], [used, free])


def test_a_wish_reads_as_what_it_is() -> None:
    wish = Wish(name="a", image="b:latest", workspace="/home/u/workspace/a", is_admin=True, gpus=2)
    assert summary(wish, Path("/home/u")).splitlines() == [
        "  Container: a",
        "  Image:     b:latest",
        "  Workspace: ~/workspace/a as /workspace",
        "  GPUs:      2",
        "  Network:   bridge",
        "  Root:      sudo works, so that it can gain privileges",
    ]
