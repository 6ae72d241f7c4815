"""A web server on the loopback interface that fails in the ways that its routes say."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 256 * 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""

    @property
    def offset(self) -> int:
        """The first byte that the client asks for."""
        asked = self.headers.get("Range", "")
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0


Route = Callable[["Answer", Request], None]


@dataclass
class Server:
    """Routes by path, or HEAD and path, and the requests that came, in order."""

    url: str
    routes: dict[str, Route] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    busy: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    def add(self, path: str, *routes: Route) -> str:
        """Answer the n-th request for ``path`` with the n-th route, further ones with the last."""
        left = list(routes)

        def next_route(answer: Answer, request: Request) -> None:
            (left.pop(0) if len(left) > 1 else left[0])(answer, request)

        self.routes[path] = next_route
        return self.url + path

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    place: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.path, dict(self.headers.items()), self.command, body)
        with self.place.counting:
            self.place.requests.append(request)
            self.place.busy += 1
            self.place.most_at_once = max(self.place.most_at_once, self.place.busy)
        try:
            with contextlib.suppress(ConnectionError):
                self._route()(self, request)
        finally:
            with self.place.counting:
                self.place.busy -= 1

    def _route(self) -> Route:
        path = self.path.partition("?")[0]
        if self.command == "HEAD":  # has no body, as routes for GET do
            return self.place.routes.get(f"HEAD {path}", status(405))
        return self.place.routes.get(path, status(404))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def start(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # what doesn't fit waits a second to be asked again

    def handle_error(self, *_: object) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # clients hang up as they like
            traceback.print_exc()


@contextlib.contextmanager
def serving(*, certificate: Path | None = None, key: Path | None = None) -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1 until the block ends, with TLS if given a certificate."""
    place = Server(url="")
    bound = type("Bound", (Answer,), {"place": place})
    server = _Quiet(("127.0.0.1", 0), bound)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    place.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def content(body: bytes) -> Route:
    """Answer with ``body``, or with the part of it that is asked for."""

    def route(answer: Answer, request: Request) -> None:
        rest = memoryview(body)[request.offset :]
        headers = {"Content-Length": str(len(rest))}
        if request.offset:
            headers["Content-Range"] = f"bytes {request.offset}-{len(body) - 1}/{len(body)}"
        answer.start(206 if request.offset else 200, headers)
        for start in range(0, len(rest), CHUNK):
            answer.wfile.write(rest[start : start + CHUNK])

    return route


def whole(body: bytes, headers: Mapping[str, str] | None = None) -> Route:
    """Answer with all of ``body``, whatever part is asked for."""

    def route(answer: Answer, _: Request) -> None:
        answer.start(200, {"Content-Length": str(len(body)), **(headers or {})})
        answer.wfile.write(body)

    return route


def status(code: int, headers: Mapping[str, str] | None = None) -> Route:
    """Answer with an empty body."""

    def route(answer: Answer, _: Request) -> None:
        answer.start(code, {"Content-Length": "0", **(headers or {})})

    return route


def truncated(body: bytes, after: int) -> Route:
    """Promise the rest of ``body``, send ``after`` bytes of it and hang up."""

    def route(answer: Answer, request: Request) -> None:
        rest = body[request.offset :]
        headers = {"Content-Length": str(len(rest))}
        if request.offset:
            headers["Content-Range"] = f"bytes {request.offset}-{len(body) - 1}/{len(body)}"
        answer.start(206 if request.offset else 200, headers)
        answer.wfile.write(rest[:after])
        answer.close_connection = True

    return route


def unannounced(body: bytes) -> Route:
    """Send ``body`` and hang up, without having said how long it is."""

    def route(answer: Answer, _: Request) -> None:
        answer.start(200, {"Connection": "close"})
        answer.wfile.write(body)
        answer.close_connection = True

    return route


def elsewhere(body: bytes) -> Route:
    """Answer with another part of ``body`` than the one that is asked for."""

    def route(answer: Answer, request: Request) -> None:
        start = request.offset + 1
        rest = body[start:]
        place = f"bytes {start}-{len(body) - 1}/{len(body)}"
        answer.start(206, {"Content-Length": str(len(rest)), "Content-Range": place})
        answer.wfile.write(rest)

    return route


def reset(body: bytes, after: int) -> Route:
    """Send ``after`` bytes of ``body`` and reset the connection."""

    def route(answer: Answer, _: Request) -> None:
        answer.start(200, {"Content-Length": str(len(body))})
        answer.wfile.write(body[:after])
        answer.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        answer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        answer.close_connection = True

    return route


def slow(body: bytes, *, piece: int, pause: float) -> Route:
    """Send ``piece`` bytes, wait ``pause`` seconds, and so on."""

    def route(answer: Answer, _: Request) -> None:
        answer.start(200, {"Content-Length": str(len(body))})
        for start in range(0, len(body), piece):
            answer.wfile.write(body[start : start + piece])
            time.sleep(pause)

    return route


def endless(body: bytes) -> Route:
    """Send ``body`` without saying how long it is, and then more and more of it."""

    def route(answer: Answer, _: Request) -> None:
        answer.start(200, {"Transfer-Encoding": "chunked"})
        while True:
            answer.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))

    return route


def chunked(body: bytes) -> Route:
    """Send ``body`` without saying how long it is."""

    def route(answer: Answer, _: Request) -> None:
        answer.start(200, {"Transfer-Encoding": "chunked"})
        answer.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    return route


def compressed(body: bytes) -> Route:
    """Send ``body`` with a content coding that nobody asked for."""
    return whole(gzip.compress(body), {"Content-Encoding": "gzip"})


def captive() -> Route:
    """Answer as a hotel's network does."""
    return whole(b"<html>Please log in</html>", {"Content-Type": "text/html"})


def redirect(to: str, code: int = 302) -> Route:
    """Send the client elsewhere."""
    return status(code, {"Location": to})


def stalled(seconds: float) -> Route:
    """Say nothing for a while, then hang up."""

    def route(answer: Answer, _: Request) -> None:
        time.sleep(seconds)
        answer.close_connection = True

    return route
