"""A way to an engine that can be cut, and that every user of this machine may go."""

from __future__ import annotations

import contextlib
import shutil
import socket
import socketserver
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 16  # bytes


@dataclass
class Relay:
    """What lies between; ``url`` is as DOCKER_HOST has it.

    It is cut as soon as somebody asks for what ``cut_at`` begins, if that is said.
    """

    url: str
    ways: list[socket.socket] = field(default_factory=list)
    is_cut: bool = False
    cut_at: bytes = b""

    def cut(self) -> None:
        """End all connections, as an engine does that is killed, and take no other."""
        self.is_cut = True
        for each in self.ways:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Passing(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        relay = self.server.relay
        if relay.is_cut:
            return
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.server.engine)
            relay.ways += [self.request, engine]
            back = threading.Thread(target=_pass, args=(engine, self.request), daemon=True)
            back.start()
            _pass(self.request, engine, relay)
            back.join()


def _pass(source: socket.socket, target: socket.socket, relay: Relay | None = None) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(_PIECE):
            if relay and relay.cut_at and content.startswith(relay.cut_at):
                relay.cut()
            target.sendall(content)
    with contextlib.suppress(OSError):  # its end is passed on, too
        target.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, engine: str, relay: Relay) -> None:
        super().__init__(path, _Passing)
        self.engine, self.relay = engine, relay


@contextlib.contextmanager
def relayed(place: str) -> Iterator[Relay]:
    """Give a way to the engine at ``place``, which is a DOCKER_HOST."""
    directory = Path(tempfile.mkdtemp(prefix="relay"))
    directory.chmod(0o755)
    path = directory / "engine.sock"
    relay = Relay(f"unix://{path}")
    with _Server(str(path), place.removeprefix("unix://"), relay) as server:
        path.chmod(0o777)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield relay
        finally:
            relay.cut()
            server.shutdown()
            shutil.rmtree(directory, ignore_errors=True)
