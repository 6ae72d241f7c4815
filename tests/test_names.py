from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from servers import serving, whole

from ds01build.fetch.transport import HttpTransport, Settings
from ds01build.http.answer import Interrupted
from ds01build.http.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable

NEAR = "localhost"


class Resolver:
    """The system's, which notes who asks at the same time."""

    def __init__(self, ask: Callable[..., object]) -> None:
        self.ask = ask
        self.asked: list[str] = []
        self.most = self.now = 0
        self._lock = threading.Lock()

    def getaddrinfo(self, host: str, *more: object) -> object:
        if host != NEAR:
            return self.ask(host, *more)  # an address already
        with self._lock:
            self.asked.append(host)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        try:
            return self.ask(host, *more)
        finally:
            with self._lock:
                self.now -= 1


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    found = Resolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


def at_once(number: int, work: Callable[[], None]) -> None:
    gate = threading.Barrier(number)

    def wait_and_work() -> None:
        gate.wait()
        work()

    threads = [threading.Thread(target=wait_and_work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_connections_to_a_server_look_its_name_up_once(resolver: Resolver) -> None:
    came: list[bytes] = []
    with serving() as server:
        url = server.add("/file", whole(b"content")).replace("127.0.0.1", NEAR)
        transport = HttpTransport(Settings)

        def get() -> None:
            with transport.get(url, 0) as response:
                came.append(response.read(100))

        at_once(16, get)
        transport.close()
    assert came == [b"content"] * 16
    assert resolver.asked == [NEAR]


def test_names_of_servers_are_looked_up_one_after_the_other(resolver: Resolver) -> None:
    names = Names()
    ports, found = iter(range(1, 17)), list[tuple[str, ...]]()
    at_once(16, lambda: found.append(names.addresses(NEAR, next(ports))))
    assert len(found) == len(resolver.asked) == 16
    assert resolver.most == 1


def test_a_name_is_looked_up_again_where_nothing_answers(resolver: Resolver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    transport = HttpTransport(Settings)
    for _ in range(2):
        with pytest.raises(Interrupted), transport.get(f"http://{NEAR}:{port}/file", 0):
            pass
    transport.close()
    assert resolver.asked == [NEAR] * 2


def test_a_name_without_an_address_is_said_to_have_none() -> None:
    transport = HttpTransport(Settings)
    with (
        pytest.raises(Interrupted, match=r"^the host's name can't be resolved"),
        transport.get("https://nothing.invalid/file", 0),
    ):
        pass
    transport.close()
