"""Containers in Podman, which answers as Docker does, nearly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import layered
import pytest
from docker.errors import APIError
from tools_image import tools

from ds01build.errors import Ds01Error, Unavailable
from ds01build.workflow import containers, lives, owned, removing
from ds01build.workflow.renewing import renew, renewal

if TYPE_CHECKING:
    from quays import Quay

    from ds01build.engine.api import Engine

pytest_plugins = ("engine_fixtures", "container_fixtures")


@pytest.fixture
def engine(podman_engine: Engine) -> Engine:
    return podman_engine


def test_a_container_lives_as_it_does_in_docker(quay: Quay) -> None:
    host = quay.host()
    uid = host.identity.uid
    made = containers.bring_up(quay.wish(host), host)
    assert quay.says(made.name, "id", "-u") == str(uid)
    quay.says(made.name, "bash", "-c", "echo kept > /workspace/file; echo $HOME > ~/file")
    file = Path(made.wish.workspace) / "file"
    assert (file.read_text(), file.stat().st_uid) == ("kept\n", uid)
    row = owned.find(made.name, host)
    for act in (lives.pause, lives.unpause, lives.stop, lives.start):
        act(row, host)
        row = owned.find(made.name, host)
    assert row.is_running
    assert renewal(row, host).state == "current"
    other = quay.laid(tools("bash", "id"), layered.tar([layered.folder("new")]))
    quay.engine.tag(quay.engine.inspect(other).engine_id, quay.tag)  # type: ignore[union-attr]
    found = renewal(row, host)
    assert found.state == "old"
    renew(found, host)
    assert quay.says(made.name, "bash", "-c", "cd /new && echo $(< /workspace/file)") == "kept"
    assert removing.remove(owned.mine(host), host, force=True).is_whole
    assert file.exists()


def test_a_link_of_an_image_is_known_from_a_directory(quay: Quay) -> None:
    host = quay.host()
    tag = quay.laid(tools("bash"), layered.tar([layered.link("home", "/workspace")]))
    with pytest.raises(Ds01Error, match="/home is a link"):
        containers.create(quay.wish(host, image=tag), host)
    assert quay.names == []


def test_who_lacks_the_first_program_of_podmans_containers_is_told_where_it_is(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "container-init binary not found on the host: stat /usr/libexec/podman/catatonit"

    def lacking(*_: object) -> None:
        raise APIError("500 Server Error", explanation=says)

    monkeypatch.setattr(quay.engine.client, "create_container_from_config", lacking)
    host = quay.host()
    with pytest.raises(Unavailable, match="lacks catatonit") as caught:
        containers.create(quay.wish(host), host)
    assert caught.value.hint == "sudo apt-get install catatonit"
