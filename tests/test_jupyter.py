"""Jupyter's files in a home, and how one is started, asked and ended: with real servers."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import types
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import free_port

from ds01build.container import Wish
from ds01build.container import jupyter as home
from ds01build.engine.inside import EngineInside
from ds01build.errors import Ds01Error
from ds01build.workflow import containers, jupyter, owned
from ds01build.workflow.jupyter import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from quays import Quay

pytest_plugins = ("engine_fixtures", "container_fixtures")

TOKEN = "0123456789abcdef" * 4
WISH = Wish(name="thesis", image="i", workspace="/w", port=8899, project="Thesis: CV")
SETTINGS = f"{home.DIRECTORY}/jupyter_server_config.py"
NOBODY = 65534
ENDLESS = '{"uids": [Infinity], "process": 0, "is_jupyter": false, "stranger": 0, "owner": 0}'

# What Jupyter is to those who ask it, as far as ds01 does. ``ways`` says how this one misbehaves.
FAKE = """\
#!{python}
import http.server, os, pathlib, sys
place = pathlib.Path(os.environ["JUPYTER_CONFIG_DIR"])
ways = (place / "ways").read_text().split()
print("it starts", flush=True)
if "dies" in ways:
    print("no \\x1b[31m" + (place / "token").read_text())
    sys.exit(7)
