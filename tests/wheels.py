"""Builds wheels for tests, byte by byte: also those that no library would write."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.digest import Digest
from ds01build.pin import WheelPin
from ds01build.target import Schemes, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

REGULAR = 0o100644
EXECUTABLE = 0o100755

TARGET = Target(
    interpreter="/usr/bin/python3.11",
    version="3.11.2",
    schemes=Schemes(
        purelib="/usr/local/lib/python3.11/dist-packages",
        platlib="/usr/local/lib/python3.11/dist-packages",
        scripts="/usr/local/bin",
        data="/usr/local",
        headers="/usr/include/python3.11",
    ),
)


@dataclass(frozen=True)
class Bytes:
    """A Source in memory."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]


@dataclass(frozen=True)
class OnDisk:
    """A Source that opens its file for each read."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(length)


@dataclass(frozen=True, kw_only=True)
class File:
    """One entry of a zip. What is None follows from the content; give it to tell a lie."""

    name: bytes
    content: bytes = b""
    mode: int = REGULAR
    method: int = 8
    flags: int = 0
    packed: bytes | None = None
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    extra: bytes = b""  # of the directory
    comment: bytes = b""
    disk: int = 0
    offset: int | None = None
    local: bytes | None = None  # the whole local header
    local_extra: bytes = b""
    local_fields: Mapping[str, int] = field(default_factory=dict)
    local_name: bytes | None = None
    before: bytes = b""  # the local header
    behind: bytes = b""  # the packed bytes

    def body(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return self.content if self.method == 0 else deflated(self.content)

    def fields(self) -> dict[str, int]:
        body = self.body()
        return {
            "flags": self.flags,
            "method": self.method,
            "time": 0,
            "date": 33,
            "crc": zlib.crc32(self.content) if self.crc is None else self.crc,
            "packed": len(body) if self.packed_size is None else self.packed_size,
            "size": len(self.content) if self.size is None else self.size,
        }


def deflated(content: bytes, level: int = 6) -> bytes:
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    return deflate.compress(content) + deflate.flush()


def _local(file: File) -> bytes:
    if file.local is not None:
        return file.local
    name = file.name if file.local_name is None else file.local_name
    values = {**file.fields(), **file.local_fields}
    fixed = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, *values.values(), len(name), len(file.local_extra)
    )
    return fixed + name + file.local_extra


def _central(file: File, offset: int) -> bytes:
    fixed = struct.pack(
        "<4s6H3L5H2L",
        b"PK\1\2",
        0x314,
        20,
        *file.fields().values(),
        len(file.name),
        len(file.extra),
        len(file.comment),
        file.disk,
        0,
        file.mode << 16,
        offset if file.offset is None else file.offset,
    )
    return fixed + file.name + file.extra + file.comment


def end(count: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    return (
        struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, len(comment)) + comment
    )


def archive(files: Sequence[File], *, start: bytes = b"") -> bytes:
    """Return a zip of ``files``, ``start`` before them."""
    body = bytearray(start)
    central = bytearray()
    for file in files:
        body += file.before
        central += _central(file, len(body))
        body += _local(file) + file.body() + file.behind
    return bytes(body + central + end(len(files), len(central), len(body)))


def checksum(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def record(files: Sequence[File], stem: str = "demo-1.0") -> File:
    text = io.StringIO()
    rows = [
        [each.name.decode(), checksum(each.content), str(len(each.content))]
        for each in files
        if not each.name.endswith(b"/")
    ]
    csv.writer(text).writerows([*rows, [f"{stem}.dist-info/RECORD", "", ""]])
    return File(name=f"{stem}.dist-info/RECORD".encode(), content=text.getvalue().encode())


METADATA = File(
    name=b"demo-1.0.dist-info/METADATA",
    content=b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\nName: not a header\n",
)
WHEEL = File(
    name=b"demo-1.0.dist-info/WHEEL",
    content=b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
)
MODULE = File(name=b"demo/__init__.py", content=b"VERSION = 1\n")


def wheel(*files: File) -> bytes:
    """Return a sound wheel of demo 1.0 with ``files`` and what every wheel needs."""
    every = [*files, METADATA, WHEEL]
    names = [each.name for each in files]
    every = [each for n, each in enumerate(every) if n < len(files) or each.name not in names]
    return archive([*every, record(every)])


def pin(content: bytes, file: str = "demo-1.0-py3-none-any.whl") -> WheelPin:
    name, version = file.split("-")[:2]
    return WheelPin(
        name=name.lower().replace("_", "-"),
        version=version,
        file=file,
        size=len(content),
        digest=Digest.of(content),
        tier="test",
    )
