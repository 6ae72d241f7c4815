"""Where an engine is looked for, and what is said where there is none."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import socket
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engines import place

import ds01build.engine.connect as connecting
from ds01build.engine.address import Address, addresses
from ds01build.engine.connect import connect, open_engine
from ds01build.engine.unix import has
from ds01build.errors import Ds01Error, NoEngine, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.engine.api import Engine

pytest_plugins = ("engine_fixtures",)


def _context(home: Path, name: str, endpoint: Mapping[str, object]) -> Path:
    """Write a context as Docker does, and return where its certificates would be."""
    folder = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker/contexts/meta" / folder / "meta.json"
    meta.parent.mkdir(parents=True)
    document = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    meta.write_text(json.dumps(document))
    return home / ".docker/contexts/tls" / folder / "docker"


def _found(environment: Mapping[str, str], home: Path) -> list[tuple[str, str]]:
    return [(each.url, each.origin) for each in addresses(environment, home)]


def test_the_variable_wins_over_every_context(tmp_path: Path) -> None:
    _context(tmp_path, "far", {"Host": "tcp://far:2376"})
    environment = {"DOCKER_HOST": "unix:///run/x.sock", "DOCKER_CONTEXT": "far"}
    assert _found(environment, tmp_path) == [("unix:///run/x.sock", "DOCKER_HOST")]


def test_a_named_context_wins_over_the_current_one(tmp_path: Path) -> None:
    _context(tmp_path, "far", {"Host": "tcp://far:2376"})
    _context(tmp_path, "near", {"Host": "unix:///near.sock"})
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "near"}')

    assert _found({}, tmp_path) == [("unix:///near.sock", "context near")]
    assert _found({"DOCKER_CONTEXT": "far"}, tmp_path) == [("tcp://far:2376", "context far")]


def test_dockers_sockets_come_first_and_podmans_last(tmp_path: Path) -> None:
    urls = [url for url, _ in _found({"XDG_RUNTIME_DIR": "/run/user/7"}, tmp_path)]
    assert urls == [
        "unix:///var/run/docker.sock",
        "unix:///run/user/7/docker.sock",
        "unix:///run/user/7/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    ]


def test_certificates_come_from_the_context(tmp_path: Path) -> None:
    folder = _context(tmp_path, "far", {"Host": "tcp://far:2376", "SkipTLSVerify": False})
    folder.mkdir(parents=True)
    for name in ("ca", "cert", "key"):
        (folder / f"{name}.pem").touch()

    (address,) = addresses({"DOCKER_CONTEXT": "far"}, tmp_path)

    assert address.tls is not None
    assert (address.tls.ca, address.tls.verify) == (folder / "ca.pem", True)
    assert (address.tls.certificate, address.tls.private_key) == (
        folder / "cert.pem",
        folder / "key.pem",
    )


def test_certificates_come_from_the_variables(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    environment = {
        "DOCKER_HOST": "tcp://far:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
    }
    (address,) = addresses(environment, tmp_path)
    assert address.tls is not None
    assert (address.tls.ca, address.tls.certificate) == (tmp_path / "ca.pem", None)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"DOCKER_HOST": "ssh://me:secret@far"},
            "DOCKER_HOST names a place behind ssh, which ds01 does not speak",
        ),
        (
            {"DOCKER_HOST": "fd://x"},
            "DOCKER_HOST is 'fd://x': neither unix:///PATH nor tcp://HOST:PORT",
        ),
        (
            {"DOCKER_HOST": "tcp://me:secret@far/\n"},
            "DOCKER_HOST is something with a user's name: neither unix:///PATH nor tcp://HOST:PORT",
        ),
        (
            {"DOCKER_HOST": "http://x"},
            "DOCKER_HOST is 'http://x': neither unix:///PATH nor tcp://HOST:PORT",
        ),
        (
            {"DOCKER_HOST": "tcp://x:65536"},
            "DOCKER_HOST is 'tcp://x:65536': neither unix:///PATH nor tcp://HOST:PORT",
        ),
        ({"DOCKER_CONTEXT": "gone"}, "there is no context gone"),
        ({"DOCKER_CONTEXT": "../x"}, "'../x' is not the name of a context"),
    ],
)
def test_an_address_that_cannot_be_used_is_named(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable) as caught:
        addresses(environment, tmp_path)
    assert str(caught.value) == message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["[]", "{", "\x00", '{"currentContext": 1}', "[" * 100_000])
def test_a_damaged_configuration_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(text)
    with pytest.raises(Ds01Error, match=r"/\.docker/config\.json"):
        addresses({}, tmp_path)


def test_an_absent_engine_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}, tmp_path)
    assert str(caught.value) == (
        f"no engine answers at {tmp_path}/none.sock (from DOCKER_HOST): No such file or directory"
    )
    assert caught.value.hint == f"DOCKER_HOST names a socket that is not there: {UNSET}"
    assert caught.value.exit_code == 4


USUAL = "systemctl start docker, or set DOCKER_HOST, or: docker context use NAME"
UNSET = "unset DOCKER_HOST, or name another: export DOCKER_HOST=unix:///PATH"
OTHER = "name another of: docker context ls"


@pytest.mark.parametrize(
    ("url", "origin", "is_missing", "says"),
    [
        ("unix:///var/run/docker.sock", "the default socket", True, USUAL),
        ("unix:///run/podman/podman.sock", "the default socket", False, USUAL),
        (
            "unix:///var/run/docker.sock",
            "DOCKER_HOST",
            True,
            f"systemctl start docker, or: {UNSET}",
        ),
        (
            "unix:///x",
            "DOCKER_HOST",
            True,
            f"DOCKER_HOST names a socket that is not there: {UNSET}",
        ),
        ("unix:///x", "DOCKER_HOST", False, f"start the engine there, or: {UNSET}"),
        ("tcp://x:1", "DOCKER_HOST", False, f"start the engine there, or: {UNSET}"),
        ("unix:///x", "context y", True, f"context y names a socket that is not there: {OTHER}"),
        ("unix:///x", "context y", False, f"start the engine there, or: {OTHER}"),
    ],
)
def test_who_named_the_place_can_name_another(
    url: str, origin: str, *, is_missing: bool, says: str
) -> None:
    address = Address(url=url, origin=origin, is_named=origin != "the default socket")
    assert address.way_out(is_missing=is_missing) == says


def test_only_a_place_that_nobody_named_is_no_engine(tmp_path: Path) -> None:
    _context(tmp_path, "near", {"Host": f"unix://{tmp_path}/none.sock"})
    for named in ({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}, {"DOCKER_CONTEXT": "near"}):
        with pytest.raises(Unavailable) as caught:
            connect(named, tmp_path)
        assert not isinstance(caught.value, NoEngine)
    path = tmp_path / "none.sock"
    usual = Address(url=f"unix://{path}", origin="the default socket", is_named=False)
    with pytest.raises(NoEngine):
        open_engine(usual)
    with socket.socket(socket.AF_UNIX) as listener:  # left behind by one that has ended
        listener.bind(str(path))
    with pytest.raises(Unavailable, match="Connection refused") as caught:
        open_engine(usual)
    assert caught.value.hint == USUAL
    assert not isinstance(caught.value, NoEngine)
    assert [each.is_named for each in addresses({}, tmp_path / "nobody")] == [False, False]


def _refused(path: Path, home: Path) -> Unavailable:
    """Return what somebody else is told who connects to a socket."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        with pytest.raises(Unavailable) as caught:
            connect({"DOCKER_HOST": f"unix://{path}"}, home)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
    return caught.value


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize(
    ("mode", "gid", "says"),
    [
        (0o660, 1, f"sudo usermod -aG {grp.getgrgid(1).gr_name} $USER, then log in again"),
        (0o600, 1, f"only root may use it: {UNSET}"),  # the group may not, either
        (0o660, 0, f"only root may use it: {UNSET}"),  # nobody is to become a member of that
        (0o660, 64321, f"only root may use it: {UNSET}"),  # which has no name to be added by
    ],
)
def test_a_socket_without_permission_says_who_may_use_it(mode: int, gid: int, says: str) -> None:
    with (
        tempfile.TemporaryDirectory() as made,  # of pytest's own, the outer ones are root's alone
        socket.socket(socket.AF_UNIX) as listener,
    ):
        path = Path(made) / "engine.sock"
        listener.bind(str(path))
        listener.listen()
        os.chown(path, 0, gid)
        path.chmod(mode)
        path.parent.chmod(0o755)
        told = _refused(path, path.parent)
        assert str(told) == f"no permission to use the engine's socket {path} (from DOCKER_HOST)"
        assert told.hint.startswith(says)
        path.parent.chmod(0o700)
        assert _refused(path, path.parent).hint == f"namei -l -- {path}"


