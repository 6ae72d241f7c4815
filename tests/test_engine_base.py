"""Images on a base that an engine pulled: the base stays where it is, and the result runs."""

from __future__ import annotations

import json
import secrets
import socket
import struct
import subprocess
import time
import urllib.request
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from engines import Names, Tars, clean, image, plain_layer, tar
from images import require, succeed

from ds01build.digest import DiffId, Digest
from ds01build.engine.archive import Known, docker_archive
from ds01build.engine.load import load
from ds01build.layer import GZIP, Layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ds01build.engine.api import Engine
    from ds01build.engine.archive import Loadable

pytest_plugins = ("engine_fixtures",)

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the HOST:PORT of an empty registry."""
    require("docker-registry")
    root = tmp_path_factory.mktemp("registry")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(root / "blobs")}},
        "http": {"addr": host},
    }
    (root / "config.yml").write_text(json.dumps(settings))
    command = ["docker-registry", "serve", str(root / "config.yml")]
    with (root / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        for _ in range(100):
            with suppress(OSError), urllib.request.urlopen(f"http://{host}/v2/", timeout=1):
                break
            time.sleep(0.1)
        yield host
        process.terminate()


def _push(engine: Engine, repository: str) -> None:
    for line in engine.client.push(repository, tag="latest", stream=True, decode=True):
        assert "error" not in line, line


def _pulled(
    engine: Engine, repository: str, tars: Sequence[bytes], directory: Path
) -> tuple[str, Any]:
    """Let ``engine`` pull an image of ``tars``, which a registry has compressed.

    Returns the digest of its manifest, and the manifest.
    """
    require("skopeo")
    file = directory / "base.tar"
    file.write_bytes(b"".join(docker_archive(image(tars), Known(), Tars.of(tars))))
    copy = ("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false")
    succeed(*copy, f"docker-archive:{file}", f"docker://{repository}:latest")
    engine.client.pull(repository, tag="latest")
    host, _, name = repository.partition("/")
    request = urllib.request.Request(
        f"http://{host}/v2/{name}/manifests/latest", headers={"Accept": f"{_MANIFEST},{_DOCKER}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Docker-Content-Digest"], json.load(answer)


def _upon(base: Sequence[bytes], pulled: tuple[str, Any], own: Sequence[bytes]) -> Loadable:
    """Return the image of ``own`` on a pulled base, whose layers are the registry's."""
    digest, manifest = pulled
    rows = list(zip(manifest["layers"], base, strict=True))
    assert all(row["digest"] != plain_layer(each).digest.value for row, each in rows)
    layers = [
        Layer(
            digest=Digest(row["digest"]),
            diff_id=DiffId(plain_layer(each).diff_id.value),
            size=row["size"],
            media_type=GZIP if "gzip" in row["mediaType"] else row["mediaType"],
        )
        for row, each in rows
    ]
    whole = image([*base, *own], base=len(base))
    return replace(
        whole,
        layers=(*layers, *map(plain_layer, own)),
        base_digests=frozenset({Digest(digest)}),
    )


@pytest.fixture
def repository(engine: Engine, registry: str) -> Iterator[str]:
    name = f"{registry}/base-{secrets.token_hex(4)}"
    yield name
    clean(engine, name)


def test_the_layers_of_a_base_that_an_engine_pulled_are_not_sent(
    engine: Engine, names: Names, repository: str, registry: str, tmp_path: Path
) -> None:
    base = [tar({f"base-{place}": secrets.token_bytes(1 << 20)}) for place in range(2)]
    own = [tar({"own": b"own"})]
    wanted = _upon(base, _pulled(engine, repository, base, tmp_path), own)

    source = Tars.of(own)  # has nothing of the base, not even sizes
    loaded = load(engine, wanted, source, [names.tag()])

    assert source.opened == list(loaded.layers) == [plain_layer(own[0]).diff_id]
    assert loaded.size <= len(own[0]) + 65536
    # All its blobs are there: the engine lists it, and can give it away.
    assert engine.lists(str(loaded.engine_id))
    given = f"{registry}/given-{secrets.token_hex(4)}"
    engine.tag(loaded.engine_id, f"{given}:latest")
    _push(engine, given)
    clean(engine, given)


