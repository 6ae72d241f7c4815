"""The registry client against the real registry."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from registries import (
    INDEX,
    MANIFEST,
    PASSWORD,
    USER,
    Made,
    Registry,
    address,
    docker_config,
    index_of,
    made,
    make_certificate,
    registry,
    write_layout,
)

from ds01build.digest import DiffId, Digest
from ds01build.errors import Ds01Error, Unavailable
from ds01build.fetch import Download, Event, Finished, fetch
from ds01build.http.pace import Pace
from ds01build.http.settings import Settings
from ds01build.layer import GZIP, Layer
from ds01build.reference import Reference, parse_reference
from ds01build.registry import Keyring, Patience, RegistryClient, open_client
from ds01build.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = gzip.compress(random.Random(3).randbytes(600_000), 1, mtime=0)
SMALL = gzip.compress(b"small", mtime=0)
NOBODY = Keyring(files=())
QUICK = Patience(pace=Pace(retries=2, first_delay=0.001, longest_delay=0.05))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def client() -> Iterator[RegistryClient]:
    with contextlib.closing(open_client(Settings(), NOBODY, patience=QUICK)) as opened:
        yield opened


def pushed(place: Registry, tmp_path: Path, name: str, image: Made) -> Reference:
    place.push(write_layout(tmp_path / "layout", image.manifest, MANIFEST, image), name)
    return parse_reference(f"{place.host}/{name}")


def test_an_image_is_what_was_pushed(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    image = made(SMALL, LARGE)
    reference = pushed(place, tmp_path, "a/b:1", image)
    got = client.image(reference, "amd64")
    assert got.reference == reference
    assert (got.manifest, got.config) == (image.manifest, image.config)
    assert got.digest == Digest.of(image.manifest)
    assert got.config_digest == Digest.of(image.config)
    assert got.layers == tuple(
        Layer(
            digest=Digest.of(layer),
            diff_id=DiffId(address(b"diff" + layer)),
            size=len(layer),
            media_type=GZIP,
        )
        for layer in (SMALL, LARGE)
    )
    assert client.digest_of(reference, "amd64") == got.digest
    assert client.config(reference, got.config_digest) == image.config


def test_no_layer_is_asked_for_to_know_an_image(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    image = made(LARGE)
    reference = pushed(place, tmp_path, "quiet:1", image)
    before = len(place.requests())
    client.image(reference, "amd64")
    client.digest_of(reference, "amd64")
    asked = [one for one in place.requests()[before:] if "quiet" in one]
    config = Digest.of(image.config)
    assert asked == [
        "GET /v2/quiet/manifests/1",
        f"GET /v2/quiet/blobs/{config}",
        "HEAD /v2/quiet/manifests/1",
    ]


def test_a_blob_is_streamed_and_verified(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    reference = pushed(place, tmp_path, "stream:1", made(LARGE))
    digest = Digest.of(LARGE)
    with client.blob(reference, digest, len(LARGE)) as reader:
        taken = [reader.read(10), reader.read(100_000), reader.read(0), reader.read()]
        assert b"".join(taken) == LARGE
        assert len(taken[0]) == 10
        assert reader.read(1) == reader.read() == b""
    with client.blob(reference, digest, len(LARGE), 500_000) as reader:
        assert reader.read() == LARGE[500_000:]


def test_layers_are_downloaded_into_a_store(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    reference = pushed(place, tmp_path, "load:1", made(SMALL, LARGE))
    store = open_store(tmp_path / "store", uid=os.geteuid())
    wanted = [
        Download(
            digest=layer.digest,
            size=layer.size,
            urls=client.blob_urls(reference, layer.digest),
            name=str(layer.digest),
        )
        for layer in client.image(reference, "amd64").layers
    ]
    events: list[Event] = []
    got = list(fetch(wanted, store=store, transport=client, report=events.append))
    assert {one.digest for one in got} == {Digest.of(SMALL), Digest.of(LARGE)}
    fetched = [event.fetched for event in events if isinstance(event, Finished)]
    assert sum(fetched) == len(SMALL) + len(LARGE)


def test_dockers_own_format_is_read_by_ocis_names(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    image = made(SMALL, LARGE)
    layout = write_layout(tmp_path / "layout", image.manifest, MANIFEST, image)
    place.push(layout, "docker:2", "--format", "v2s2")
    got = client.image(parse_reference(f"{place.host}/docker:2"), "amd64")
    assert b"vnd.docker.distribution.manifest.v2+json" in got.manifest
    assert b"vnd.docker.image.rootfs.diff.tar.gzip" in got.manifest
    assert [layer.media_type for layer in got.layers] == [GZIP, GZIP]
    assert [layer.digest for layer in got.layers] == list(map(Digest.of, (SMALL, LARGE)))


@pytest.mark.parametrize("style", ["oci", "v2s2"])
def test_the_platform_is_chosen_from_an_index(
    style: str, place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    amd, arm = made(SMALL), made(LARGE, architecture="arm64", variant="v8")
    index = index_of(("linux/amd64", amd), ("linux/arm64/v8", arm))
    layout = write_layout(tmp_path / "layout", index, INDEX, amd, arm)
    place.push(layout, f"many-{style}:1", "--all", "--format", style)
    reference = parse_reference(f"{place.host}/many-{style}:1")
    for architecture, layer in (("amd64", SMALL), ("arm64", LARGE)):
        got = client.image(reference, architecture)
        assert [one.digest for one in got.layers] == [Digest.of(layer)]
        assert client.digest_of(reference, architecture) == got.digest
        pinned = replace(reference, digest=got.digest)
        assert client.image(pinned, architecture).digest == got.digest
    with pytest.raises(Ds01Error) as caught:
        client.image(reference, "riscv64")
    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        f"{reference} is not for linux/riscv64; there is linux/amd64, linux/arm64/v8"
    )


def test_an_image_for_another_architecture_says_which(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    reference = pushed(place, tmp_path, "arm:1", made(SMALL, architecture="arm64", variant="v8"))
    with pytest.raises(Ds01Error) as caught:
        client.image(reference, "amd64")
    assert str(caught.value) == f"{reference} is not for linux/amd64; there is linux/arm64/v8"


def test_a_tag_that_moves_is_seen_and_the_digest_stays(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    reference = pushed(place, tmp_path / "1", "moving:1", made(SMALL))
    old = client.image(reference, "amd64")
    pushed(place, tmp_path / "2", "moving:1", made(LARGE))
    assert client.digest_of(reference, "amd64") != old.digest
    pinned = replace(reference, digest=old.digest)
    assert client.digest_of(pinned, "amd64") == old.digest
    assert client.image(pinned, "amd64").layers == old.layers


def test_what_is_not_there_is_named(
    place: Registry, tmp_path: Path, client: RegistryClient
) -> None:
    reference = pushed(place, tmp_path, "here:1", made(SMALL))
    for lost in (replace(reference, tag="2"), replace(reference, repository="nowhere")):
        for ask in (client.image, client.digest_of):
            with pytest.raises(Ds01Error) as caught:
                ask(lost, "amd64")
            assert caught.value.exit_code == 1
            assert str(caught.value) == f"{place.host} has no image {lost}"
    gone = Digest.of(b"gone")
    with (
        client.blob(reference, gone, 4) as reader,
        pytest.raises(Ds01Error, match=f"^there is no blob {gone} of {reference}$"),
    ):
        reader.read()


def test_a_registry_that_is_down_is_unavailable(client: RegistryClient, tmp_path: Path) -> None:
    with registry(tmp_path / "registry") as gone:
        reference = parse_reference(f"{gone.host}/a:1")
    with pytest.raises(Unavailable) as caught:
        client.image(reference, "amd64")
    assert str(caught.value) == (
        f"cannot read image {reference} from {gone.host}: no connection (Connection refused)"
    )


def test_a_password_opens_a_guarded_registry(tmp_path: Path) -> None:
    with registry(tmp_path / "registry", guarded=True) as guarded:
        reference = pushed(guarded, tmp_path, "a:1", made(LARGE))
        file = docker_config(tmp_path, guarded.host, USER, PASSWORD)
        with contextlib.closing(open_client(Settings(), Keyring(files=(file,)))) as client:
            got = client.image(reference, "amd64")
            with client.blob(reference, Digest.of(LARGE), len(LARGE)) as reader:
                assert Digest.of(reader.read()) == got.layers[0].digest
            assert PASSWORD not in repr(client)
        wrong = docker_config(tmp_path, guarded.host, USER, "hunter2")
        for keyring in (NOBODY, Keyring(files=(wrong,))):
            client = open_client(Settings(), keyring)
            with contextlib.closing(client), pytest.raises(Unavailable) as caught:
                client.image(reference, "amd64")
            assert caught.value.hint == f"docker login {guarded.host}"
            assert str(caught.value) == (
                f"{guarded.host} does not let you read a (401): it needs another login, or the "
                "image does not exist"
            )
            assert "hunter2" not in f"{caught.value!r}{caught.value.__cause__!r}{client!r}"


def test_a_registry_with_tls_is_trusted_by_its_authority_alone(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "tls")
    with registry(tmp_path / "registry", certificate=certificate) as secure:
        reference = pushed(secure, tmp_path, "a:1", made(SMALL))
        settings = Settings(authorities=str(certificate))
        with contextlib.closing(open_client(settings, NOBODY)) as client:
            assert client.blob_urls(reference, Digest.of(b""))[0].startswith("https://localhost:")
            assert client.image(reference, "amd64").layers[0].size == len(SMALL)
        client = open_client(Settings(), NOBODY, patience=QUICK)
        with contextlib.closing(client), pytest.raises(Unavailable, match=r"TLS failed"):
            client.image(reference, "amd64")
