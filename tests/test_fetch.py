from __future__ import annotations

import contextlib
import os
import random
import shutil
import ssl
import subprocess
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from servers import (
    Answer,
    Request,
    Route,
    Server,
    captive,
    chunked,
    compressed,
    content,
    elsewhere,
    endless,
    redirect,
    reset,
    serving,
    slow,
    stalled,
    status,
    truncated,
    unannounced,
    whole,
)
from urllib3.exceptions import NewConnectionError

from ds01build.digest import Digest, Key
from ds01build.errors import Ds01Error, MismatchError, StoreError, Unavailable
from ds01build.fetch import (
    Download,
    Event,
    Finished,
    NotThere,
    Pace,
    Received,
    Retrying,
    Waiting,
    fetch,
    parallel,
)
from ds01build.fetch.transport import HttpTransport, Proxies, Settings
from ds01build.http.names import Names, pools
from ds01build.http.session import Session
from ds01build.http.trust import Trust
from ds01build.location import origin
from ds01build.store.audit import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.store import DirStore

pytest_plugins = ("store_fixtures",)

BODY = random.Random(1).randbytes(600_000)
QUICK = Pace(first_delay=0.001, longest_delay=0.05)
STRICT = replace(QUICK, window=0.1, slowest=100_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as place:
        yield place


def download(*urls: str, body: bytes = BODY, name: str = "demo.whl") -> Download:
    return Download(digest=Digest.of(body), size=len(body), urls=urls, name=name)


def run(
    store: DirStore,
    *downloads: Download,
    events: list[Event] | None = None,
    settings: Settings | None = None,
    pace: Pace = QUICK,
) -> list[Download]:
    transport = HttpTransport(lambda: settings or Settings(connect=5, read=5))
    report = (events if events is not None else []).append
    with contextlib.closing(transport):
        return list(fetch(downloads, store=store, transport=transport, report=report, pace=pace))


def is_clean(store: DirStore) -> bool:
    """Say whether nothing is left of a transfer that failed."""
    return not any((store.root / "tmp").iterdir()) and list(verify(store)) == []


def becomes_clean(store: DirStore) -> bool:
    """Say whether the same is so within some seconds; transfers end when they next hear."""
    deadline = time.monotonic() + 5
    while any((store.root / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_clean(store)


# --- what works


def test_large_files_are_begun_first_and_all_arrive_whole_and_are_reported(
    server: Server, store: DirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_LARGE", 500_000)
    bodies = [BODY[:10], BODY, BODY[:1000], b""]
    wanted = [
        download(server.add(f"/{n}", content(body)), body=body, name=str(n))
        for n, body in enumerate(bodies)
    ]
    events: list[Event] = []
    transport = HttpTransport(Settings)
    got = list(fetch(wanted, store=store, transport=transport, report=events.append, connections=1))
    transport.close()
    assert [one.name for one in got] == ["1", "0", "2", "3"]
    assert server.paths() == ["/1", "/0", "/2", "/3"]
    assert all(store.has(one.digest, one.size) for one in wanted)
    for one in wanted:
        sizes = [e.size for e in events if isinstance(e, Received) and e.download == one]
        assert sum(sizes) == one.size
    assert [e.fetched for e in events if isinstance(e, Finished)] == [600_000, 10, 1000, 0]
    assert is_clean(store)


def test_what_is_there_is_not_asked_for(server: Server, store: DirStore) -> None:
    store.put(BODY)
    events: list[Event] = []
    wanted = download(server.add("/a", content(BODY)))
    assert run(store, wanted, events=events) == [wanted]
    assert events == [Finished(wanted, 0)]
    assert server.paths() == []


def test_a_blob_of_another_size_than_it_should_have_is_fetched_again(
    server: Server, store: DirStore
) -> None:
    wanted = download(server.add("/a", content(BODY)))
    store.path(wanted.digest).write_bytes(b"short")
    run(store, wanted)
    assert list(verify(store)) == []


def test_connections_are_used_at_once_and_kept_open(server: Server, store: DirStore) -> None:
    bodies = [random.Random(n).randbytes(50_000) for n in range(40)]
    wanted = [
        download(server.add(f"/{n}", slow(body, piece=25_000, pause=0.01)), body=body, name=str(n))
        for n, body in enumerate(bodies)
    ]
    assert len(run(store, *wanted)) == 40
    assert 2 <= server.most_at_once <= 16


def test_one_file_under_two_names_is_fetched_once(server: Server, store: DirStore) -> None:
    url = server.add("/a", slow(BODY, piece=200_000, pause=0.02))
    got = run(store, download(url, name="a"), download(url, name="b"))
    assert sorted(one.name for one in got) == ["a", "b"]
    assert server.paths() == ["/a"]


def test_two_stores_users_at_once_fetch_each_file_once(server: Server, store: DirStore) -> None:
    bodies = [random.Random(n).randbytes(30_000) for n in range(24)]
    wanted = [
        download(server.add(f"/{n}", slow(body, piece=15_000, pause=0.01)), body=body, name=str(n))
        for n, body in enumerate(bodies)
    ]
    events: list[list[Event]] = [[], []]
    threads = [
        threading.Thread(target=run, args=(store, *wanted), kwargs={"events": events[n]})
        for n in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(server.paths()) == sorted(f"/{n}" for n in range(24))
    fetched = [[e.fetched for e in list_ if isinstance(e, Finished)] for list_ in events]
    assert [len(list_) for list_ in fetched] == [24, 24]
    assert sum(map(sum, fetched)) == 24 * 30_000
    assert any(isinstance(e, Waiting) for list_ in events for e in list_)


def test_what_another_process_fetches_does_not_hold_up_the_rest(
    server: Server, store: DirStore
) -> None:
    small = download(server.add("/small", content(b"b")), body=b"b")
    large = download(server.add("/large", content(BODY)))
    key = Key.of({"fetch": large.digest.value})
    events: list[Event] = []
    transport = HttpTransport(Settings)
    fetching = threading.Thread(
        target=lambda: list(
            fetch(
                [large, small],
                store=store,
                transport=transport,
                report=events.append,
                connections=1,
                pace=QUICK,
            )
        ),
        daemon=True,
    )
    with store.lock(key, lambda _: None):
        fetching.start()
        deadline = time.monotonic() + 5
        while not store.has(small.digest) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert store.has(small.digest)
        assert not store.has(large.digest)
    fetching.join(5)
    transport.close()
    assert store.has(large.digest)
    assert [event for event in events if isinstance(event, Waiting)] == [
        Waiting(large, f"process {os.getpid()}")
    ]


def test_a_file_url_is_read_from_this_machine(store: DirStore, tmp_path: Path) -> None:
    path = tmp_path / "demo 1.whl"
    path.write_bytes(BODY)
    run(store, download(path.as_uri()))
    assert store.has(Digest.of(BODY))


def test_the_next_place_is_tried_when_one_fails(server: Server, store: DirStore) -> None:
    urls = [
        server.add("/gone", status(404)),
        server.add("/down", status(503)),
        server.add("/other", whole(BODY[::-1])),
        server.add("/right", content(BODY)),
    ]
    run(store, download(*urls))
    assert is_clean(store)


# --- what passes


@pytest.mark.parametrize(
    "first",
    [
        truncated(BODY, 200_000),
        truncated(BODY, 0),
        reset(BODY, 200_000),
        unannounced(BODY[:200_000]),
        status(500),
        status(503, {"Retry-After": "1000000000"}),
        status(429, {"Retry-After": "0"}),
        status(408),
        stalled(3.0),
        slow(BODY, piece=100, pause=0.02),
    ],
    ids=[
        "cut",
        "cut-at-once",
        "reset",
        "unannounced",
        "500",
        "503",
        "429",
        "408",
        "stalled",
        "slow",
    ],
)
def test_what_may_pass_is_tried_again(first: Route, server: Server, store: DirStore) -> None:
    events: list[Event] = []
    url = server.add("/a", first, content(BODY))
    settings = Settings(connect=5, read=0.5)
    run(store, download(url), events=events, settings=settings, pace=STRICT)
    assert is_clean(store)
    assert len(server.requests) == 2
    (retry,) = [event for event in events if isinstance(event, Retrying)]
    assert 0 <= retry.seconds <= QUICK.longest_delay


def test_an_interrupted_transfer_goes_on_where_it_was(server: Server, store: DirStore) -> None:
    events: list[Event] = []
    url = server.add("/a", truncated(BODY, 200_000), truncated(BODY, 300_000), content(BODY))
    run(store, download(url), events=events)
    assert [request.offset for request in server.requests] == [0, 200_000, 500_000]
    assert sum(event.size for event in events if isinstance(event, Received)) == len(BODY)


def test_a_server_that_ignores_ranges_is_read_from_the_start(
    server: Server, store: DirStore
) -> None:
    run(store, download(server.add("/a", truncated(BODY, 200_000), whole(BODY))))
    assert is_clean(store)


def test_pieces_that_do_not_fit_are_thrown_away_and_all_is_fetched_anew(
    server: Server, store: DirStore
) -> None:
    other = bytes(len(BODY))
    run(store, download(server.add("/a", truncated(other, 1000), content(BODY))))
    assert [request.offset for request in server.requests] == [0, 1000, 0]
    assert is_clean(store)


def test_a_body_of_unknown_length_is_compared_as_it_comes(server: Server, store: DirStore) -> None:
    run(store, download(server.add("/a", chunked(BODY))))
    assert is_clean(store)


def test_a_date_to_come_back_at_is_taken_by_the_servers_clock(
    server: Server, store: DirStore
) -> None:
    events: list[Event] = []
    busy = status(503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})
    run(store, download(server.add("/a", busy, content(BODY))), events=events)
    past = status(503, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})
    run(store, download(server.add("/b", past, content(b"b")), body=b"b"), events=events)
    waits = [event.seconds for event in events if isinstance(event, Retrying)]
    assert waits[0] == QUICK.longest_delay
    assert waits[1] < QUICK.longest_delay


# --- what doesn't


def failure(store: DirStore, wanted: Download, settings: Settings | None = None) -> Ds01Error:
    """Return the error of a download that must fail and leave nothing behind."""
    with pytest.raises(Ds01Error) as caught:
        run(store, wanted, settings=settings)
    assert not store.has(wanted.digest)
    assert is_clean(store)
    return caught.value


def test_other_bytes_are_a_mismatch_that_names_the_file(server: Server, store: DirStore) -> None:
    error = failure(store, download(server.add("/a", whole(BODY[::-1]))))
    assert isinstance(error, MismatchError)
    assert str(error) == (f"demo.whl: expected {Digest.of(BODY)}, got {Digest.of(BODY[::-1])}")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("route", "actual"),
    [
        (captive(), "26 bytes"),
        (whole(BODY + b"x"), "600001 bytes"),
        (whole(BODY[:-1]), "599999 bytes"),
        (endless(BODY), "more than 600000 bytes"),
        (chunked(BODY + b"x"), "more than 600000 bytes"),
    ],
    ids=["captive", "longer", "shorter", "endless", "chunked-longer"],
)
def test_another_length_is_a_mismatch(
    route: Route, actual: str, server: Server, store: DirStore
) -> None:
    error = failure(store, download(server.add("/a", route)))
    assert str(error) == f"demo.whl: expected 600000 bytes, got {actual}"
    assert len(server.requests) == 1


def test_a_coding_that_nobody_asked_for_is_named(server: Server, store: DirStore) -> None:
    error = failure(store, download(server.add("/a", compressed(BODY))))
    assert str(error).endswith("/a: the server sent it with Content-Encoding 'gzip'")
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("route", "requests", "reason"),
    [
        (status(500), 4, "the server answered 500"),
        (status(403), 1, "the server answered 403"),
        (status(401), 1, "the server answered 401"),
        (status(304), 1, "the server answered 304"),
        (elsewhere(BODY), 1, "another part of the file"),
        (truncated(BODY, 10), 4, "the connection broke"),
        (stalled(1.0), 4, "nothing came in time"),
    ],
    ids=["500", "403", "401", "304", "elsewhere", "always-cut", "always-stalled"],
)
def test_a_server_that_does_not_serve_is_unavailable(
    route: Route, requests: int, reason: str, server: Server, store: DirStore
) -> None:
    settings = Settings(connect=0.5, read=0.1)
    error = failure(store, download(server.add("/a", route)), settings)
    assert isinstance(error, Unavailable)
    assert str(error).startswith(f"cannot download demo.whl from {server.url}/a: ")
    assert reason in str(error)
    assert len(server.requests) == requests


def test_nobody_listening_is_unavailable(store: DirStore) -> None:
    with serving() as gone:
        url = gone.url
    error = failure(store, download(f"{url}/a"))
    assert isinstance(error, Unavailable)
    assert "Connection refused" in str(error)


def test_all_missing_files_are_named_after_the_others_have_come(
    server: Server, store: DirStore
) -> None:
    wanted = [
        download(server.add("/a", status(404)), server.add("/b", status(410)), name="lost"),
        download(body=b"nowhere", name="homeless"),
        download(server.add("/c", content(b"c")), body=b"c", name="c"),
    ]
    with pytest.raises(NotThere) as caught:
        run(store, *wanted)
    assert str(caught.value) == "not found: homeless, lost"
    assert caught.value.exit_code == 1
    assert store.has(Digest.of(b"c"))


def test_a_missing_local_file_is_missing_and_a_strange_one_refused(
    store: DirStore, tmp_path: Path
) -> None:
    assert isinstance(failure(store, download((tmp_path / "none").as_uri())), NotThere)
    os.mkfifo(tmp_path / "fifo")
    for url in ((tmp_path / "fifo").as_uri(), tmp_path.as_uri(), "file://host/etc/passwd"):
        assert isinstance(failure(store, download(url)), Unavailable)


def test_the_first_failure_ends_the_other_transfers(server: Server, store: DirStore) -> None:
    bodies = [random.Random(n).randbytes(60_000) for n in range(20)]
    wanted = [
        download(server.add(f"/{n}", slow(body, piece=1000, pause=0.02)), body=body, name=str(n))
        for n, body in enumerate(bodies)
    ]
    bad = download(server.add("/bad", whole(b"?" * 70_000)), body=b"!" * 70_000)
    with pytest.raises(MismatchError):
        run(store, bad, *wanted)
    assert becomes_clean(store)


def test_closing_ends_the_transfers(server: Server, store: DirStore) -> None:
    small = download(server.add("/small", content(b"b")), body=b"b")
    large = download(server.add("/large", slow(BODY, piece=1000, pause=0.02)))
    transport = HttpTransport(Settings)
    arrivals = fetch([small, large], store=store, transport=transport, report=lambda _: None)
    assert next(arrivals) == small
    begin = time.monotonic()
    arrivals.close()
    assert time.monotonic() - begin < 1
    assert becomes_clean(store)


def test_an_error_of_the_store_passes_through(server: Server, store: DirStore) -> None:
    (store.root / "tmp").rmdir()
    with pytest.raises(StoreError, match="no such file or directory"):
        run(store, download(server.add("/a", content(BODY))))


# --- where it may go


def guarded(body: bytes, authorization: str) -> Route:
    """Serve ``body`` to who shows ``authorization``, and refuse everyone else."""

    def route(answer: Answer, request: Request) -> None:
        right = request.headers.get("Authorization") == authorization
        (content(body) if right else status(401))(answer, request)

    return route


def test_credentials_go_to_their_origin_only(server: Server, store: DirStore) -> None:
    with serving() as other:
        target = other.add("/b", content(BODY))
        url = server.add("/a", redirect(target))
        known = {origin(server.url): ("user", "p:wörd")}
        run(store, download(url), settings=Settings(credentials=known))
        assert server.requests[0].headers["Authorization"] == "Basic dXNlcjpwOnfDtnJk"
        assert "Authorization" not in other.requests[0].headers


def test_credentials_in_a_url_are_used_for_its_origin_and_never_shown(
    server: Server, store: DirStore
) -> None:
    with serving() as other:
        target = other.add("/b", content(BODY[::-1]))
        url = server.add("/a?token=hunter2", redirect(target))
        server.routes["/a"] = redirect(target)
        url = url.replace("http://", "http://user:hunter2@")
        error = failure(store, download(url))
        assert server.requests[0].headers["Authorization"] == "Basic dXNlcjpodW50ZXIy"
        assert "Authorization" not in other.requests[0].headers
    assert "hunter2" not in str(error)
    server.routes["/a"] = status(500)
    error = failure(store, download(url))
    assert isinstance(error, Unavailable)
    assert "hunter2" not in f"{error}{error!r}{error.__cause__!r}"


def test_credentials_of_a_redirect_are_not_used(server: Server, store: DirStore) -> None:
    with serving() as other:
        target = other.add("/b", content(BODY)).replace("http://", "http://evil:x@")
        run(store, download(server.add("/a", redirect(target))))
        assert "Authorization" not in other.requests[0].headers


def test_a_guarded_file_comes_with_the_right_password(server: Server, store: DirStore) -> None:
    url = server.add("/a", guarded(BODY, "Basic dXNlcjpodW50ZXIy"))
    known = {origin(server.url): ("user", "hunter2")}
    run(store, download(url), settings=Settings(credentials=known))
    assert "hunter2" not in repr(Settings(credentials=known))


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/a", "https://[", "http://169.254.169.254/a", "", "\n"],
)
def test_a_redirect_to_something_else_is_refused(
    target: str, server: Server, store: DirStore
) -> None:
    def away(answer: Answer, _: Request) -> None:
        answer.start(302, {"Content-Length": "0", "Location": target})

    server.routes["/a"] = away
    error = failure(store, download(f"{server.url}/a"))
    assert isinstance(error, Unavailable)
    assert len(server.requests) <= 6


