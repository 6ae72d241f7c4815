"""A way to an engine on which all that it says at a time arrives in one piece."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SILENCE = 0.2  # seconds after which the engine has said it all
_PIECE = 1 << 16  # bytes


class _Relay(socketserver.BaseRequestHandler):
    """Passes on what the client says, and what the engine says once it has paused."""

    server: _Server

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.server.engine)
            held = b""
            while True:
                sides = (self.request, engine)
                ready = select.select(sides, (), (), _SILENCE if held else None)[0]
                if not ready:
                    self.request.sendall(held)
                    held = b""
                if self.request in ready:
                    asked = self.request.recv(_PIECE)
                    if not asked:
                        return
                    engine.sendall(asked)
                if engine in ready:
                    said = engine.recv(_PIECE)
                    held += said
                    if not said:
                        self.request.sendall(held)
                        return


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, engine: str) -> None:
        super().__init__(path, _Relay)
        self.engine = engine


@contextlib.contextmanager
def late(place: str, directory: Path) -> Iterator[str]:
    """Yield a DOCKER_HOST that leads to the one at ``place``."""
    path = directory / "late.sock"
    with _Server(str(path), place.removeprefix("unix://")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
