"""Real engines of each kind, and small images to put into them.

``.ci/engine KIND`` starts one. Where they listen can be set: DS01_TEST_ENGINES="graph=unix:///... containerd=unix:///...".
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ds01build.digest import DiffId, Digest
from ds01build.engine.archive import Loadable
from ds01build.engine.connect import connect
from ds01build.errors import Ds01Error, Unavailable
from ds01build.layer import TAR, Layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ds01build.engine.api import Engine, EngineImage

MARK = "ds01.test"  # the label of all images that tests make
SESSION = secrets.token_hex(8)
DIRECTORY = Path(os.environ.get("DS01_ENGINES", "/var/lib/ds01-engines"))
# Where .ci/engine starts them.
PLACES = {
    "graph": "unix:///var/run/docker.sock",
    "containerd": f"unix://{DIRECTORY}/containerd/root/socket/docker.sock",
    "podman": f"unix://{DIRECTORY}/podman/podman.sock",
}


def place(kind: str) -> str:
    """Return the DOCKER_HOST of an engine of that kind."""
    set_ones = dict(each.split("=", 1) for each in os.environ.get("DS01_TEST_ENGINES", "").split())
    return set_ones.get(kind, PLACES[kind])


def docker_environment(kind: str, home: Path) -> dict[str, str]:
    """Return what the docker command needs to know of an engine, with a new ``home``.

    It finds BuildKit where ``.ci/engine`` has put it.
    """
    host = place(kind)
    plugins = Path(host.removeprefix("unix://")).parent.parent / "usr/libexec/docker/cli-plugins"
    known = {"cliPluginsExtraDirs": [str(plugins)]} if plugins.is_dir() else {}
    config = home / "docker"
    config.mkdir()
    (config / "config.json").write_text(json.dumps(known))
    environment = {"DOCKER_HOST": host, "PATH": os.environ["PATH"], "HOME": str(home)}
    return {**environment, "DOCKER_CONFIG": str(config)}


def reach(kind: str) -> Engine:
    """Return the engine of that kind, or skip the test with the reason why there is none."""
    try:
        engine = connect({"DOCKER_HOST": place(kind)}, Path("/nonexistent"))
    except Unavailable as error:
        pytest.skip(f"no engine of kind {kind} (.ci/engine {kind} starts one): {error}")
    if engine.kind != kind:
        engine.close()
        pytest.skip(f"the engine at {place(kind)} is of kind {engine.kind}, not {kind}")
    return engine


def tar(files: Mapping[str, bytes], mode: int = 0o644) -> bytes:
    """Return the tar of a layer with those files, by path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def address(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def plain_layer(content: bytes) -> Layer:
    """Return the layer whose stored stream is the tar itself."""
    digest = address(content)
    return Layer(digest=Digest(digest), diff_id=DiffId(digest), size=len(content), media_type=TAR)


def config(tars: Sequence[bytes], **container: object) -> bytes:
    """Return a configuration over layers with those tars; ``container`` is its "config"."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {MARK: SESSION}, **container},
        "rootfs": {"type": "layers", "diff_ids": [address(each) for each in tars]},
    }
    return json.dumps(document).encode()


def image(tars: Sequence[bytes], base: int = 0, **container: object) -> Loadable:
    """Return the image of layers with those tars, lowest first."""
    return Loadable(
        config=config(tars, **container), layers=tuple(map(plain_layer, tars)), base=base
    )


@dataclass
class Tars:
    """Hands out tars by diff_id, and notes which were asked for. A fake of PlainLayers."""

    contents: Mapping[str, bytes]
    opened: list[DiffId] = field(default_factory=list)

    @classmethod
    def of(cls, tars: Sequence[bytes]) -> Tars:
        return cls({address(each): each for each in tars})

    def plain_size(self, layer: Layer) -> int:
        return len(self.contents[layer.diff_id.value])

    def plain(self, layer: Layer) -> Iterator[bytes]:
        self.opened.append(layer.diff_id)
        content = self.contents[layer.diff_id.value]
        for start in range(0, len(content), 1 << 16):
            yield content[start : start + (1 << 16)]


@dataclass
class Names:
    """Names for images of one test, whose images are removed at its end."""

    engine: Engine
    repository: str

    def tag(self, name: str = "latest") -> str:
        return f"{self.repository}:{name}"


def clean(engine: Engine, repository: str) -> None:
    """Remove the images of a repository, and what this session made and no name is left of."""
    for there in _listed(engine):
        for tag in there.tags:
            if tag.rpartition(":")[0].removeprefix("docker.io/") == repository:
                engine.remove(tag)
    for there in _listed(engine, f"{MARK}={SESSION}"):
        if not there.tags:
            engine.remove(str(there.engine_id))


def _listed(engine: Engine, label: str = "") -> list[EngineImage]:
    """Return its images. A containerd store lists none while somebody removes one of them."""
    for _ in range(20):
        with contextlib.suppress(Ds01Error):
            return list(engine.images(label))
        time.sleep(0.25)
    return list(engine.images(label))