def test_a_link_local_address_is_never_asked(server: Server, store: DirStore) -> None:
    url = server.add("/a", redirect("https://169.254.169.254/latest"))
    error = failure(store, download(url))
    assert str(error).endswith("/a: https://169.254.169.254/latest is a link-local address")


def test_redirects_are_counted(server: Server, store: DirStore) -> None:
    for number in range(7):
        server.add(f"/{number}", redirect(f"/{number + 1}"))
    server.add("/7", content(BODY))
    error = failure(store, download(f"{server.url}/0"))
    assert str(error).endswith("/0: more than 5 redirects")
    run(store, download(f"{server.url}/2"))


def test_plain_http_is_for_loopback_and_for_what_the_site_allows(store: DirStore) -> None:
    error = failure(store, download("http://mirror.invalid/a"))
    assert str(error) == (
        "cannot download demo.whl from http://mirror.invalid/a: http://mirror.invalid/a is not"
        " https"
    )
    allowed = Settings(plain=frozenset({origin("http://mirror.invalid/")}), connect=0.5)
    error = failure(store, download("http://mirror.invalid/a"), allowed)
    assert "/a: the host's name can't be resolved" in str(error)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(
    store: DirStore, tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    with serving(certificate=certificate, key=key) as server:
        url = server.add("/a", content(BODY)).replace("127.0.0.1", "localhost")
        events: list[Event] = []
        with pytest.raises(Unavailable, match="TLS failed"):
            run(store, download(url), events=events)
        assert events == []
        assert server.requests == []
        run(store, download(url), settings=Settings(authorities=str(certificate)))


def test_authorities_are_read_once_and_only_where_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str | None] = []
    make = ssl.create_default_context

    def counted(*, cafile: str | None) -> ssl.SSLContext:
        made.append(cafile)
        return make(cafile=cafile)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    kinds: dict[str, Any] = pools(Names(), Trust(None))
    assert made == []
    for _ in range(2):
        connection = kinds["https"].ConnectionCls("127.0.0.1", 9, timeout=0.5)
        with pytest.raises(NewConnectionError):
            connection.connect()
    assert made == [None]


