"""Jupyter of an image that ds01 makes, in an engine, as its owner and a stranger see it."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import socket
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3
from browsers import ENTER, SHIFT, browser
from engines import DIRECTORY, place
from images import SCRIPT, run
from quays import Quay
from servers import free_port

from ds01build.container import jupyter as home
from ds01build.digest import Digest
from ds01build.errors import Ds01Error
from ds01build.workflow import containers, jupyter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browsers import Browser
    from images import Gallery

    from ds01build.engine.api import Engine
    from ds01build.workflow.containers import Host

pytest_plugins = ("engine_fixtures",)
pytestmark = [pytest.mark.network, pytest.mark.slow]

PROJECT = "Thesis: computer vision"
CARD = f'.jp-LauncherCard[data-category="Notebook"][title*="{PROJECT}"]'
OUTPUT = (
    "return [...document.querySelectorAll('.jp-OutputArea-output')].map(e => e.innerText.trim())"
    ".find(e => e.includes(arguments[0]))"
)


@dataclass
class Desk:
    """A container of an image with notebooks, running for a user with a huge uid."""

    quay: Quay
    host: Host
    name: str  # short
    full: str
    port: int

    def runs(self, *argv: str) -> str:
        return self.quay.says(self.full, *argv)

    def serve(self) -> jupyter.Served:
        return jupyter.serve(self.name, self.host)

    def log(self) -> str:
        return self.runs("cat", f"{self.host.identity.home}/{home.LOG}")

    @contextmanager
    def own_settings(self, **sections: dict[str, object]) -> Iterator[None]:
        """Have settings of the user himself beside those that ds01 gave him, and no server yet."""
        jupyter.stop(self.name, self.host)
        path = f"{self.host.identity.home}/{home.DIRECTORY}/jupyter_server_config.json"
        self.runs("sh", "-c", 'echo "$1" >"$2"', "sh", json.dumps(sections), path)
        yield
        self.runs("rm", path)
        jupyter.stop(self.name, self.host)


@pytest.fixture(scope="module")
def quickstart(graph_engine: Engine, gallery: Gallery) -> Iterator[str]:
    """Yield a tag of the shipped recipe's image in an engine, which nobody else has."""
    gallery.built("quickstart")
    before = {tag for each in graph_engine.images() for tag in each.tags}
    variables = {**gallery.place.variables, "DOCKER_HOST": place("graph")}
    ended = replace(gallery.place, variables=variables).ds01("image", "load", "quickstart")
    assert ended.code == 0, ended.err
    tag = f"ds01-test/{secrets.token_hex(4)}:latest"
    found = graph_engine.inspect(ended.out.strip())
    assert found is not None
    graph_engine.tag(Digest(str(found.engine_id)), tag)
    yield tag
    for each in (tag, *(set(found.tags) - before)):
        graph_engine.remove(each)


