"""Writes an image of the store to a place that other tools read: OCI layout, or docker-archive."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shlex
import shutil
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from ds01build.base.unpack import DAMAGED, plain
from ds01build.digest import Digest, canonical
from ds01build.errors import Ds01Error, MismatchError, RejectedFile, StoreError
from ds01build.image import MANIFEST_TYPE
from ds01build.layer import GZIP
from ds01build.workflow.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.digest import Canonical

__all__ = ["Form", "export", "recompressed"]

Form = Literal["oci-dir", "oci-archive", "docker-archive"]
_CHUNK = 1 << 20  # bytes
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def export(image: Stored, form: Form, destination: Path) -> None:
    """Write ``image`` to ``destination``, which must not exist yet.

    Every blob is verified while it is copied; what was written is removed when that fails. Raises
    MismatchError, RejectedFile for a layer that cannot be unpacked, and StoreError naming the file
    that cannot be written.
    """
    if os.path.lexists(destination):
        aside = shlex.quote(f"{destination}.old")
        hint = f"mv -T -- {shlex.quote(str(destination))} {aside}"
        raise Ds01Error(f"{destination} exists already", hint=hint)
    for digest in image.blobs():
        if not image.path(digest).exists():
            raise StoreError(f"{digest} is not in the store", hint="ds01 store verify")
    try:
        if form == "oci-dir":
            _export_directory(image, destination)
        else:
            with _aside(destination) as file, tarfile.open(fileobj=file, mode="w") as archive:
                write = _write_layout if form == "oci-archive" else _write_docker
                write(image, archive)
    except OSError as error:
        raise StoreError(f"{destination} cannot be written: {error.strerror}") from error


@contextmanager
def recompressed(image: Stored, directory: Path) -> Iterator[Stored]:
    """Yield ``image`` with each layer as one gzip member, for readers that stop after the first.

    Diff_ids are the same, digests are not. The new blobs lie below ``directory``, which has to have
    room for them, and are removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix=".ds01-export-", dir=directory) as aside:
        blobs = Path(aside)
        manifest = json.loads(image.manifest)
        manifest["layers"] = [_recompress(image, digest, blobs) for digest in image.layers()]
        config = image.config()
        shutil.copyfile(image.path(config), blobs / config.hex)
        yield Stored(
            name=image.name,
            manifest=canonical(manifest),
            path=lambda digest: blobs / digest.hex,
        )


def _recompress(image: Stored, layer: Digest, directory: Path) -> dict[str, Canonical]:
    descriptor, name = tempfile.mkstemp(dir=directory)
    with (
        os.fdopen(descriptor, "wb") as file,
        _inflated(image, layer) as tar,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed,
    ):
        shutil.copyfileobj(tar, packed, _CHUNK)
    digest, size = _digest_of(Path(name)), Path(name).stat().st_size
    Path(name).rename(directory / digest.hex)
    return {"mediaType": GZIP, "digest": str(digest), "size": size}


@contextmanager
def _inflated(image: Stored, layer: Digest) -> Iterator[IO[bytes]]:
    """Yield the tar of a layer. Raises RejectedFile where its blob is damaged."""
    try:
        with plain(image.path(layer).open("rb")) as tar:
            yield tar
    except DAMAGED as error:
        problem, hint = f"is damaged: {error}", "ds01 store verify --repair"
        raise RejectedFile(name=f"layer {layer}", problem=problem, hint=hint) from error


def _digest_of(path: Path) -> Digest:
    reader = _Summed(path.open("rb"))
    with reader.file:
        while reader.read(_CHUNK):
            pass
    return reader.digest()


def _index(image: Stored) -> bytes:
    return canonical(
        {
            "schemaVersion": 2,
            "manifests": [
                {
                    "mediaType": MANIFEST_TYPE,
                    "digest": str(Digest.of(image.manifest)),
                    "size": len(image.manifest),
                    "annotations": {"org.opencontainers.image.ref.name": image.name},
                }
            ],
        }
    )


def _export_directory(image: Stored, destination: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        blobs = aside / "blobs/sha256"
        blobs.mkdir(parents=True)
        for digest in image.blobs():
            source, copy = image.path(digest).open("rb"), (blobs / digest.hex).open("wb")
            with copy, _verified(source, digest) as reader:
                shutil.copyfileobj(reader, copy, _CHUNK)
        (blobs / Digest.of(image.manifest).hex).write_bytes(image.manifest)
        (aside / "oci-layout").write_bytes(_LAYOUT)
        (aside / "index.json").write_bytes(_index(image))
        aside.rename(destination)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_layout(image: Stored, archive: tarfile.TarFile) -> None:
    _add(archive, "oci-layout", _LAYOUT)
    _add(archive, "index.json", _index(image))
    _add(archive, f"blobs/sha256/{Digest.of(image.manifest).hex}", image.manifest)
    for digest in image.blobs():
        member = _member(f"blobs/sha256/{digest.hex}", image.path(digest).stat().st_size)
        with _verified(image.path(digest).open("rb"), digest) as source:
            archive.addfile(member, source)


def _write_docker(image: Stored, archive: tarfile.TarFile) -> None:
    """Write what ``docker save`` writes: plain layers, named by their diff_ids."""
    with _verified(image.path(image.config()).open("rb"), image.config()) as source:
        config = source.read(-1)
    diff_ids = [Digest(value) for value in json.loads(config)["rootfs"]["diff_ids"]]
    for digest, diff_id in zip(image.layers(), diff_ids, strict=True):
        member = _member(f"{diff_id.hex}.tar", _plain_size(image, digest))
        with _inflated(image, digest) as tar, _verified(tar, diff_id) as source:
            archive.addfile(member, source)
    _add(archive, f"{image.config().hex}.json", config)
    row = {
        "Config": f"{image.config().hex}.json",
        "RepoTags": [f"{image.name}:latest"],
        "Layers": [f"{diff_id.hex}.tar" for diff_id in diff_ids],
    }
    _add(archive, "manifest.json", json.dumps([row]).encode())


def _plain_size(image: Stored, layer: Digest) -> int:
    """Return the inflated size: tar wants it before the bytes, so these pass twice."""
    with _inflated(image, layer) as tar:
        return sum(len(chunk) for chunk in iter(lambda: tar.read(_CHUNK), b""))


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_member(name, len(content)), io.BytesIO(content))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


@contextmanager
def _verified(file: IO[bytes], digest: Digest) -> Iterator[_Summed]:
    """Yield a reader of ``file``, close it, and raise MismatchError if its bytes were others."""
    with file:
        reader = _Summed(file)
        yield reader
    if reader.digest() != digest:
        raise MismatchError(
            where="blob",
            expected=str(digest),
            actual=str(reader.digest()),
            hint="ds01 store verify",
        )


class _Summed:
    """Reads a file and sums what it reads."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._sum = hashlib.sha256()

    def read(self, limit: int = -1, /) -> bytes:
        chunk = self.file.read(limit)
        self._sum.update(chunk)
        return chunk

    def digest(self) -> Digest:
        return Digest(f"sha256:{self._sum.hexdigest()}")


@contextmanager
def _aside(destination: Path) -> Iterator[IO[bytes]]:
    """Yield a file that becomes ``destination`` if nothing fails."""
    descriptor, name = tempfile.mkstemp(prefix=f".{destination.name}-", dir=destination.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(name).rename(destination)
    finally:
        Path(name).unlink(missing_ok=True)