def test_a_foreign_server_may_not_lead_to_this_machine(server: Server, store: DirStore) -> None:
    """Seen through a proxy, which plays the foreign server."""
    server.add("/b", content(BODY))
    with serving() as proxy:
        proxy.routes["http://mirror.invalid/a"] = redirect(f"{server.url}/b")
        settings = Settings(
            plain=frozenset({"http://mirror.invalid:80"}), proxies=Proxies(http=proxy.url)
        )
        error = failure(store, download("http://mirror.invalid/a"), settings)
    assert "is not https" in str(error)
    assert server.paths() == []


def test_a_proxy_is_used_with_its_credentials_unless_exempt(store: DirStore) -> None:
    url = "http://mirror.invalid/a"
    plain = frozenset({origin(url)})
    with serving() as proxy:
        proxy.routes[url] = content(BODY)
        place = proxy.url.replace("http://", "http://me:hunter2@")
        settings = Settings(plain=plain, proxies=Proxies(http=place), connect=0.5)
        run(store, download(url), settings=settings)
        assert proxy.requests[0].headers["Proxy-Authorization"] == "Basic bWU6aHVudGVyMg=="
        store.remove(Digest.of(BODY))
        exempt = replace(settings, proxies=Proxies(http=place, exempt=(".invalid",)))
        assert "name can't be resolved" in str(failure(store, download(url), exempt))
        assert len(proxy.requests) == 1
    assert "hunter2" not in repr(settings)


def test_a_proxy_that_is_not_one_is_unavailable() -> None:
    for proxy in ("socks5://u:hunter2@host:1", "http://u:hunter2/@host"):
        with pytest.raises(Unavailable, match=r"proxy .*is not usable") as caught:
            Session(Settings(proxies=Proxies(https=proxy)))
        assert "hunter2" not in str(caught.value)
