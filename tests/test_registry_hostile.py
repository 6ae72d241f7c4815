"""The registry client against servers that fail, lie, or want something."""

from __future__ import annotations

import base64
import contextlib
import json
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from registries import CONFIG, INDEX, MANIFEST, Json, Made, descriptor, index_of, made
from servers import (
    Answer,
    Request,
    Route,
    Server,
    captive,
    content,
    endless,
    redirect,
    reset,
    serving,
    slow,
    stalled,
    status,
    truncated,
    whole,
)

from ds01build.digest import Digest
from ds01build.errors import Ds01Error, MismatchError, RejectedFile, Unavailable
from ds01build.http.pace import Pace
from ds01build.http.settings import Proxies, Settings
from ds01build.layer import GZIP
from ds01build.reference import Reference, parse_reference
from ds01build.registry import Login, Patience, RegistryClient, open_client

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER = random.Random(5).randbytes(600_000)
IMAGE = made(LAYER)
READ = Settings(connect=5, read=5)
HASTY = replace(READ, read=0.4)


@dataclass(frozen=True)
class OneLogin:
    """A user who is the same everywhere, and what was asked about."""

    login: Login | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def of(self, registry: str, repository: str) -> Login | None:
        self.asked.append((registry, repository))
        return self.login


@dataclass(frozen=True)
class Waits:
    """Takes no time to wait, and says how long it was."""

    seconds: list[float] = field(default_factory=list)

    def patience(self, pace: Pace | None = None) -> Patience:
        return Patience(pace=pace or Pace(retries=2, longest_delay=30), sleep=self.seconds.append)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as place:
        yield place


@contextlib.contextmanager
def opened(
    login: Login | None = None, settings: Settings = READ, pace: Pace | None = None
) -> Iterator[RegistryClient]:
    client = open_client(settings, OneLogin(login), patience=Waits().patience(pace))
    with contextlib.closing(client):
        yield client


@pytest.fixture
def client() -> Iterator[RegistryClient]:
    with opened() as made_client:
        yield made_client


def document(body: bytes, media_type: str, digest: str = "") -> Route:
    """Serve a manifest as a registry does."""
    headers = {"Content-Type": media_type}
    headers["Docker-Content-Digest"] = digest or Digest.of(body).value
    return whole(body, headers)


def head(body: bytes, media_type: str) -> Route:
    """Say of a manifest what a registry says."""
    return status(200, {"Content-Type": media_type, "Docker-Content-Digest": str(Digest.of(body))})


def blob_path(blob: bytes, name: str = "a") -> str:
    return f"/v2/{name}/blobs/{Digest.of(blob)}"


def offer(server: Server, image: Made = IMAGE, name: str = "a") -> Reference:
    """Serve an image under the tag 1 and its digest."""
    for pointer in ("1", Digest.of(image.manifest)):
        server.add(f"/v2/{name}/manifests/{pointer}", document(image.manifest, MANIFEST))
    for blob in (image.config, *image.blobs.values()):
        server.add(blob_path(blob, name), content(blob))
    return parse_reference(f"{server.url.removeprefix('http://')}/{name}:1")


def failure(client: RegistryClient, reference: Reference, architecture: str = "amd64") -> Ds01Error:
    with pytest.raises(Ds01Error) as caught:
        client.image(reference, architecture)
    assert str(caught.value).isprintable()
    return caught.value


def changed(document: bytes, **values: object) -> bytes:
    return json.dumps({**json.loads(document), **values}).encode()


# --- what may pass


@pytest.mark.parametrize(
    "first",
    [
        status(500),
        status(503),
        status(429, {"Retry-After": "7"}),
        status(408),
        stalled(1.0),
        truncated(IMAGE.manifest, 10),
        reset(IMAGE.manifest, 10),
        slow(IMAGE.manifest, piece=10, pause=0.05),
    ],
    ids=["500", "503", "429", "408", "stalled", "cut", "reset", "slow"],
)
def test_what_may_pass_is_tried_again(first: Route, server: Server) -> None:
    reference = offer(server)
    server.add("/v2/a/manifests/1", first, first, document(IMAGE.manifest, MANIFEST))
    pace = Pace(retries=2, longest_delay=30, window=0.3, slowest=100_000)
    with opened(settings=HASTY, pace=pace) as client:
        assert client.image(reference, "amd64").digest == Digest.of(IMAGE.manifest)
    assert server.paths().count("/v2/a/manifests/1") == 3


