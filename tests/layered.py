"""Layers and images of a few entries, for tests of what is read from a base."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from ds01build.base.config import parse_config
from ds01build.base.layers import read_layers
from ds01build.digest import DiffId, Digest
from ds01build.layer import GZIP, Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.base.config import BaseConfig
    from ds01build.base.tree import Tree


class Item(NamedTuple):
    """An entry of a layer: a file where nothing else is said."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    owner: int = 0
    link: str = ""
    kind: bytes = tarfile.REGTYPE


def folder(path: str, mode: int = 0o755, owner: int = 0) -> Item:
    return Item(path, mode=mode, owner=owner, kind=tarfile.DIRTYPE)


def link(path: str, to: str) -> Item:
    return Item(path, mode=0o777, link=to, kind=tarfile.SYMTYPE)


def hard(path: str, to: str) -> Item:
    return Item(path, link=to, kind=tarfile.LNKTYPE)


def program(path: str, content: bytes = b"") -> Item:
    return Item(path, content, mode=0o755)


def tar(items: Iterable[Item], form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for item in items:
            entry = tarfile.TarInfo(item.path)
            entry.type, entry.linkname, entry.mode = item.kind, item.link, item.mode
            entry.uid = entry.gid = item.owner
            entry.size = len(item.content)
            archive.addfile(entry, io.BytesIO(item.content))
    return stream.getvalue()


def layer(plain: bytes, stored: bytes | None = None, media_type: str = GZIP) -> Layer:
    packed = gzip.compress(plain, 1, mtime=0) if stored is None else stored
    return Layer(
        digest=Digest.of(packed),
        diff_id=DiffId(f"sha256:{hashlib.sha256(plain).hexdigest()}"),
        size=len(packed),
        media_type=media_type,
    )


def packed(plain: bytes, step: int = 4099) -> tuple[Layer, Iterable[bytes]]:
    stored = gzip.compress(plain, 1, mtime=0)
    return layer(plain), (stored[at : at + step] for at in range(0, len(stored), step))


def read(*layers: Sequence[Item]) -> Tree:
    return read_layers((packed(tar(items)) for items in layers), clock=lambda: 0.0)


def config(environment: Mapping[str, str] | None = None, **other: object) -> BaseConfig:
    env = [f"{name}={value}" for name, value in (environment or {}).items()]
    return parse_config(
        json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {"Env": env}, **other}
        ).encode()
    )
