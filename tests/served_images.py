"""Images in a registry that fails in the ways that its routes say."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from layered import Item, folder, link, program, tar
from registries import CONFIG, MANIFEST, Made, address, descriptor
from servers import content, whole

from ds01build.layer import GZIP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers import Answer, Request, Route, Server

GLIBC = b"\x7fELF GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n\0"
RUNTIME = (
    folder("etc"),
    folder("usr/lib"),
    folder("usr/bin"),
    link("lib", "usr/lib"),
    Item("etc/os-release", b"ID=debian\nVERSION_CODENAME=bookworm\n"),
)
LIBC = Item("usr/lib/x86_64-linux-gnu/libc.so.6", GLIBC)
PYTHON = (
    program("usr/local/bin/python3.11"),
    link("usr/local/bin/python3", "python3.11"),
    Item("usr/local/lib/python3.11/os.py"),
    Item("usr/local/lib/python3.11/sysconfig.py", b"posix_prefix"),
    Item("usr/local/include/python3.11/patchlevel.h", b'#define PY_VERSION "3.11.9"\n'),
    folder("usr/local/lib/python3.11/site-packages"),
)
PATH = "PATH=/usr/local/bin:/usr/bin"
Container = Mapping[str, object]


def image(
    *layers: Sequence[Item], container: Container | None = None, architecture: str = "amd64"
) -> Made:
    """Return the image of layers with those entries; ``container`` is its "config"."""
    return packed([tar(items) for items in layers], container=container, architecture=architecture)


def packed(
    tars: Sequence[bytes], *, container: Container | None = None, architecture: str = "amd64"
) -> Made:
    """Return the image of layers that are any bytes."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": [PATH], **(container or {})},
        "rootfs": {"type": "layers", "diff_ids": [address(each) for each in tars]},
    }
    return configured(json.dumps(config).encode(), [gzip.compress(t, 1, mtime=0) for t in tars])


def configured(config: bytes, blobs: Sequence[bytes]) -> Made:
    """Return the image with any configuration, over blobs that are called layers."""
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [descriptor(GZIP, each) for each in blobs],
    }
    return Made(json.dumps(manifest).encode(), config, {address(each): each for each in blobs})


@dataclass(frozen=True)
class Shelf:
    """A repository of ``server``, and what its tag ``latest`` points at."""

    server: Server
    repository: str
    shown: list[Made] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return f"{self.server.url.partition('://')[2]}/{self.repository}:latest"

    def show(self, made: Made) -> None:
        """Let the tag stand for ``made``; what it stood for before stays there by its digest."""
        self.shown.append(made)
        document = whole(made.manifest, _headers(made.manifest))
        for pointer in ("latest", address(made.manifest)):
            self.server.routes[self.manifest(pointer)] = document
            self.server.routes[f"HEAD {self.manifest(pointer)}"] = _head(made.manifest)
        for digest, blob in {address(made.config): made.config, **made.blobs}.items():
            self.server.routes[self.blob(digest)] = content(blob)

    def manifest(self, pointer: str = "latest") -> str:
        return f"/v2/{self.repository}/manifests/{pointer}"

    def blob(self, digest: str) -> str:
        return f"/v2/{self.repository}/blobs/{digest}"

    def fail(self, route: Route) -> None:
        """Answer whatever is asked of the repository with ``route``."""
        for path in list(self.server.routes):
            if f"/v2/{self.repository}/" in path:
                self.server.routes[path] = route

    def asked(self) -> list[str]:
        """Return method and path of each request so far, without the repository."""
        start = f"/v2/{self.repository}/"
        found = [each for each in self.server.requests if each.path.startswith(start)]
        return [f"{each.method} {each.path.removeprefix(start)}" for each in found]


def _headers(manifest: bytes) -> dict[str, str]:
    return {"Content-Type": MANIFEST, "Docker-Content-Digest": address(manifest)}


def _head(manifest: bytes) -> Route:
    headers = {**_headers(manifest), "Content-Length": str(len(manifest))}

    def route(answer: Answer, _: Request) -> None:
        answer.start(200, headers)

    return route


def with_diff_ids(config: bytes, diff_ids: Sequence[str]) -> bytes:
    """Return the configuration for other layers."""
    rootfs = {"type": "layers", "diff_ids": list(diff_ids)}
    return json.dumps({**json.loads(config), "rootfs": rootfs}).encode()
