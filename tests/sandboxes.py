"""Engines that have a base image to execute tiers over."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines import reach

from ds01build.engine import owner
from ds01build.engine.execution import EngineExecutor
from ds01build.engine.sandbox import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import APIClient

KINDS = ("graph", "containerd")


@dataclass(frozen=True, kw_only=True)
class Furnished:
    """A running engine that has a base image."""

    kind: str
    client: APIClient
    image: str

    def executor(self, site: Site | None = None) -> EngineExecutor:
        return EngineExecutor(client=self.client, owner=owner.current(), site=site or Site())


@contextlib.contextmanager
def loaded(kind: str, archive: Path) -> Iterator[Furnished]:
    """Load a docker-archive under a name of its own, and remove it afterwards."""
    client = reach(kind).client
    tag = f"capture-{secrets.token_hex(6)}:test"
    with archive.open("rb") as content, tarfile.open(fileobj=content) as opened:
        renamed = io.BytesIO()
        with tarfile.open(fileobj=renamed, mode="w") as written:
            for member in opened:
                body = opened.extractfile(member)
                plain = body.read() if body else b""
                if member.name == "manifest.json":
                    manifest = json.loads(plain)
                    manifest[0]["RepoTags"] = [tag]
                    plain = json.dumps(manifest).encode()
                member.size = len(plain)
                written.addfile(member, io.BytesIO(plain))
    renamed.seek(0)
    for _ in client.load_image(renamed):
        pass
    try:
        yield Furnished(kind=kind, client=client, image=client.inspect_image(tag)["Id"])
    finally:
        client.remove_image(tag, force=True)