def test_a_base_that_nobody_pulled_is_sent(
    engine: Engine, names: Names, repository: str, tmp_path: Path
) -> None:
    base, own = [tar({"base": secrets.token_bytes(1000)})], [tar({"own": b"own"})]
    wanted = _upon(base, _pulled(engine, repository, base, tmp_path), own)
    clean(engine, repository)

    loaded = load(engine, wanted, Tars.of([*base, *own]), [names.tag()])
    again = load(engine, wanted, Tars.of([*base, *own]), [names.tag()])

    assert len(loaded.layers) == 2
    assert (again.layers, again.engine_id) == ((), loaded.engine_id)
    assert engine.lists(str(loaded.engine_id))


def test_a_base_stays_known_when_its_name_is_gone(
    engine: Engine, names: Names, repository: str, tmp_path: Path
) -> None:
    base = [tar({"base": secrets.token_bytes(1000)})]
    first, second = [tar({"own": b"first"})], [tar({"own": b"second"})]
    pulled = _pulled(engine, repository, base, tmp_path)
    load(engine, _upon(base, pulled, first), Tars.of(first), [names.tag("first")])
    clean(engine, repository)

    source = Tars.of(second)  # has nothing of the base
    loaded = load(engine, _upon(base, pulled, second), source, [names.tag("second")])

    assert loaded.layers == (plain_layer(second[0]).diff_id,)
    assert engine.lists(str(loaded.engine_id))


def test_a_layer_that_is_there_in_another_form_is_sent(
    containerd_engine: Engine, registry: str, tmp_path: Path
) -> None:
    tars = [tar({"one": secrets.token_bytes(1000)})]
    repository = f"{registry}/form-{secrets.token_hex(4)}"
    _pulled(containerd_engine, repository, tars, tmp_path)

    # Without the plain blob the image would run, but be missing from the engine's list.
    wanted = image(tars, Cmd=["/one"])
    loaded = load(containerd_engine, wanted, Tars.of(tars), [f"{repository}:plain"])

    assert len(loaded.layers) == 1
    assert containerd_engine.lists(str(loaded.engine_id))
    clean(containerd_engine, repository)


def _program(text: bytes) -> bytes:
    """Return a static x86-64 program that prints ``text`` (ELF-64, one segment)."""
    start, origin = 120, 0x400000
    code = (
        b"\xb8\x01\0\0\0\xbf\x01\0\0\0"  # write to 1
        b"\x48\x8d\x35\x10\0\0\0"  # what follows the code
        b"\xba"
        + struct.pack("<I", len(text))
        + b"\x0f\x05"
        + b"\xb8\x3c\0\0\0\x31\xff\x0f\x05"  # exit with 0
    )
    size = start + len(code) + len(text)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, origin + start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, origin, origin, size, size, 4096)
    return header + segment + code + text


def test_what_was_loaded_runs(engine: Engine, names: Names) -> None:
    if engine.architecture != "amd64":
        pytest.skip("the program is for amd64")
    tars = [
        tar({"say": _program(b"from below\n")}, mode=0o755),
        tar({"say": _program(b"hello\n")}, 0o755),
    ]
    loaded = load(engine, image(tars, Cmd=["/say"]), Tars.of(tars), [names.tag()])

    client = engine.client
    settings = client.create_host_config(network_mode="none")
    container = client.create_container(str(loaded.engine_id), host_config=settings)["Id"]
    try:
        client.start(container)
        ended = client.wait(container, timeout=60)
        printed = client.logs(container)
    finally:
        client.remove_container(container, force=True)
    assert (ended["StatusCode"], printed) == (0, b"hello\n")