token = "another" if "another" in ways else (place / "token").read_text().strip()

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["Authorization"] == "token " + token or "open" in ways
        self.send_response(200 if known else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", {port}), Answer).serve_forever()
"""


@dataclass
class Room:
    """A directory of this machine in the place of a container: a home, and processes."""

    root: Path
    port: int
    user: int | None = None  # of what is asked
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def lab(self) -> Lab:
        return Lab(
            name="thesis",
            home=str(self.root),
            kernel="k",
            port=self.port,
            published=self.port + 1,
            image="thesis",
        )

    def behave(self, *ways: str) -> None:
        (self.root / home.DIRECTORY / "ways").write_text(" ".join(ways))

    def ask(self, argv: Sequence[str]) -> tuple[int, bytes]:
        done = subprocess.run(
            argv,
            env=self._environment,
            cwd="/",
            user=self.user,
            stdout=subprocess.PIPE,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout

    def begin(self, argv: Sequence[str], variables: Mapping[str, str]) -> Callable[[], int | None]:
        started = subprocess.Popen(argv, env={**self._environment, **variables}, cwd="/")
        self.processes.append(started)
        threading.Thread(target=started.wait, daemon=True).start()  # no zombies, as in a container
        return lambda: started.returncode

    @property
    def _environment(self) -> dict[str, str]:
        return {"HOME": str(self.root), "PATH": f"{self.root}/bin:{os.environ['PATH']}"}


@pytest.fixture
def room() -> Iterator[Room]:
    with TemporaryDirectory(prefix="ds01-") as place:  # which others reach, unlike pytest's
        yield from _furnished(Room(Path(place), free_port()))


def _furnished(found: Room) -> Iterator[Room]:
    for path in (found.root, found.root / home.DIRECTORY, found.root / "bin"):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
    (found.root / home.TOKEN).write_text(f"{TOKEN}\n")
    program = found.root / "bin/jupyter-lab"
    program.write_text(FAKE.format(python=sys.executable, port=found.port))
    program.chmod(0o755)
    found.behave()
    yield found
    for process in found.processes:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(10)


# What is in a home.


@given(st.text(max_size=200))
def test_any_project_has_a_kernel_that_jupyter_takes(project: str) -> None:
    name = home.kernel_name(project)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", name)
    assert home.kernel_name(name) == name


@given(st.text(min_size=1, max_size=100))
def test_the_kernel_is_called_as_the_project_is(project: str) -> None:
    made = {each.path: each for each in home.files(replace(WISH, project=project), TOKEN)}
    spec = json.loads(made[f"{home.KERNELS}/{home.kernel_name(project)}/kernel.json"].content)
    assert spec["display_name"] == project
    assert spec["argv"][-1] == "{connection_file}"


def test_a_container_without_a_project_lends_the_kernel_its_name() -> None:
    made = [each.path for each in home.files(replace(WISH, project=""), TOKEN)]
    assert f"{home.KERNELS}/thesis/kernel.json" in made


def test_only_one_file_has_the_token_and_nobody_else_reads_any() -> None:
    made = home.files(WISH, TOKEN)
    assert [each.path for each in made if TOKEN.encode() in each.content] == [home.TOKEN]
    assert {each.mode for each in made} == {0o600}


@pytest.mark.parametrize(
    ("network", "port", "expected"),
    [
        ("host", 8899, ("127.0.0.1", 8899)),
        ("host", 0, ("127.0.0.1", 0)),
        ("bridge", 8899, ("0.0.0.0", 8888)),
        ("bridge", 0, ("127.0.0.1", 0)),
    ],
)
def test_jupyter_listens_where_this_machine_alone_reaches_it(
    network: str, port: int, expected: tuple[str, int]
) -> None:
    wish = replace(WISH, network=network, port=port)  # type: ignore[arg-type]
    assert home.listens(wish) == expected


class Section(types.SimpleNamespace):
    """What Jupyter hands to a configuration as ``c``: sections are there when they are used."""

    def __getattr__(self, name: str) -> Section:
        made = Section()
        setattr(self, name, made)
        return made


def settings(
    wish: Wish, place: Path, monkeypatch: pytest.MonkeyPatch, version: int = 2
) -> dict[str, object]:
    """Return what Jupyter of a version reads out of a home, by section and name."""
    module = types.ModuleType("jupyter_server")
    module.__dict__["version_info"] = (version, 0, 0)
    monkeypatch.setitem(sys.modules, "jupyter_server", module)
    for each in home.files(wish, TOKEN):
        (place / each.path).parent.mkdir(parents=True, exist_ok=True)
        if not (place / each.path).exists():
            (place / each.path).write_bytes(each.content)
    found = Section()
    exec((place / SETTINGS).read_text(), {"c": found, "__file__": str(place / SETTINGS)})
    return {
        f"{section}.{name}": value
        for section, values in vars(found).items()
        for name, value in vars(values).items()
    }


def test_the_configuration_is_what_jupyter_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(replace(WISH, network="host"), tmp_path, monkeypatch) == {
        "IdentityProvider.token": TOKEN,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.allow_remote_access": False,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": "/workspace",
        "ServerApp.port": 8899,
        "ServerApp.port_retries": 0,
        "MultiKernelManager.default_kernel_name": "thesis-cv",
    }


def test_an_old_jupyter_gets_its_token_where_it_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings(WISH, tmp_path, monkeypatch, version=1)
    assert found["ServerApp.token"] == TOKEN
    assert "IdentityProvider.token" not in found


def test_a_token_that_somebody_emptied_does_not_open_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / home.DIRECTORY).mkdir()
    (tmp_path / home.TOKEN).write_text("\n")
    found = str(settings(WISH, tmp_path, monkeypatch)["IdentityProvider.token"])
    assert len(found) == 64


# In an engine.


def test_a_container_has_its_token_in_a_file_of_its_user_and_nowhere_else(quay: Quay) -> None:
    host = quay.host()
    made = containers.bring_up(quay.wish(host, port=free_port()), host)
    place = host.identity.home
    token = quay.says(made.name, "bash", "-c", f'cat "{place}/{home.TOKEN}"')
    assert re.fullmatch(r"[0-9a-f]{64}", token)
    said = quay.says(made.name, "stat", "-c", "%u %g %a", f"{place}/{home.TOKEN}")
    uid = host.identity.uid
    assert said == f"{uid} {uid} 600"
    assert token not in json.dumps(quay.described(made.name))
    assert token not in quay.says(made.name, "env")
    assert token not in repr(made)


def test_two_containers_have_two_tokens(quay: Quay) -> None:
    host = quay.host()
    made = [containers.bring_up(quay.wish(host, name), host) for name in ("one", "two")]
    path = f"{host.identity.home}/{home.TOKEN}"
    assert len({quay.says(each.name, "cat", path) for each in made}) == 2


def test_what_cannot_be_served_is_told_with_what_to_do(quay: Quay) -> None:
    host = quay.host()
    stopped = containers.create(quay.wish(host, "stopped", port=8899), host)
    short = stopped.wish.name
    with pytest.raises(Ds01Error, match=f"the container {short} does not run") as caught:
        jupyter.serve(short, host)
    assert caught.value.hint == f"container-start {short}"
    assert jupyter.stop(short, host) is False
    portless = containers.bring_up(quay.wish(host, "portless"), host).wish.name
    with pytest.raises(Ds01Error, match="was created without a port for Jupyter") as caught:
        jupyter.serve(portless, host)
    assert caught.value.hint == f"container-create --recreate --port 0 {portless}"
    plain = containers.bring_up(quay.wish(host, "plain", port=8899), host).wish.name
    with pytest.raises(Ds01Error, match="has no Jupyter Lab") as caught:
        jupyter.serve(plain, host)
    assert caught.value.hint == (
        f"image-create {plain} --base {quay.tag} --jupyter yes --no-container &&"
        f" container-create --recreate --port 8899 {plain} {plain}"
    )
    own = replace(jupyter.lab(owned.find_own(plain, host), host), image="lab")
    with pytest.raises(Ds01Error, match="has no Jupyter Lab") as caught:
        jupyter.served(own, EngineInside(engine=quay.engine, name=f"{plain}._.{host.identity.uid}"))
    assert caught.value.hint == f"image-update lab --add jupyterlab && container-upgrade {plain}"


# With servers of this machine.


def test_a_lab_is_started_once_and_its_url_has_the_token(room: Room) -> None:
    first, second = (jupyter.served(room.lab, room) for _ in range(2))
    assert (first.is_new, second.is_new) == (True, False)
    assert first.url == second.url == f"http://127.0.0.1:{room.port + 1}/lab?token={TOKEN}"
    assert len(room.processes) == 1
    assert TOKEN not in repr(first)
    assert "it starts" in Path(first.log).read_text()


def test_a_lab_is_ended_and_started_again(room: Room) -> None:
    assert jupyter.ended(room.lab, room) is False
    jupyter.served(room.lab, room)
    assert jupyter.ended(room.lab, room) is True
    assert jupyter.ended(room.lab, room) is False
    assert jupyter.served(room.lab, room).is_new


def test_a_server_that_dies_is_told_with_its_last_words_and_not_the_token(room: Room) -> None:
    room.behave("dies")
    with pytest.raises(Ds01Error) as caught:
        jupyter.served(room.lab, room)
    said = str(caught.value).split("\n")
    assert said == [
        "Jupyter in the container thesis ended with status 7",
        "it starts",
        "no ?[31m****",
    ]
    assert caught.value.exit_code == 1


def test_a_server_that_lets_anybody_in_is_ended(room: Room) -> None:
    room.behave("open")
    with pytest.raises(Ds01Error, match="answers anybody") as caught:
        jupyter.served(room.lab, room)
    assert caught.value.hint == "container-jupyter thesis --stop"
    room.processes[0].wait(10)


def test_a_server_with_another_token_is_refused(room: Room) -> None:
    room.behave("another")
    with pytest.raises(Ds01Error, match="answers who has another token"):
        jupyter.served(room.lab, room)


def test_another_program_of_the_container_on_the_port_is_refused(room: Room) -> None:
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(room.port)]
    status = room.begin(command, {})
    with pytest.raises(Ds01Error, match=f"listens on port {room.port}, and it is no Jupyter"):
        _until_listening(room)
    assert jupyter.ended(room.lab, room) is False
    assert status() is None


def _until_listening(room: Room) -> None:
    for _ in range(100):
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", room.port))):
            break
    jupyter.served(room.lab, room)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_program_of_somebody_else_on_the_port_is_refused_and_hears_no_token(room: Room) -> None:
    room.user = NOBODY
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", room.port))) as server:
        server.settimeout(0.5)
        with pytest.raises(Ds01Error) as caught:
            jupyter.served(room.lab, room)
        with suppress(TimeoutError):
            heard.append(server.accept()[0].recv(1000))
    assert str(caught.value) == (
        f"port {room.port} is taken by a program of uid 0 that is not in the container thesis"
    )
    assert caught.value.hint == "container-create --recreate --port 0 thesis"
    assert heard == []
    assert room.processes == []


def test_a_server_that_never_answers_is_given_up(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jupyter, "_PATIENCE", 1.0)
    (room.root / "bin/jupyter-lab").write_text("#!/bin/sh\necho waiting\nexec sleep 60\n")
    with pytest.raises(Ds01Error, match=r"does not answer after 1 seconds\nwaiting"):
        jupyter.served(room.lab, room)


@pytest.mark.parametrize("text", ["", "short", "with space " * 3, "&token=" * 5, "ü" * 30])
def test_a_token_that_no_url_can_have_is_refused(text: str, room: Room) -> None:
    (room.root / home.TOKEN).write_text(text)
    with pytest.raises(Ds01Error, match="has no token of 16 to 256 letters"):
        jupyter.served(room.lab, room)


@pytest.mark.parametrize("printed", ["", "[]", "{}", '{"uids": 1}', ENDLESS, "[" * 50_000])
def test_an_answer_that_makes_no_sense_is_an_error(printed: str, room: Room) -> None:
    (room.root / "bin/python3").write_text(f"#!/bin/sh\necho '{printed}'\n")
    (room.root / "bin/python3").chmod(0o755)
    with pytest.raises(Ds01Error, match="does not say who listens"):
        jupyter.served(room.lab, room)
