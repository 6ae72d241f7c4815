"""The registry client against the real registry."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
from typing import TYPE_CHECKING

import pytest
from registries import (
    MANIFEST,
    Made,
    Registry,
    address,
    made,
    registry,
    write_layout,
)

from ds01build.digest import DiffId, Digest
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
