"""Starts the real registry on the loopback interface, and pushes images that tests write."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from servers import free_port

from ds01build.layer import GZIP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

USER, PASSWORD = "reader", "correct horse"
# What a registry reads of that password: bcrypt with the fewest rounds.
_HASH = "$2b$04$lwNNcBs/VdcearlP98A5ZOd5a.ZHgCoVFvLAMckGHmDYUDng13EKW"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

Json = dict[str, Any]


def address(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(media_type: str, content: bytes) -> Json:
    return {"mediaType": media_type, "digest": address(content), "size": len(content)}


@dataclass(frozen=True)
class Made:
    """An image as its documents; ``blobs`` are its layers, by digest."""

    manifest: bytes
    config: bytes
    blobs: dict[str, bytes]


def made(
    *layers: bytes,
    architecture: str = "amd64",
    variant: str = "",
    media_type: str = GZIP,
    diff_ids: Sequence[str] | None = None,
) -> Made:
    """Return an image whose layers are any bytes; their diff_ids are made up unless given."""
    made_up = [address(b"diff" + layer) for layer in layers]
    config: Json = {
        "os": "linux",
        "architecture": architecture,
        **({"variant": variant} if variant else {}),
        "config": {"Env": ["A=1"]},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids or made_up)},
    }
    encoded = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, encoded),
        "layers": [descriptor(media_type, layer) for layer in layers],
    }
    blobs = {address(layer): layer for layer in layers}
    return Made(json.dumps(manifest).encode(), encoded, blobs)


def index_of(*platforms: tuple[str, Made]) -> bytes:
    """Return an index of images, by os/architecture[/variant]."""
    entries = []
    for platform, image in platforms:
        keys = ("os", "architecture", "variant")
        parts = dict(zip(keys, platform.split("/"), strict=False))
        entries.append({**descriptor(MANIFEST, image.manifest), "platform": parts})
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


def write_layout(directory: Path, root: bytes, media_type: str, *images: Made) -> Path:
    """Write an OCI image layout whose image ``latest`` is ``root``."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)
    contents = [root]
    for image in images:
        contents += [image.manifest, image.config, *image.blobs.values()]
    for content in contents:
        (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entry = descriptor(media_type, root)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    (directory / "index.json").write_text(json.dumps(index))
    return directory


@dataclass(frozen=True)
class Registry:
    """A registry that runs; ``log`` is where it writes what it is asked."""

    host: str
    log: Path
    is_guarded: bool = False

    def push(self, layout: Path, name: str, *options: str) -> None:
        """Copy the image of an OCI layout here."""
        tls = "--dest-tls-verify=false"
        login = [f"--dest-creds={USER}:{PASSWORD}"] if self.is_guarded else []
        command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests"]
        if options:
            command.remove("--preserve-digests")
        source, target = f"oci:{layout}:latest", f"docker://{self.host}/{name}"
        subprocess.run(
            [*command, tls, *login, *options, source, target],
            check=True,
            capture_output=True,
            timeout=60,
        )

    def requests(self) -> list[str]:
        """Return method and path of every request so far, as the registry logged them."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            _, mark, rest = line.partition('] "')
            request = rest.partition('"')[0].split(" ")
            if mark and len(request) == 3:
                found.append(f"{request[0]} {request[1]}")
        return found


def require_registry() -> None:
    """Skip the test on a machine without a registry, or without what pushes to it."""
    lacking = [tool for tool in ("docker-registry", "skopeo") if shutil.which(tool) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}, which this machine lacks")


@contextlib.contextmanager
def registry(
    directory: Path, *, guarded: bool = False, certificate: Path | None = None
) -> Iterator[Registry]:
    """Run a registry on a free port until the block ends, with a password or TLS if wanted.

    The certificate's key lies beside it.
    """
    require_registry()
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    log = directory / "log"
    configuration = _configuration(directory, port, guarded=guarded, certificate=certificate)
    file = directory / "config.json"  # which is YAML too
    file.write_text(json.dumps(configuration))
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": "/usr/bin:/bin", "OTEL_TRACES_EXPORTER": "none"},
        )
        try:
            _wait(process, port, log)
            yield Registry(
                host=f"{'localhost' if certificate else '127.0.0.1'}:{port}",
                log=log,
                is_guarded=guarded,
            )
        finally:
            process.terminate()
            process.wait(10)


def _configuration(directory: Path, port: int, *, guarded: bool, certificate: Path | None) -> Json:
    http_section: Json = {"addr": f"127.0.0.1:{port}", "secret": "0"}
    if certificate is not None:
        http_section["tls"] = {
            "certificate": str(certificate),
            "key": str(certificate.with_suffix(".key")),
        }
    configuration: Json = {
        "version": 0.1,
        "log": {"accesslog": {"disabled": False}, "level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": http_section,
    }
    if guarded:
        passwords = directory / "htpasswd"
        passwords.write_text(f"{USER}:{_HASH}\n")
        configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(passwords)}}
    return configuration


def make_certificate(directory: Path) -> Path:
    """Make a certificate for localhost that vouches for itself; its key lies beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which this machine lacks")
    directory.mkdir(parents=True, exist_ok=True)
    certificate = directory / "ca.crt"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return certificate


def docker_config(directory: Path, host: str, user: str, password: str) -> Path:
    """Write what ``docker login`` would."""
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    path = directory / "config.json"
    path.write_text(json.dumps({"auths": {host: {"auth": encoded}}}))
    return path


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"the registry doesn't start: {log.read_text(errors='replace')[-2000:]}")
