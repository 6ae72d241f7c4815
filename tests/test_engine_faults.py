"""Engines that fill up, die, or answer with errors while an image is loaded."""

from __future__ import annotations

import http.server
import json
import secrets
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest
from engines import Tars, image, tar
from private_engines import private

from ds01build.digest import DiffId
from ds01build.engine.connect import connect
from ds01build.engine.frames import STDOUT, executed
from ds01build.engine.known import nearby
from ds01build.engine.load import load
from ds01build.engine.site import Site
from ds01build.errors import Ds01Error, Unavailable
from ds01build.events import Note
from ds01build.workflow.probing import EngineProbes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.engine.api import Engine
    from ds01build.events import Event
    from ds01build.layer import Layer

MIB = 1 << 20
TAG = "ds01-test/fault:latest"

Private = tuple["Engine", "subprocess.Popen[bytes]"]


@pytest.fixture(params=["graph", "containerd"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Private]:
    with private(request.param, tmp_path) as found:
        yield found


@pytest.mark.slow
def test_a_full_disk_is_named_and_nothing_is_tagged(own: Private) -> None:
    engine, _ = own
    small, large = tar({"small": b"1"}), tar({"large": secrets.token_bytes(80 * MIB)})
    old = load(engine, image([small]), Tars.of([small]), [TAG])

    with pytest.raises(Ds01Error, match=r"no space left on device") as caught:
        load(engine, image([small, large]), Tars.of([small, large]), [TAG])

    assert (caught.value.exit_code, caught.value.hint) == (1, "docker system df")
    found = engine.inspect(TAG)
    assert found is not None
    assert found.engine_id == old.engine_id
    assert [each.engine_id for each in engine.images()] == [old.engine_id]


@pytest.mark.slow
def test_an_engine_killed_in_the_middle_is_unavailable(own: Private) -> None:
    engine, process = own
    content = tar({"file": secrets.token_bytes(16 * MIB)})

    class Killing(Tars):
        def plain(self, layer: Layer) -> Iterator[bytes]:
            pieces = list(super().plain(layer))
            yield from pieces[: len(pieces) // 2]
            process.kill()
            process.wait()
            yield from pieces[len(pieces) // 2 :]

    with pytest.raises(Unavailable, match="stopped answering"):
        load(engine, image([content]), Killing.of([content]), [TAG])


class _Broken(http.server.BaseHTTPRequestHandler):
    """An engine whose storage is broken."""

    protocol_version = "HTTP/1.1"

    answers: ClassVar[dict[str, bytes]] = {}  # of other tests; an empty one is a failure

    def do_GET(self) -> None:
        answers = {
            "/version": b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Arch": "amd64"}',
            "/v1.41/info": b'{"DriverStatus": []}',
            "/v1.41/images/json": b"[]",
            **self.answers,
        }
        body = answers.get(self.path.partition("?")[0])
        if body is None:
            self._answer(404, b'{"message": "No such image"}')
        elif not body:
            self._answer(500, b'{"message": "layer does not exist"}')
        else:
            self._answer(200, body)

    def do_POST(self) -> None:
        """Refuse at once, before anything of the body was read."""
        self._answer(500, b'{"message": "layer store\\u001b[31m is broken"}')
        self.close_connection = True

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def _serving(path: Path, handler: type[_Broken] = _Broken) -> Iterator[str]:
    with _Server(str(path), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("size", [1, 30 * MIB])
def test_an_error_of_the_engine_is_shown(size: int, tmp_path: Path) -> None:
    content = tar({"file": bytes(size)})
    with _serving(tmp_path / "engine.sock") as host:
        engine = connect({"DOCKER_HOST": host}, tmp_path)
        with pytest.raises(Ds01Error, match=r"asked to load an image|did not load") as caught:
            load(engine, image([content]), Tars.of([content]), [TAG])
        engine.close()
    assert "\x1b" not in str(caught.value)


def _damaged(*, lists: bool) -> type[_Broken]:
    """Return an engine with two images, the first of which is damaged."""
    bad, good = (f"sha256:{letter * 64}" for letter in "ab")
    rows = [{"Id": "odd"}, {"Id": bad, "Labels": None}, {"Id": good, "RepoDigests": []}]
    image = {"Id": good, "RootFS": {"Layers": [good]}, "Config": {}}

    class Damaged(_Broken):
        answers: ClassVar[dict[str, bytes]] = {
            "/v1.41/images/json": json.dumps(rows).encode() if lists else b"",
            f"/v1.41/images/{bad}/json": b"",
            f"/v1.41/images/{good}/json": json.dumps(image).encode(),
        }

    return Damaged


def _probes(engine: Engine, said: list[Event]) -> EngineProbes:
    return EngineProbes(
        engine=lambda: engine,
        report=said.append,
        site=Site(),
        network="bridge",
        diff_ids=lambda _: (),
    )


def test_a_damaged_image_hides_no_other(tmp_path: Path) -> None:
    with _serving(tmp_path / "engine.sock", _damaged(lists=True)) as host:
        engine = connect({"DOCKER_HOST": host}, tmp_path)
        good = DiffId(f"sha256:{'b' * 64}")
        assert [each.diff_ids for each in engine.images()] == [(good,)]
        assert [each.diff_ids for each in nearby(engine, {}, frozenset())] == [(good,)]
        said: list[Event] = []
        assert _probes(engine, said).tree((DiffId(f"sha256:{'c' * 64}"),)) is None
        assert said == []
        engine.close()


def test_an_engine_that_cannot_list_its_images_has_none_that_can_be_used(tmp_path: Path) -> None:
    with _serving(tmp_path / "engine.sock", _damaged(lists=False)) as host:
        engine = connect({"DOCKER_HOST": host}, tmp_path)
        assert list(nearby(engine, {}, frozenset())) == []
        assert engine.lists(f"sha256:{'b' * 64}")
        assert not engine.lists(f"sha256:{'c' * 64}")
        said: list[Event] = []
        assert _probes(engine, said).tree((DiffId(f"sha256:{'b' * 64}"),)) is None
        (note,) = said
        assert isinstance(note, Note)
        assert note.text.startswith("no image of the engine can be used: ")
        assert note.text.endswith("asked for its images, says: layer does not exist")
        engine.close()


@pytest.mark.parametrize("printed", [b"\1\0\0", b"\1\0\0\0\0\0\0\2x", b"\7\0\0\0\0\0\0\1x"])
def test_output_that_breaks_off_is_an_error(printed: bytes, tmp_path: Path) -> None:
    class Printing(_Broken):
        def do_POST(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n\1\0\0\0\0\0\0\3all" + printed)
            self.close_connection = True

    with _serving(tmp_path / "engine.sock", Printing) as host:
        engine = connect({"DOCKER_HOST": host}, tmp_path)
        with executed(engine.client, "a") as frames:
            assert next(frames) == (STDOUT, b"all")
            with pytest.raises(ConnectionError):
                list(frames)
        engine.close()