@pytest.mark.parametrize(
    ("code", "says", "hint"),
    [
        (500, "the server answered 500 (Internal Server Error)", "curl -I http://{}/v2/"),
        (429, "the server answered 429 (Too Many Requests)", "docker login {}"),
    ],
)
def test_after_three_attempts_a_registry_is_unavailable(
    code: int, says: str, hint: str, server: Server
) -> None:
    reference = offer(server)
    server.add("/v2/a/manifests/1", status(code, {"Retry-After": "86400"}))
    waits = Waits()
    told: list[str] = []
    patience = replace(waits.patience(), tell=told.append)
    client = open_client(READ, OneLogin(), patience=patience)
    with contextlib.closing(client):
        error = failure(client, reference)
    assert isinstance(error, Unavailable)
    again = f"image {reference} from {reference.registry}: {says}; once more in 30 s"
    assert told == [again, again]
    assert str(error) == (f"cannot read image {reference} from {reference.registry}: {says}")
    assert error.hint == hint.format(reference.registry)
    assert server.paths() == ["/v2/a/manifests/1"] * 3
    assert waits.seconds == [30, 30]


@pytest.mark.parametrize("code", [400, 404, 405, 410, 451])
def test_what_does_not_pass_is_not_tried_again(
    code: int, server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add("/v2/a/manifests/1", status(code))
    error = failure(client, reference)
    assert error.exit_code == (1 if code in (404, 410) else 4)
    assert server.paths() == ["/v2/a/manifests/1"]


def test_a_blob_goes_on_where_its_connection_was_cut(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    path = blob_path(LAYER)
    server.add(path, truncated(LAYER, 200_000), truncated(LAYER, 300_000), content(LAYER))
    with client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader:
        assert reader.read() == LAYER
    offsets = [request.offset for request in server.requests if request.path == path]
    assert offsets == [0, 200_000, 500_000]


def test_a_server_that_ignores_ranges_is_read_past_what_is_there(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add(blob_path(LAYER), truncated(LAYER, 200_000), whole(LAYER))
    with client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader:
        assert reader.read() == LAYER


def test_a_blob_that_is_cut_each_time_is_unavailable(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add(blob_path(LAYER), truncated(LAYER, 10))
    with (
        client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader,
        pytest.raises(Unavailable, match=r"^cannot read blob sha256:.*: the connection broke$"),
    ):
        reader.read()


def test_a_reader_that_is_left_early_ends_the_transfer(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add(blob_path(LAYER), slow(LAYER, piece=1000, pause=0.01))
    with client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader:
        assert reader.read(10) == LAYER[:10]
    assert reader.read(10) == b""


# --- what lies


def doubt(reference: Reference) -> str:
    host = reference.registry
    return f"run it again; if it stays so, ask who runs {host}, or a proxy before it"


@pytest.mark.parametrize(
    ("route", "size", "problem"),
    [
        (content(LAYER[::-1]), len(LAYER), Digest.of(LAYER[::-1]).value),
        (content(LAYER[:-1]), len(LAYER), "599999 bytes"),
        (content(LAYER + b"x"), len(LAYER), "600001 bytes"),
        (endless(LAYER), len(LAYER), "more than 600000 bytes"),
        (content(LAYER), len(LAYER) - 1, "600000 bytes"),
    ],
    ids=["other", "shorter", "longer", "endless", "locked-otherwise"],
)
def test_a_blob_that_is_not_as_promised_is_named(
    route: Route, size: int, problem: str, server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    digest = Digest.of(LAYER)
    server.add(blob_path(LAYER), route)
    with client.blob(reference, digest, size) as reader:
        with pytest.raises(MismatchError) as caught:
            reader.read()
        assert reader.read() == b""
    assert str(caught.value).startswith(f"blob {digest} of {reference}: expected ")
    assert str(caught.value).endswith(f"got {problem}")
    assert caught.value.hint == doubt(reference)


def test_the_last_bytes_of_a_wrong_blob_are_never_seen(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add(blob_path(LAYER), content(LAYER[:-1] + b"?"))
    taken: list[bytes] = []
    with client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader:
        with pytest.raises(MismatchError):
            taken.extend(iter(lambda: reader.read(1000), b""))
        assert reader.read() == b""
    assert 0 < sum(map(len, taken)) < len(LAYER)


def test_a_manifest_that_is_not_what_its_header_says_is_refused(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    other = Digest.of(b"other")
    server.add("/v2/a/manifests/1", document(IMAGE.manifest, MANIFEST, other.value))
    error = failure(client, reference)
    assert isinstance(error, MismatchError)
    assert str(error) == f"{reference}: expected {other}, got {Digest.of(IMAGE.manifest)}"
    assert error.hint == doubt(reference)


def test_a_digest_wins_over_whatever_is_served_for_it(
    server: Server, client: RegistryClient
) -> None:
    digest = Digest.of(IMAGE.manifest)
    reference = replace(offer(server), digest=digest)
    evil = made(b"evil").manifest
    server.add(f"/v2/a/manifests/{digest}", document(evil, MANIFEST))
    error = failure(client, reference)
    assert isinstance(error, MismatchError)
    server.add(f"/v2/a/manifests/{digest}", whole(evil, {"Content-Type": MANIFEST}))
    error = failure(client, reference)
    assert str(error) == f"{reference}: expected {digest}, got {Digest.of(evil)}"


def test_a_configuration_is_held_to_digest_and_size(server: Server, client: RegistryClient) -> None:
    reference = offer(server)
    server.add(blob_path(IMAGE.config), content(b"{}"))
    error = failure(client, reference)
    assert str(error) == (
        f"configuration {Digest.of(IMAGE.config)} of {reference}: expected "
        f"{Digest.of(IMAGE.config)}, got {Digest.of(b'{}')}"
    )
    server.add(blob_path(IMAGE.config), content(IMAGE.config))
    lying = {**descriptor(CONFIG, IMAGE.config), "size": 1}
    manifest = changed(IMAGE.manifest, config=lying)
    server.add("/v2/a/manifests/1", document(manifest, MANIFEST))
    assert "expected 1 bytes, got" in str(failure(client, reference))


@pytest.mark.parametrize("limit", ["manifest", "configuration"])
def test_documents_without_an_end_are_refused(
    limit: str, server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    path = "/v2/a/manifests/1" if limit == "manifest" else blob_path(IMAGE.config)
    server.add(path, endless(b" " * 100_000))
    error = failure(client, reference)
    assert isinstance(error, RejectedFile)
    assert str(error).endswith(f": longer than {4096 if limit == 'manifest' else 8192} KiB")


def layer_of(media_type: str) -> list[Json]:
    return [descriptor(media_type, LAYER)]


_TYPES = "application/vnd.docker"
FOREIGN = f"{_TYPES}.image.rootfs.foreign.diff.tar.gzip"
ELSEWHERE = "application/vnd.oci.image.layer.nondistributable.v1.tar"


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"schemaVersion": 2, "schemaVersion": 2}', "a key stands twice in one object"),
        (b'{"schemaVersion": NaN}', "not JSON"),
        (b'{"schemaVersion": 1' + b"0" * 5000 + b"}", "not JSON"),
        (changed(IMAGE.manifest, schemaVersion=3), "schemaVersion is not 2"),
        (changed(IMAGE.manifest, schemaVersion=True), "schemaVersion is not an integer"),
        (
            changed(IMAGE.manifest, schemaVersion=1),
            "a manifest of Docker's schema 1, which ds01 does not read: push the image again",
        ),
        (
            changed(IMAGE.manifest, mediaType=INDEX),
            f"it says that it is {INDEX}, not {MANIFEST} as announced",
        ),
        (changed(IMAGE.manifest, mediaType="a\nb/c"), "mediaType is not a media type: 'a\\nb/c'"),
        (changed(IMAGE.manifest, manifests=[]), f"{MANIFEST} with manifests"),
        (changed(IMAGE.manifest, config=None), "config.digest is not a sha256 address: ''"),
        (changed(IMAGE.manifest, config=[]), "config is not an object"),
        (
            changed(IMAGE.manifest, config=descriptor("application/x.helm+json", b"")),
            "not an image that runs: its configuration is 'application/x.helm+json'",
        ),
        (changed(IMAGE.manifest, layers={}), "layers is not an array"),
        (changed(IMAGE.manifest, layers=[1]), "layers[0] is not an object"),
        (changed(IMAGE.manifest, layers=[{}] * 1001), "layers has 1001 entries, more than 1000"),
        (
            changed(IMAGE.manifest, layers=[{**layer_of(GZIP)[0], "size": -1}]),
            "layers[0].size is missing or out of range",
        ),
        (
            changed(IMAGE.manifest, layers=[{**layer_of(GZIP)[0], "size": 2**60}]),
            "layers[0].size is missing or out of range",
        ),
        (
            changed(IMAGE.manifest, layers=layer_of(FOREIGN)),
            f"layers[0] is kept outside the registry ({FOREIGN})",
        ),
        (
            changed(IMAGE.manifest, layers=layer_of(ELSEWHERE)),
            f"layers[0] is kept outside the registry ({ELSEWHERE})",
        ),
        (
            changed(IMAGE.manifest, layers=layer_of("application/x-encrypted")),
            "layers[0] is no layer that ds01 reads: 'application/x-encrypted'",
        ),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    manifest: bytes, problem: str, server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add("/v2/a/manifests/1", document(manifest, MANIFEST))
    error = failure(client, reference)
    assert isinstance(error, RejectedFile)
    assert str(error) == f"{reference}: {problem}"


@pytest.mark.parametrize(
    ("media_type", "problem"),
    [
        ("text/plain", "neither an image nor an index of images: 'text/plain'"),
        (f"{_TYPES}.distribution.manifest.v1+prettyjws", "a manifest of Docker's schema 1"),
    ],
)
def test_another_document_than_a_manifest_is_named(
    media_type: str, problem: str, server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    bare = json.loads(IMAGE.manifest)
    del bare["mediaType"]
    server.add("/v2/a/manifests/1", document(json.dumps(bare).encode(), media_type))
    assert str(failure(client, reference)).startswith(f"{reference}: {problem}")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"os": "windows", "architecture": "amd64"}, "there is windows/amd64"),
        ({}, "there is no platform that it names"),
        ({"rootfs": {"type": "layers"}}, "expected 1 diff_ids, got 0"),
        ({"rootfs": {"diff_ids": [1]}}, "rootfs.diff_ids[0] is not a string"),
        ({"rootfs": {"diff_ids": ["sha256:x"]}}, "a diff_id is not a sha256 address: 'sha256:x'"),
        ({"rootfs": {"diff_ids": ["x"] * 2}}, "expected 1 diff_ids, got 2"),
    ],
)
def test_a_configuration_that_contradicts_is_refused(
    config: Json, problem: str, server: Server, client: RegistryClient
) -> None:
    platform = {} if not config or "os" in config else {"os": "linux", "architecture": "amd64"}
    encoded = json.dumps({**platform, **config}).encode()
    manifest = changed(IMAGE.manifest, config=descriptor(CONFIG, encoded))
    reference = offer(server, Made(manifest, encoded, {}))
    assert problem in str(failure(client, reference))


# --- indexes


def test_a_bare_processor_is_preferred_to_a_newer_one(
    server: Server, client: RegistryClient
) -> None:
    newer, plain = made(b"newer"), made(b"plain")
    reference = offer(server, plain)
    index = index_of(
        ("unknown/unknown", made(b"attestation")),
        ("linux/amd64/v3", newer),
        ("windows/amd64", newer),
        ("linux/amd64", plain),
    )
    server.add("/v2/a/manifests/1", document(index, INDEX))
    server.add("HEAD /v2/a/manifests/1", head(index, INDEX))
    got = client.image(reference, "amd64")
    assert got.digest == client.digest_of(reference, "amd64") == Digest.of(plain.manifest)
    error = failure(client, reference, "arm64")
    assert str(error).endswith(
        "is not for linux/arm64; there is linux/amd64, linux/amd64/v3, windows/amd64"
    )
    tags = f"skopeo list-tags --tls-verify=false docker://{reference.registry}/a"
    assert error.hint == f"name an image for arm64: {tags}"


@pytest.mark.parametrize("variants", [("v8", "v9"), ("", "v9"), ("v7", "v8"), ("", "v8")])
def test_arm64_is_what_version_8_runs(
    variants: tuple[str, str], server: Server, client: RegistryClient
) -> None:
    images = {one: made(one.encode(), architecture="arm64", variant=one) for one in variants}
    wanted = images["v8" if "v8" in images else ""]
    reference = offer(server, wanted)
    places = [(f"linux/arm64/{one}".rstrip("/"), image) for one, image in images.items()]
    server.add("/v2/a/manifests/1", document(index_of(*places), INDEX))
    assert client.image(reference, "arm64").digest == Digest.of(wanted.manifest)


def test_what_an_index_promises_is_held(server: Server, client: RegistryClient) -> None:
    reference = offer(server)
    entry = {**descriptor(MANIFEST, IMAGE.manifest), "size": 5}
    entry["platform"] = {"os": "linux", "architecture": "amd64"}
    index: Json = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    server.add("/v2/a/manifests/1", document(json.dumps(index).encode(), INDEX))
    assert "expected 5 bytes, got" in str(failure(client, reference))
    entry["size"] = len(IMAGE.manifest)
    server.add("/v2/a/manifests/1", document(json.dumps(index).encode(), INDEX))
    client.image(reference, "amd64")
    entry["mediaType"] = INDEX
    server.add("/v2/a/manifests/1", document(json.dumps(index).encode(), INDEX))
    assert f"it says that it is {MANIFEST}, not {INDEX}" in str(failure(client, reference))


def test_an_index_within_an_index_is_refused(server: Server, client: RegistryClient) -> None:
    inner = index_of(("linux/amd64", IMAGE))
    reference = offer(server, Made(inner, b"", {}))
    entry: Json = {**descriptor(INDEX, inner), "platform": {"os": "linux", "architecture": "amd64"}}
    outer = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    server.add("/v2/a/manifests/1", document(outer, INDEX))
    server.add(f"/v2/a/manifests/{Digest.of(inner)}", document(inner, INDEX))
    assert str(failure(client, reference)) == f"{reference}: an index within an index"


# --- who is asked, and as whom


def bearer(
    server: Server, realm: str, *, accepts: str = "good", serves: Route | None = None
) -> Route:
    """Serve the image's manifest to who shows a token, and say where tokens are."""

    def route(answer: Answer, request: Request) -> None:
        if request.headers.get("Authorization") == f"Bearer {accepts}":
            (serves or document(IMAGE.manifest, MANIFEST))(answer, request)
        else:
            challenge = f'Bearer realm="{realm}",service="reg.example",scope="repository:a:push"'
            status(401, {"WWW-Authenticate": challenge})(answer, request)

    return route


def tokens(token: str, key: str = "token") -> Route:
    return whole(json.dumps({key: token, "expires_in": 60}).encode())


def test_a_token_is_asked_for_once_and_for_reading_only(server: Server) -> None:
    reference = offer(server)
    realm = server.add("/token", tokens("good"))
    server.add("/v2/a/manifests/1", bearer(server, realm))
    pointer = head(IMAGE.manifest, MANIFEST)
    server.add("HEAD /v2/a/manifests/1", bearer(server, realm, serves=pointer))
    with opened(Login(user="me", password="hunter2")) as client:
        client.image(reference, "amd64")
        client.digest_of(reference, "amd64")
    asked = [request for request in server.requests if request.path.startswith("/token")]
    assert len(asked) == 1
    query = parse_qs(asked[0].path.partition("?")[2])
    assert query == {"service": ["reg.example"], "scope": ["repository:a:pull"]}
    expected = "Basic " + base64.b64encode(b"me:hunter2").decode()
    assert asked[0].headers["Authorization"] == expected
    others = [request for request in server.requests if not request.path.startswith("/token")]
    assert {request.headers.get("Authorization") for request in others} == {None, "Bearer good"}


def test_nobody_in_particular_gets_a_token_too(server: Server) -> None:
    reference = offer(server)
    server.add("/v2/a/manifests/1", bearer(server, server.add("/token", tokens("good"))))
    with opened() as client:
        client.image(reference, "amd64")
    (asked,) = [request for request in server.requests if request.path.startswith("/token")]
    assert "Authorization" not in asked.headers


def test_an_identity_token_is_exchanged_for_an_access_token(server: Server) -> None:
    reference = offer(server)
    realm = server.add("/token", tokens("good", "access_token"))
    server.add("/v2/a/manifests/1", bearer(server, realm))
    with opened(Login(identity="secret-identity")) as client:
        client.image(reference, "amd64")
        assert "secret-identity" not in repr(client)
    (asked,) = [request for request in server.requests if request.path.startswith("/token")]
    assert asked.method == "POST"
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["ds01"],
        "service": ["reg.example"],
        "scope": ["repository:a:pull"],
        "refresh_token": ["secret-identity"],
    }


def test_an_expired_token_is_renewed_once(server: Server) -> None:
    reference = offer(server)
    realm = server.add("/token", tokens("first"), tokens("second"))
    server.add("/v2/a/manifests/1", bearer(server, realm, accepts="first"))
    with opened() as client:
        client.image(reference, "amd64")
        server.add("/v2/a/manifests/1", bearer(server, realm, accepts="second"))
        client.image(reference, "amd64")
        server.add("/v2/a/manifests/1", bearer(server, realm, accepts="third"))
        before = len(server.requests)
        assert isinstance(failure(client, reference), Unavailable)
    assert len(server.requests) - before == 3


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        (status(401), "does not let you read a (401)"),
        (status(403), "does not let you read a (403)"),
        (status(404), "has no tokens: 404"),
        (status(500), "the server answered 500"),
        (whole(b"<html>"), "not JSON"),
        (whole(b'{"token": 1}'), "token is not a string"),
        (whole(b'{"token": ""}'), "no token"),
        (whole(b'{"token": "a\\r\\nHost: evil"}'), "no token"),
        (whole(b'{"token": "' + b"a" * 200_000 + b'"}'), "longer than 128 KiB"),
        (redirect("http://169.254.169.254/"), "is a link-local address"),
    ],
)
def test_a_server_that_gives_no_token_is_named(route: Route, problem: str, server: Server) -> None:
    reference = offer(server)
    realm = server.add("/token", route)
    server.add("/v2/a/manifests/1", bearer(server, realm))
    with opened(Login(user="me", password="hunter2")) as client:
        error = failure(client, reference)
    assert problem in str(error)
    assert "hunter2" not in f"{error!r}{error.__cause__!r}"
    assert (error.exit_code, error.hint) in [
        (4, f"curl -I {server.url}/v2/"),
        (1, ""),
        (4, f"docker login {reference.registry}"),
    ]


@pytest.mark.parametrize("path", ["/v2/a/manifests/1", blob_path(IMAGE.config), "/token"])
def test_a_web_page_in_the_place_of_a_document_is_the_networks_fault(
    path: str, server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    if path == "/token":
        server.add("/v2/a/manifests/1", bearer(server, f"{server.url}/token"))
    server.add(path, captive())
    error = failure(client, reference)
    assert isinstance(error, Unavailable)
    says = "a web page came instead: does this network want a login first?"
    assert str(error).endswith(f" from {reference.registry}: {says}")
    assert error.hint == f"curl -I {server.url}/v2/"


def test_a_web_page_in_the_place_of_a_blob_is_the_networks_fault(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add(blob_path(LAYER), captive())
    with (
        client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader,
        pytest.raises(
            Unavailable, match=r"^cannot read blob .*: a web page came instead"
        ) as caught,
    ):
        reader.read()
    assert caught.value.hint == f"curl -I {server.url}/v2/"


@pytest.mark.parametrize(
    "realm", ["http://tokens.example/t", "ftp://127.0.0.1/t", "file:///etc/passwd", "", "https://["]
)
def test_passwords_are_sent_over_https_only(realm: str, server: Server) -> None:
    reference = offer(server)
    server.add("/v2/a/manifests/1", bearer(server, realm))
    with opened(Login(user="me", password="hunter2")) as client:
        error = failure(client, reference)
    assert isinstance(error, Unavailable)
    assert "wants tokens from" in str(error)


@pytest.mark.parametrize(
    "challenge",
    ["", "Basic", "Negotiate", 'Bearer realm="', "Digest realm=x", ", , ,", "x" * 50_000],
)
def test_a_challenge_that_cannot_be_met_needs_a_login(
    challenge: str, server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add("/v2/a/manifests/1", status(401, {"WWW-Authenticate": challenge}))
    error = failure(client, reference)
    assert isinstance(error, Unavailable)


def test_a_token_stays_with_its_registry_when_a_blob_is_elsewhere(server: Server) -> None:
    reference = offer(server)
    realm = server.add("/token", tokens("good"))
    server.add("/v2/a/manifests/1", bearer(server, realm))
    with serving() as other, opened(Login(user="me", password="hunter2")) as client:
        server.add(blob_path(LAYER), redirect(other.add("/signed?x=1", content(LAYER)), 307))
        other.routes["/signed"] = content(LAYER)
        client.image(reference, "amd64")
        with client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader:
            assert reader.read() == LAYER
        assert server.requests[-1].headers["Authorization"] == "Bearer good"
        assert [request.path for request in other.requests] == ["/signed?x=1"]
        assert "Authorization" not in other.requests[0].headers


def test_a_blob_may_not_lead_to_a_link_local_address(
    server: Server, client: RegistryClient
) -> None:
    reference = offer(server)
    server.add(blob_path(LAYER), redirect("https://169.254.169.254/latest"))
    with (
        client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader,
        pytest.raises(Unavailable, match=r"is a link-local address$"),
    ):
        reader.read()


def test_plain_http_is_for_loopback_and_for_what_the_site_allows(server: Server) -> None:
    offer(server)
    reference = parse_reference("registry.invalid:5000/a:1")
    for path, route in list(server.routes.items()):
        server.routes[f"http://registry.invalid:5000{path}"] = route
    through = Settings(proxies=Proxies(http=server.url, https=server.url), connect=5, read=5)
    with opened(settings=through) as client:
        assert isinstance(failure(client, reference), Unavailable)
    assert not [path for path in server.paths() if path.startswith("http://")]
    allowed = ("registry.invalid:5000",)
    client = open_client(through, OneLogin(), plain=allowed, patience=Waits().patience())
    with contextlib.closing(client):
        assert client.image(reference, "amd64").digest == Digest.of(IMAGE.manifest)


def test_a_mirror_is_asked_first_and_its_registry_where_it_has_nothing(server: Server) -> None:
    with serving() as mirror:
        reference = offer(server)
        mirrors = {reference.registry: (mirror.url.removeprefix("http://"),)}
        client = open_client(READ, OneLogin(), mirrors=mirrors, patience=Waits().patience())
        with contextlib.closing(client):
            client.image(reference, "amd64")
            assert len(client.blob_urls(reference, Digest.of(LAYER))) == 2
            with client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader:
                assert reader.read() == LAYER
            assert len(mirror.requests) == len(server.requests) == 3
            offer(mirror)
            client.image(reference, "amd64")
            assert len(server.requests) == 3


@pytest.mark.parametrize(
    "route",
    [status(500), status(403), status(400), truncated(LAYER, 2)],
    ids=["500", "403", "400", "cut"],
)
def test_a_mirror_that_does_not_serve_or_lies_is_passed_over(route: Route, server: Server) -> None:
    with serving() as mirror:
        reference = offer(server)
        for path in ("/v2/a/manifests/1", blob_path(IMAGE.config), blob_path(LAYER)):
            mirror.add(path, route)
        mirrors = {reference.registry: (mirror.url.removeprefix("http://"),)}
        client = open_client(READ, OneLogin(), mirrors=mirrors, patience=Waits().patience())
        with contextlib.closing(client):
            client.image(reference, "amd64")
            mirror.add("/v2/a/manifests/1", document(b"{}", MANIFEST, Digest.of(b"").value))
            mirror.add(blob_path(IMAGE.config), content(b"{}"))
            client.image(reference, "amd64")
            with client.blob(reference, Digest.of(LAYER), len(LAYER)) as reader:
                assert reader.read() == LAYER


def test_only_blobs_are_downloaded_through_a_registry(client: RegistryClient) -> None:
    with (
        pytest.raises(Exception, match="not the URL of a blob") as caught,
        client.get("https://example.invalid/x.whl", 0),
    ):
        pass
    assert type(caught.value).__name__ == "Refused"
