"""OCI image layouts on disk, changed after they were written: what ds01 does not express itself."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

REF = "org.opencontainers.image.ref.name"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Made:
    """One path of a layer: a directory, a file with ``content``, or a link ``to`` somewhere."""

    path: str
    content: bytes | None = None
    to: str = ""
    mode: int = 0o755
    uid: int = 0
    gid: int = 0

    def member(self) -> tarfile.TarInfo:
        member = tarfile.TarInfo(self.path)
        member.mode, member.uid, member.gid = self.mode, self.uid, self.gid
        member.mtime = 1_700_000_000
        if self.to:
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, self.to, 0o777
        elif self.content is None:
            member.type = tarfile.DIRTYPE
        else:
            member.size = len(self.content)
        return member


def tar(paths: Iterable[Made]) -> bytes:
    """Return an uncompressed layer of ``paths``, in their order."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in paths:
            archive.addfile(path.member(), io.BytesIO(path.content or b""))
    return file.getvalue()


@dataclass(frozen=True)
class Layout:
    """An OCI image layout with one image of one platform."""

    directory: Path

    @classmethod
    def create(cls, directory: Path, name: str, architecture: str) -> Layout:
        """Return a new layout with an image of no layers."""
        layout = cls(directory)
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        config: Json = {"architecture": architecture, "os": "linux", "config": {}}
        config["rootfs"] = {"type": "layers", "diff_ids": []}
        manifest: Json = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}
        layout._write(name, manifest, config)
        return layout

    def copied(self, directory: Path) -> Layout:
        """Return a copy to change, which shares what doesn't."""
        (directory / "blobs/sha256").mkdir(parents=True)
        for blob in (self.directory / "blobs/sha256").iterdir():
            (directory / "blobs/sha256" / blob.name).hardlink_to(blob)
        for name in ("oci-layout", "index.json"):
            shutil.copyfile(self.directory / name, directory / name)
        return Layout(directory)

    @property
    def name(self) -> str:
        return str(self._index()["annotations"][REF])

    @property
    def manifest(self) -> Json:
        return self._json(self._index()["digest"])

    @property
    def config(self) -> Json:
        return self._json(self.manifest["config"]["digest"])

    def rename(self, name: str) -> None:
        self._write(name, self.manifest, self.config)

    def append(self, plain: bytes) -> None:
        """Put a layer on top."""
        self.append_pieces([(plain, gzip.compress(plain, 1, mtime=0))])

    def append_pieces(self, pieces: Iterable[tuple[bytes, bytes]]) -> None:
        """Put a layer on top whose pieces come plain and packed."""
        plain_sum, packed_sum = hashlib.sha256(), hashlib.sha256()
        aside = self.directory / "blobs/aside"
        with aside.open("wb") as file:
            for plain, packed in pieces:
                plain_sum.update(plain)
                packed_sum.update(packed)
                file.write(packed)
        digest = f"sha256:{packed_sum.hexdigest()}"
        row = {"mediaType": LAYER, "digest": digest, "size": aside.stat().st_size}
        aside.rename(self._path(digest))
        manifest, config = self.manifest, self.config
        manifest["layers"].append(row)
        config["rootfs"]["diff_ids"].append(f"sha256:{plain_sum.hexdigest()}")
        if "history" in config:
            config["history"].append({"created_by": "a stand-in"})
        self._write(self.name, manifest, config)

    def configure(self, changes: Mapping[str, object], **platform: str) -> None:
        """Change what containers start with, and architecture or variant."""
        config = {**self.config, **platform}
        config["config"] = {**config["config"], **changes}
        self._write(self.name, self.manifest, config)

    def variable(self, name: str, value: str) -> None:
        kept = [e for e in self.config["config"].get("Env", ()) if not e.startswith(f"{name}=")]
        self.configure({"Env": [*kept, f"{name}={value}"]})

    def members(self) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
        """Yield every member of every layer with its content, lowest first."""
        for layer in self.manifest["layers"]:
            # Python's own stream of "r|gz" ends with the first of several gzip members.
            with (
                gzip.open(self._path(layer["digest"])) as packed,
                tarfile.open(fileobj=packed, mode="r|") as archive,
            ):
                for member in archive:
                    file = archive.extractfile(member) if member.isreg() else None
                    yield member, file.read() if file else b""

    def _write(self, name: str, manifest: Json, config: Json) -> None:
        manifest["config"] = self._put(_encoded(config), CONFIG)
        row = {**self._put(_encoded(manifest), MANIFEST), "annotations": {REF: name}}
        index = {"schemaVersion": 2, "manifests": [row]}
        (self.directory / "index.json").write_bytes(_encoded(index))

    def _put(self, content: bytes, kind: str) -> Json:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if not self._path(digest).exists():
            self._path(digest).write_bytes(content)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _index(self) -> Json:
        (row,) = json.loads((self.directory / "index.json").read_bytes())["manifests"]
        found: Json = row
        return found

    def _json(self, digest: str) -> Json:
        found: Json = json.loads(self._path(digest).read_bytes())
        return found

    def _path(self, digest: str) -> Path:
        return self.directory / "blobs/sha256" / digest.removeprefix("sha256:")


def _encoded(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
