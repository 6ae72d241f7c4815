"""The wizard from its first question to a container that runs, over a framework's image."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
import served_images as served
from images import SCRIPT, run, succeed
from layered import Item
from served_images import LIBC, PYTHON, RUNTIME, Shelf
from terminals import ENTER, INTERRUPT, terminal

from ds01build.catalogue import find_framework

if TYPE_CHECKING:
    from collections.abc import Iterator

    from desks import Desk
    from standin_fixtures import StandIns
    from world import Index

pytest_plugins = ("standin_fixtures", "desk_fixtures", "engine_fixtures")

ARCHITECTURE = "CUDA_AMPERE"


@pytest.fixture
def framework(stand_ins: StandIns) -> str:
    """Return the reference of what the catalogue calls PyTorch, which a stand-in is, too."""
    image = find_framework("pytorch", architecture=ARCHITECTURE).image
    layout = stand_ins.layout("a")
    to = f"docker://{stand_ins.registry.address}/{image}:latest"
    quietly = ("--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false")
    succeed("skopeo", *quietly, f"oci:{layout.directory}:{layout.name}", to)
    return image


@pytest.fixture
def name() -> str:
    return f"seed-{secrets.token_hex(4)}"


@pytest.fixture
def container(name: str, plain_desk: Desk) -> Iterator[str]:
    yield f"{name}._.0"
    run("docker", "--host", plain_desk.host, "rm", "--force", f"{name}._.0")
    plain_desk.made.append(f"ds01-0/{name}:latest")


def test_the_bar_of_a_base_that_is_fetched_ends_before_the_next_question(
    desk: Desk, offers: Index, name: str
) -> None:
    """An engine that lacks a base has its layers brought into the store, which has a bar."""
    shelf = Shelf(offers.server, f"base/{name}")
    shelf.show(served.image([*RUNTIME, LIBC, *PYTHON, Item("etc/name", name.encode())]))
    words = (SCRIPT.with_name("image-create"), name, "--base", shelf.reference)
    with terminal(words, desk.place.environment, desk.place.root) as shown:
        shown.answer("View full package list?", ENTER)
        shown.await_text("Additional Python packages")
        shown.press(*"rich")
        assert "download" not in shown.text
        shown.press(ENTER)
        shown.answer("System packages", INTERRUPT)
        assert shown.end() == 130
    assert "download" not in shown.text


@pytest.mark.slow
def test_the_usual_answers_end_in_a_container_with_the_bases_torch(
    plain_desk: Desk, stand_ins: StandIns, framework: str, name: str, container: str
) -> None:
    stand_ins.load("a", plain_desk.host)
    environment = {
        **plain_desk.place.environment,
        "MLC_ARCH": ARCHITECTURE,
        "DS01_ENGINE_NETWORK": "host",
        "DS01_PLAIN_REGISTRIES": stand_ins.registry.address,
        "DS01_REGISTRY_MIRRORS": stand_ins.registry.address,
    }
    create = SCRIPT.with_name("image-create")
    with terminal([create], environment, plain_desk.place.root, 100) as shown:
        shown.answer("Name of the image", name, ENTER)
        shown.answer("Select base framework", "1", ENTER)
        shown.answer("View full package list?", ENTER)
        shown.answer("Where do the Python packages", ENTER)
        for question in ("Install Jupyter Lab", "Install core data science", "Select use case"):
            shown.answer(question, ENTER)
        shown.answer("Additional Python packages", "wandb tensorboard", ENTER)
        shown.answer("System packages", "git-lfs", ENTER)
        shown.await_text("Build image now?", seconds=300)
        shown.press(ENTER)
        shown.await_text("Create container now?", seconds=600)
        shown.press(ENTER)
        assert shown.end(seconds=120) == 0
    for line in (
        "━━━ Selected Base Image ━━━",
        f"Image: {framework}",
        "• PyTorch 2.13.0+cpu (torch, torchvision)",
        "✓ Phase 1/3: Dockerfile Created",
        f"Location: ~/dockerfiles/{name}.Dockerfile",
        f"FROM {framework}",
        "• System packages (curl, git, git-lfs, htop, vim, wget)",
        "• Core Python & Jupyter (5 packages)",
        "• Core Data Science (5 packages)",
        "• Use case: General ML (4 packages)",
        "• Additional: tensorboard wandb",
        "Total packages to install: 22",
        "Estimated build time: about",
        "Phase 2/3: Build Docker Image?",
        "Phase 3/3: Create Container?",
        f"• Create container: {name}",
    ):
        assert line in shown.text
    lines = "import torch, pandas, xgboost, wandb; print(torch.__version__)"
    said = plain_desk.docker("exec", container, "python3", "-c", lines)
    assert said.strip() == "2.13.0+cpu"
    plain_desk.docker("exec", container, "sh", "-euc", "pip check && git lfs version && touch here")
    assert (plain_desk.place.home / "workspace" / name / "here").exists()