@pytest.fixture(scope="module")
def desk(
    graph_engine: Engine, quickstart: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    token, shared = secrets.token_hex(4), DIRECTORY / "shared"
    root = (shared if shared.is_dir() else tmp_path_factory.getbasetemp()) / token
    root.mkdir(mode=0o755)
    quay = Quay(engine=graph_engine, tag=quickstart, root=root, token=token)
    host, port = quay.host(), free_port()
    wish = quay.wish(host, port=port, project=PROJECT)
    yield Desk(quay, host, wish.name, containers.bring_up(wish, host).name, port)
    for name in quay.names:
        with suppress(Ds01Error):
            graph_engine.client.remove_container(name, force=True)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser") / "home") as found:
        yield found


def asked(url: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, headers=headers, redirect=False, retries=False, timeout=30)


def test_a_lab_answers_who_has_its_token_and_nobody_else(desk: Desk) -> None:
    found = desk.serve()
    assert found.port == desk.port
    assert urlsplit(found.url).netloc == f"127.0.0.1:{desk.port}"
    token = found.url.partition("token=")[2]
    plain = f"http://127.0.0.1:{desk.port}"
    assert asked(f"{plain}/api/status").status == 403
    assert asked(f"{plain}/api/status", Authorization="token wrong").status == 403
    assert asked(f"{plain}/api/status", Authorization=f"token {token}").status == 200
    stranger = asked(f"{plain}/lab")
    assert (stranger.status, stranger.headers["Location"]) == (302, "/login?next=%2Flab")
    # A page of somebody else in the owner's browser comes under another name.
    assert asked(f"{plain}/api", Host="evil.example").status == 403


def test_it_listens_on_this_machine_alone(desk: Desk) -> None:
    desk.serve()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing, and says which address would be used
        other = probe.getsockname()[0]
    with (
        pytest.raises(OSError, match="refused"),
        closing(socket.create_connection((other, desk.port), timeout=5)),
    ):
        pass


def test_the_lab_opens_for_the_token_and_a_cell_runs_in_the_projects_kernel(
    desk: Desk, window: Browser
) -> None:
    url = desk.serve().url
    window.open(url.partition("?")[0])
    assert "/login" in window.url
    window.wait("return document.querySelector('#password_input')")
    window.open(url)
    window.click(CARD)
    window.wait("return document.body.innerText.includes(arguments[0])", f"{PROJECT} | Idle")
    window.click(".jp-Notebook .cm-content")
    window.type(*"print(6*7)")
    window.type(ENTER, held=SHIFT)
    window.wait(OUTPUT, "42")
    assert window.run("return document.querySelector('.jp-KernelName').innerText") == PROJECT
    window.type(*"import os, pandas, sys; print(os.getuid(), os.getcwd(), sys.executable)")
    window.type(ENTER, held=SHIFT)
    uid = desk.quay.uid
    assert window.wait(OUTPUT, str(uid)) == f"{uid} /workspace {desk.runs('which', 'python3')}"
    saved = desk.host.home / "workspace" / desk.name / "Untitled.ipynb"
    assert saved.stat().st_uid == uid
    assert json.loads(saved.read_text())["cells"] is not None


def test_the_token_is_in_no_log_argument_or_environment(desk: Desk) -> None:
    found = desk.serve()
    token = found.url.partition("token=")[2]
    asked(found.url)
    log = desk.log()
    assert f":{desk.port}/lab" in log
    assert token not in log
    described = json.dumps(desk.quay.described(desk.full))
    assert token not in described
    seen = desk.runs("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null")
    assert "jupyter-lab" in seen
    assert token not in seen
    inside = desk.runs("grep", "-rlF", token, desk.host.identity.home, "/workspace")
    runtime = f"{desk.host.identity.home}/{home.DATA}/runtime"  # where Jupyter notes its servers
    assert f"{desk.host.identity.home}/{home.TOKEN}" in inside.split()
    assert {str(PurePath(path).parent) for path in inside.split()} == {
        f"{desk.host.identity.home}/{home.DIRECTORY}",
        runtime,
    }
    modes = desk.runs("stat", "-c", "%a", runtime, desk.host.identity.home)
    assert [int(mode, 8) & 0o077 for mode in modes.split()] == [0, 0]


def test_it_is_started_once_and_ended_with_its_kernels(desk: Desk) -> None:
    desk.serve()
    assert desk.serve().is_new is False
    assert jupyter.stop(desk.name, desk.host) is True
    assert "jupyter" not in desk.runs("sh", "-c", "cat /proc/[0-9]*/cmdline")
    assert jupyter.stop(desk.name, desk.host) is False
    assert desk.serve().is_new is True


def test_a_port_that_somebody_else_has_is_refused(desk: Desk) -> None:
    jupyter.stop(desk.name, desk.host)
    with (
        closing(socket.create_server(("127.0.0.1", desk.port))),
        pytest.raises(
            Ds01Error, match=f"port {desk.port} is taken by a program of uid 0 that is not in the"
        ),
    ):
        desk.serve()
    assert desk.serve().is_new


def test_a_lab_that_cannot_start_is_told_with_the_end_of_its_log(desk: Desk) -> None:
    with (
        desk.own_settings(ServerApp={"root_dir": "/nowhere"}),
        pytest.raises(Ds01Error, match=r"(?s)ended with status 1\n.*/nowhere"),
    ):
        desk.serve()


def test_a_lab_whose_token_somebody_took_away_is_not_left_open(desk: Desk) -> None:
    with desk.own_settings(IdentityProvider={"token": ""}):
        with pytest.raises(Ds01Error, match="answers anybody"):
            desk.serve()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", desk.port), timeout=5)


def test_one_that_listens_on_all_addresses_answers_to_no_foreign_name(desk: Desk) -> None:
    """As in a container with a network of its own."""
    with desk.own_settings(ServerApp={"ip": "0.0.0.0"}):
        url = desk.serve().url
        assert asked(url).status == 200
        assert asked(url, Host="localhost:1").status == 200
        assert asked(url, Host="evil.example").status == 403


def test_the_command_prints_the_url_alone_and_how_to_get_there(desk: Desk) -> None:
    login = pwd.getpwuid(os.geteuid()).pw_name
    host, port = desk.quay.host(os.geteuid(), login), free_port()
    name = containers.bring_up(desk.quay.wish(host, "cli", port=port), host).wish.name
    environment = {**os.environ, "DOCKER_HOST": place("graph")}
    command = (SCRIPT.with_name("container-jupyter"), name)
    first = run(*command, environment=environment)
    assert first.code == 0, first.err
    assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/lab\?token=[0-9a-f]{{64}}\n", first.out)
    assert f"ssh -N -L {port}:127.0.0.1:{port} -l {login} " in first.err
    assert asked(first.out.strip()).status == 200
    answer = run(*command, "--json", environment=environment).answer
    assert answer["schema"] == "ds01.jupyter/1"
    assert (answer["name"], answer["url"]) == (name, first.out.strip())
    assert (answer["port"], answer["started"], answer["kernel"]) == (port, False, name)
    assert run(*command, "--stop", "--json", environment=environment).answer["stopped"] is True
    ended = run(*command, "--stop", environment=environment)
    assert (ended.code, ended.out, ended.err) == (0, "", "it did not run\n")