def test_an_engine_that_is_frozen_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "_PATIENCE", 1)
    with socket.socket(socket.AF_UNIX) as listener:  # which takes the question, and says nothing
        listener.bind(str(tmp_path / "x.sock"))
        listener.listen()
        with pytest.raises(Unavailable) as caught:
            connect({"DOCKER_HOST": f"unix://{tmp_path}/x.sock"}, tmp_path)
    place = f"{tmp_path}/x.sock (from DOCKER_HOST)"
    assert str(caught.value) == f"no engine answers at {place}: nothing came within 1 seconds"


def test_an_engine_that_hangs_up_is_told_in_words(tmp_path: Path) -> None:
    with (
        _listener(tmp_path / "x.sock", b"") as host,
        pytest.raises(Unavailable, match=r": the connection broke$"),
    ):
        connect({"DOCKER_HOST": host}, tmp_path)


@contextmanager
def _listener(path: Path, answer: bytes) -> Iterator[str]:
    """Answer each connection to a socket with those bytes, and close it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(1 << 16):
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"unix://{path}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _http(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-x\r\n",
        _http(b"{}")[:-1],
        _http(b"{}"),
        _http(b"[]"),
        _http(b"\x00"),
        _http(b"{}", b"500 Internal Server Error"),
        _http(b'{"ApiVersion": "1.x"}'),
        _http(b'{"ApiVersion": "1.12", "MinAPIVersion": "1.12"}'),
    ],
)
def test_what_is_no_engine_is_unavailable(answer: bytes, tmp_path: Path) -> None:
    with _listener(tmp_path / "x.sock", answer) as host:
        with pytest.raises(Unavailable):
            connect({"DOCKER_HOST": host}, tmp_path)
        assert not has(tmp_path / "x.sock", "a:b", [f"sha256:{'0' * 64}"])


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_http(b'{"message": "page\\u001bnot found"}', b"404 Not Found"), "404 page not found"),
        (_http(b"", b"404 Not Found"), "404"),
        (_http(b"<html>"), "no JSON of the right form"),
        (_http(b"{}"), "no version"),
    ],
)
def test_what_answers_otherwise_is_told_with_its_answer_and_the_way_out(
    answer: bytes, says: str, tmp_path: Path
) -> None:
    with _listener(tmp_path / "x.sock", answer) as host:
        with pytest.raises(Unavailable) as caught:
            connect({"DOCKER_HOST": host}, tmp_path)
        place = f"{tmp_path}/x.sock (from DOCKER_HOST)"
        assert str(caught.value) == f"what listens at {place} is no engine: it answers {says}"
        assert caught.value.hint == "unset DOCKER_HOST"


def test_what_does_not_answer_over_tcp_is_told_with_the_reason(tmp_path: Path) -> None:
    host = "tcp://127.0.0.1:1"
    with pytest.raises(Unavailable) as caught:
        connect({"DOCKER_HOST": host}, tmp_path)
    says = f"no engine answers at {host} (from DOCKER_HOST): Connection refused"
    assert str(caught.value) == says
    assert caught.value.hint == f"start the engine there, or: {UNSET}"


def test_each_kind_of_engine_is_told(any_engine: Engine) -> None:
    assert any_engine.architecture in {"amd64", "arm64"}
    assert "1.41" <= any_engine.client.api_version <= "1.47"


def test_one_that_answers_is_taken_after_one_that_does_not(
    graph_engine: Engine, tmp_path: Path
) -> None:
    path = place("graph").removeprefix("unix://")
    if path != "/var/run/docker.sock":
        pytest.skip("the graph engine does not listen on the default socket")
    found = connect({"XDG_RUNTIME_DIR": str(tmp_path)}, tmp_path)
    assert found == graph_engine
    found.close()
