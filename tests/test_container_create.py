"""``container-create`` and ``container-deploy``: from an image of one's own to a container."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from docks import Dock
from terminals import DOWN, ENTER, INTERRUPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quays import Quay
    from terminals import Terminal

pytest_plugins = ("engine_fixtures", "container_fixtures")

CREATE, DEPLOY = "container-create", "container-deploy"
NAMES = ("one", "two", "other")


@pytest.fixture
def dock(quay: Quay) -> Iterator[Dock]:
    """A user with the images one and two."""
    made = Dock(quay)
    made.home.mkdir()
    for stem in NAMES[:2]:
        made.offer(stem)
    yield made
    made.clean(*NAMES)


def point(shown: Terminal, text: str) -> None:
    """Go down a menu until the pointer is at what has ``text``: others may have images there."""
    while text not in (line := pointed(shown)):
        shown.press(DOWN)
        for _ in range(100):
            if pointed(shown) != line:
                break
            time.sleep(0.05)
            shown.press("")


def pointed(shown: Terminal) -> str:
    return next(line for line in shown.text.splitlines() if line.lstrip().startswith("»"))


def test_an_image_is_found_by_the_name_of_the_container(dock: Dock) -> None:
    name = dock.name("one")
    ended = dock.run(CREATE, name)
    assert (ended.code, ended.out) == (0, f"{dock.full('one')}\n"), ended.err
    assert f"Enter it: container-run {name}" in ended.err
    found = dock.quay.described(dock.full("one"))
    assert found["State"]["Status"] == "created"
    assert found["Config"]["Image"] == f"ds01-{os.geteuid()}/{name}:latest"
    assert (dock.home / "workspace" / name).is_dir()


@pytest.mark.parametrize("way", ["name", "reference"])
def test_an_image_is_named_by_its_name_or_in_full(dock: Dock, way: str) -> None:
    image = dock.name("one") if way == "name" else dock.quay.tag
    out = dock.done(CREATE, dock.name("other"), image)
    assert out == f"{dock.full('other')}\n"
    label = dock.quay.described(dock.full("other"))["Config"]["Labels"]["ds01.image"]
    assert label == (dock.quay.tag if way == "reference" else f"ds01-0/{image}:latest")


def test_no_image_is_made_for_a_container(dock: Dock) -> None:
    for word, says in (
        ("nosuch", "no image of yours is called 'nosuch'"),
        ("pytorch", "you have no image on pytorch"),
        ("TF", "you have no image on tensorflow"),
        ("a b", "no image of yours is called 'a b'"),
        ("Up/Per", "'Up/Per': not an image reference"),
        ("ds01-0/nosuch", "has no image ds01-0/nosuch:latest"),
    ):
        refused = dock.refused(1, says, CREATE, dock.name("other"), word)
        assert "hint:" in refused.err
    missing = dock.refused(1, "you have no image for a container", CREATE, dock.name("other"))
    assert "image-create" in missing.err
    assert not (dock.home / "workspace").exists()


def test_what_cannot_be_asked_has_to_be_said(dock: Dock) -> None:
    dock.refused(2, "name a container, an image, or both", CREATE)
    dock.refused(2, "name a container, an image, or both", CREATE, "--yes")
    name = dock.name("one")
    for words in (("--cpu-only", "--num-gpus=1"), ("--existing", "--recreate")):
        dock.refused(2, "contradict each other", CREATE, name, *words)


def test_where_no_gpu_is_none_is_given(dock: Dock) -> None:
    says = "this machine has no GPU, or no driver for it"
    dock.refused(1, says, CREATE, dock.name("one"), "--num-gpus", "2")
    body = dock.answer(CREATE, dock.name("one"))["body"]
    assert body["HostConfig"]["DeviceRequests"] == []
    assert "NVIDIA_VISIBLE_DEVICES=void" in body["Env"]


def test_a_dry_run_prints_what_is_then_asked_for(dock: Dock) -> None:
    words = (dock.name("one"), "--data", str(dock.home), "--network", "bridge", "--mlc-labels")
    before = dock.answer(CREATE, *words, "--dry-run")
    assert (before["schema"], dock.containers) == ("ds01.specification/1", {})
    assert not (dock.home / "workspace").exists()
    after = dock.answer(CREATE, *words)
    for answer in (before, after):
        labels = answer["body"]["Labels"]
        assert {labels.pop(each) for each in ("ds01.created_at", "aime.mlc.DS01_CREATED")}
    assert before["body"] == after["body"]
    assert after["outcome"] == "created"
    assert after["body"]["Labels"]["aime.mlc.DATA_MOUNT"] == str(dock.home)


def test_a_port_is_chosen_that_nobody_has(dock: Dock) -> None:
    first = dock.answer(CREATE, dock.name("one"), "--port", "0")["body"]["Labels"]["ds01.port"]
    assert 10_000 <= int(first) < 32_768
    says = f"the container {dock.full('one')} has port {first}"
    other = (dock.name("other"), dock.name("one"))
    dock.refused(1, says, CREATE, *other, "--port", first)
    dock.refused(1, "port 80 is none that a user may have", CREATE, *other, "--port=80")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        says = f"something on this machine listens at port {port}"
        dock.refused(1, says, CREATE, *other, "--port", port)
    again = dock.answer(CREATE, dock.name("one"), "--port", first, "--recreate")
    assert again["body"]["Labels"]["ds01.port"] == first


def test_a_name_that_is_taken_is_left_to_its_container(dock: Dock) -> None:
    name = dock.name("one")
    dock.done(CREATE, name)
    says = f"there is a container {dock.full('one')} already"
    for words in ((), ("--yes",)):
        dock.refused(1, says, CREATE, name, *words)
    before = dock.containers
    assert dock.answer(CREATE, name, "--existing")["outcome"] == "existing"
    assert dock.containers == before
    assert dock.answer(CREATE, name, "--recreate")["outcome"] == "recreated"
    assert dock.containers.keys() == before.keys()
    assert dock.containers != before


def test_a_container_that_others_made_is_not_replaced(dock: Dock) -> None:
    client = dock.quay.engine.client
    client.create_container_from_config({"Image": dock.quay.tag, "Cmd": ["sh"]}, dock.full("one"))
    says = f"there is a container {dock.full('one')} that ds01 did not create for you"
    dock.refused(1, says, CREATE, dock.name("one"), "--recreate")


def test_a_container_that_cannot_be_made_leaves_the_one_that_is_there(dock: Dock) -> None:
    name = dock.name("one")
    dock.done(DEPLOY, name, "--background")
    before = dock.containers
    words = (name, f"{dock.quay.tag}-gone", "--recreate", "--background")
    ended = dock.refused(1, "has no image", DEPLOY, *words)
    assert "hint:" in ended.err
    assert dock.containers == before
    assert dock.quay.described(dock.full("one"))["State"]["Running"]


def test_on_a_terminal_an_image_and_a_name_are_asked_for(dock: Dock) -> None:
    image = dock.name("two")
    with dock.at(CREATE) as shown:
        shown.await_text("Enter)")
        point(shown, image)
        shown.press(ENTER)
        shown.answer("Name of the container", ENTER)
        assert shown.end() == 0, shown.text
    assert dock.containers.keys() == {dock.full("two")}
    assert f"Enter it: container-run {image}" in shown.text


def test_on_a_terminal_there_are_three_ways_where_a_name_is_taken(dock: Dock) -> None:
    name = dock.name("one")
    dock.done(CREATE, name)
    first = dock.containers
    for keys, same in (((ENTER,), True), ((DOWN, ENTER), False)):
        with dock.at(CREATE, name) as shown:
            shown.answer("There is a container", *keys)
            assert shown.end() == 0, shown.text
        assert dock.containers.keys() == first.keys()
        assert (dock.containers == first) is same
    with dock.at(CREATE, name) as shown:
        shown.answer("There is a container", DOWN, DOWN, ENTER)
        shown.answer("Name of the container", dock.name("other"), ENTER)
        assert shown.end() == 0, shown.text
    assert dock.containers.keys() == {dock.full("one"), dock.full("other")}
    assert (dock.home / "workspace" / dock.name("other")).is_dir()


def test_who_interrupts_a_question_leaves_nothing(dock: Dock) -> None:
    for answers in ((), (("Image", ENTER),)):
        with dock.at(CREATE) as shown:
            for question, key in answers:
                shown.answer(question, key)
            shown.answer("Name of the container" if answers else "Image", INTERRUPT)
            assert shown.end() == 130
        assert "Traceback" not in shown.text
    assert dock.containers == {}
    assert not (dock.home / "workspace").exists()


def test_a_deployed_container_runs_and_a_second_time_is_started(dock: Dock) -> None:
    name = dock.name("one")
    assert dock.done(DEPLOY, name, "--background") == f"{dock.full('one')}\n"
    assert dock.quay.described(dock.full("one"))["State"]["Running"]
    dock.quay.engine.client.pause(dock.full("one"))
    before = dock.containers
    out = dock.done(DEPLOY, name, "--open", "--existing")
    assert out == f"{dock.full('one')}\n"
    assert dock.containers == before
    assert dock.quay.described(dock.full("one"))["State"]["Paused"] is False
    assert dock.quay.says(dock.full("one"), "id", "-u") == "0"
    refused = dock.refused(1, "already", DEPLOY, name, "--background")
    hint = "with --existing it is taken as it is; with --recreate it is made anew"
    assert f"hint:  {hint}\n" in refused.err


def test_without_a_terminal_it_is_said_where_a_container_runs(dock: Dock) -> None:
    dock.refused(1, "there is no terminal to ask on", DEPLOY, dock.name("one"))
    says = "contradict each other"
    dock.refused(2, says, DEPLOY, dock.name("one"), "--background", "--open")
    words = (dock.name("one"), "x", "--image", "y", "--background")
    dock.refused(2, "IMAGE and --image are the same", DEPLOY, *words)
    dock.refused(2, "--project: ", DEPLOY, "--project", "A/b", "--background")
    says = "you have no image on pytorch"
    dock.refused(1, says, DEPLOY, dock.name("one"), "--framework", "torch", "--background")
    says = "no framework is called 'nosuch'"
    dock.refused(1, says, DEPLOY, dock.name("one"), "--framework", "nosuch", "--background")


def test_a_project_gives_its_container_name_and_workspace(dock: Dock) -> None:
    project = dock.name("one")
    dock.done(DEPLOY, "--project", project, "--background")
    found = dock.quay.described(dock.full("one"))
    assert found["Config"]["Labels"]["ds01.project"] == project
    directory = str(dock.home / "workspace" / project)
    assert [each["Source"] for each in found["Mounts"]] == [directory]
    words = (dock.name("other"), "--project", project, "--background")
    dock.done(DEPLOY, *words)
    found = dock.quay.described(dock.full("other"))
    assert [each["Source"] for each in found["Mounts"]] == [directory]


def test_on_a_terminal_deploying_asks_what_comes_then(dock: Dock) -> None:
    with dock.at(DEPLOY, dock.name("one")) as shown:
        shown.answer("It starts now. And then?", DOWN, ENTER)
        assert shown.end() == 0, shown.text
    assert dock.quay.described(dock.full("one"))["State"]["Running"]
    assert dock.full("one") in shown.text
    assert "It runs. Enter it: container-run" in shown.text


def test_a_container_of_another_name_is_made_anew_of_its_own_image(dock: Dock) -> None:
    other = dock.name("other")
    dock.done(CREATE, other, dock.name("one"))
    before = dock.quay.described(dock.full("other"))["Id"]
    assert dock.done(CREATE, other, "--existing") == f"{dock.full('other')}\n"
    assert dock.done(CREATE, other, "--recreate") == f"{dock.full('other')}\n"
    assert dock.quay.described(dock.full("other"))["Id"] != before
    dock.done(DEPLOY, other, "--existing", "--background")
    assert dock.quay.described(dock.full("other"))["State"]["Running"]


def test_an_empty_word_is_not_what_is_left_out(dock: Dock) -> None:
    dock.refused(2, "an empty name is none", CREATE, "")
    dock.refused(2, "an empty name is none", CREATE, dock.name("one"), "")
    dock.refused(2, "an empty name is no directory", CREATE, dock.name("one"), "-w", "")
    assert not dock.containers


def test_a_dry_run_refuses_what_is_refused(dock: Dock) -> None:
    name, link = dock.name("one"), dock.home / "link"
    link.symlink_to(dock.home)
    dock.refused(1, "is a link", CREATE, name, "-w", str(link), "--dry-run")
    dock.refused(1, "is no directory", CREATE, name, "-d", "/nonexistent", "--dry-run")
    dock.done(CREATE, name)
    dock.refused(1, "already", CREATE, name, "--dry-run")


def test_a_container_without_its_workspace_is_not_deployed(dock: Dock) -> None:
    name = dock.name("one")
    dock.done(CREATE, name)
    (dock.home / "workspace" / name).rmdir()
    dock.refused(1, "the workspace of", DEPLOY, name, "--existing", "--background")
    assert not dock.quay.described(dock.full("one"))["State"]["Running"]
