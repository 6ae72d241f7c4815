"""A Debian archive in miniature: real .debs, indexes and a signature by a throw-away key."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DATE = "Thu, 01 Jan 2026 00:00:00 UTC"


@dataclass(frozen=True)
class Package:
    """A package of the archive; ``fields`` are further ones of its control file."""

    name: str
    version: str = "1.0-1"
    depends: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)  # content by path, without the slash

    def control(self) -> dict[str, str]:
        depends = {"Depends": self.depends} if self.depends else {}
        first = {"Package": self.name, "Version": self.version, "Architecture": "amd64"}
        last = {"Maintainer": "Nobody <nobody@localhost>", "Description": f"the {self.name}"}
        return {**first, **depends, **last, **self.fields}

    def path(self) -> str:
        version = self.version.partition(":")[2] or self.version
        architecture = self.control()["Architecture"]
        file = f"{self.name}_{version}_{architecture}.deb"
        return f"pool/main/{self.name[0]}/{self.name}/{file}"


@dataclass(frozen=True)
class Signer:
    """A throw-away OpenPGP key in a home of its own."""

    home: Path

    def make(self) -> Path:
        """Make the key and return its keyring."""
        self.home.mkdir(mode=0o700)
        self._gpg("--quick-generate-key", "archive@localhost", "ed25519", "sign", "0")
        keyring = self.home / "archive.gpg"
        keyring.write_bytes(self._gpg("--export"))
        return keyring

    def clearsign(self, text: str) -> bytes:
        return self._gpg("--clearsign", stdin=text.encode())

    def close(self) -> None:
        command = ["gpgconf", "--homedir", str(self.home), "--kill", "all"]
        subprocess.run(command, check=False, capture_output=True)

    def _gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        options = ["--homedir", str(self.home), "--batch", "--quiet", "--passphrase", ""]
        command = ["gpg", *options, "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout


def deb(control: Mapping[str, str], files: Mapping[str, bytes] | None = None) -> bytes:
    """Return a package with that control file and ``files`` (deb(5)), each in its directories."""
    text = "".join(f"{key}: {value}\n" for key, value in control.items()).encode()
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar({"./control": text}),
        "data.tar.gz": _tar({f"./{path}": content for path, content in (files or {}).items()}),
    }
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{0o100644:<8o}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def publish(
    root: Path,
    suite: str,
    packages: Iterable[Package],
    signer: Signer,
    release: Mapping[str, str] | None = None,
) -> None:
    """Write or replace ``suite`` below ``root``; ``release`` are fields of its Release file."""
    index = "\n".join(_entry(root, package) for package in packages).encode()
    directory = root / "dists" / suite
    binary = directory / "main" / "binary-amd64"
    binary.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, content in (("Packages", index), ("Packages.gz", gzip.compress(index, mtime=0))):
        (binary / name).write_bytes(content)
        address = hashlib.sha256(content).hexdigest()
        lines.append(f" {address} {len(content)} main/binary-amd64/{name}\n")
    fields = {
        "Origin": "Tiny",
        "Suite": suite,
        "Codename": suite,
        "Date": DATE,
        "Architectures": "amd64",
        "Components": "main",
        **(release or {}),
    }
    text = "".join(f"{key}: {value}\n" for key, value in fields.items())
    (directory / "InRelease").write_bytes(signer.clearsign(f"{text}SHA256:\n{''.join(lines)}"))


def _entry(root: Path, package: Package) -> str:
    content = deb(package.control(), package.files)
    path = root / package.path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    entry = {
        **package.control(),
        "Filename": package.path(),
        "Size": str(len(content)),
        "SHA256": hashlib.sha256(content).hexdigest(),
        **package.fields,
    }
    return "".join(f"{key}: {value}\n" for key, value in entry.items())


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for folder in sorted({str(each) for name in files for each in PurePath(name).parents}):
            member = tarfile.TarInfo(f"./{folder}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(gzip.decompress(buffer.getvalue()), mtime=0)
