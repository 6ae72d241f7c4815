"""Builds small .debs block by block, right ones and wrong ones, and the facts of packages."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheels import Bytes

from ds01build.digest import Digest
from ds01build.layers.deb import DebFacts, unpack
from ds01build.pin import DebPin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ds01build.layers.entry import Entry

BASE = 0x10000  # where shared objects think that they are loaded
TYPES = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5"}


@dataclass(frozen=True)
class Row:
    """A member of a tar, as it is written: ``path`` with its leading ``./``."""

    path: str
    content: bytes = b""
    kind: str = "file"
    link: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    type: bytes = b""  # instead of that of ``kind``


def directory(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Row:
    return Row(path, kind="directory", mode=mode, uid=uid, gid=gid)


def link(path: str, to: str) -> Row:
    return Row(path, kind="symlink", link=to, mode=0o777)


def header(row: Row, *, magic: bytes = b"ustar  \0", size: int | None = None) -> bytes:
    """Return one block, with the right checksum."""
    length = len(row.content) if size is None else size
    name, to = row.path.encode()[:100], row.link.encode()[:100]
    numbers = f"{row.mode:07o}\0{row.uid:07o}\0{row.gid:07o}\0{length:011o}\0{0:011o}\0".encode()
    kind = row.type or TYPES[row.kind]
    block = name.ljust(100, b"\0") + numbers + b" " * 8 + kind + to.ljust(100, b"\0") + magic
    block = block.ljust(512, b"\0")
    return block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]


def tar(rows: Iterable[Row]) -> bytes:
    """Return a GNU tar of ``rows``, long names included."""
    blocks: list[bytes] = []
    for row in rows:
        for kind, name in ((b"L", row.path), (b"K", row.link)):
            if len(name.encode()) > 100:
                blocks.append(_member(Row("././@LongLink", name.encode() + b"\0", type=kind)))
        blocks.append(_member(row))
    return b"".join(blocks) + bytes(1024)


def _member(row: Row) -> bytes:
    return header(row) + row.content + bytes(-len(row.content) % 512)


def ar(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an ar archive."""
    content = b"!<arch>\n"
    for name, body in members:
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode()
        content += head + body + b"\n" * (len(body) % 2)
    return content


def gz(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(content) + packer.flush()


def control(name: str = "tool", **fields: str) -> dict[str, str]:
    """Return the fields of a control file; names as in Python, ``Multi_Arch``."""
    own = {"Package": name, "Version": "1.0-1", "Architecture": "amd64"}
    last = {"Maintainer": "Nobody <nobody@localhost>", "Description": f"the {name}"}
    return {**own, **last, **{key.replace("_", "-"): value for key, value in fields.items()}}


def control_text(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()


def deb(
    fields: Mapping[str, str] | bytes,
    rows: Sequence[Row] = (),
    files: Mapping[str, bytes | str] | None = None,
) -> bytes:
    """Return a .deb; ``files`` are further ones of the control archive."""
    text = fields if isinstance(fields, bytes) else control_text(fields)
    every = {"control": text, **(files or {})}
    inner = [directory("./")]
    for name, content in every.items():
        inner.append(Row(f"./{name}", content if isinstance(content, bytes) else content.encode()))
    return wrapped(tar(inner), tar(rows))


def wrapped(control_tar: bytes, data_tar: bytes) -> bytes:
    members = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", lzma.compress(control_tar, preset=0)),
    ]
    return ar([*members, ("data.tar.xz", lzma.compress(data_tar, preset=0))])


def pin(fields: Mapping[str, str], content: bytes = b"") -> DebPin:
    name, version = fields["Package"], fields["Version"]
    architecture = fields["Architecture"]
    return DebPin(
        name=name,
        version=version,
        architecture=architecture,
        path=f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb",
        size=len(content),
        digest=Digest.of(content),
        tier="base",
    )


def unpacked(content: bytes, fields: Mapping[str, str]) -> tuple[list[Entry], DebFacts]:
    """Return the entries and facts of a .deb."""
    facts: list[DebFacts] = []
    entries = list(unpack(Bytes(content), pin(fields, content), facts.append))
    (only,) = facts
    return entries, only


def package(
    name: str,
    rows: Sequence[Row] = (),
    files: Mapping[str, bytes | str] | None = None,
    **fields: str,
) -> DebFacts:
    """Return the facts of a package."""
    paragraph = control(name, **fields)
    return unpacked(deb(paragraph, rows, files), paragraph)[1]


def content(entry: Entry) -> bytes:
    return b"".join(piece.plain for piece in entry.body()) if entry.body else b""


def text(entries: Iterable[tuple[str, Entry]], path: str) -> str:
    """Return what the file ``path`` holds."""
    (found,) = [content(entry) for _, entry in entries if entry.path == path]
    return found.decode()


def link_targets(entries: Iterable[tuple[str, Entry]]) -> dict[str, str]:
    return {e.path: e.stat.content for _, e in entries if e.stat.kind == "symlink"}


def shared_object(soname: str, *, bits: int = 64, machine: int = 62) -> bytes:
    """Return a shared object with nothing but a dynamic section, little-endian."""
    strings = b"\0" + soname.encode() + b"\0"
    wide = bits == 64
    head, segment = (64, "<IIQQQQQQ") if wide else (52, "<IIIIIIII")
    at = head + 2 * struct.calcsize(segment)
    entry = "<qQ" if wide else "<iI"
    rows = [(5, BASE + at + 4 * struct.calcsize(entry)), *([(14, 1)] if soname else [])]
    dynamic = b"".join(struct.pack(entry, *row) for row in [*rows, (0, 0)])
    dynamic = dynamic.ljust(4 * struct.calcsize(entry), b"\0")
    size = at + len(dynamic) + len(strings)
    segments = b"".join(
        struct.pack(segment, kind, 4, offset, BASE + offset, 0, length, length, 8)
        if wide
        else struct.pack(segment, kind, offset, BASE + offset, 0, length, length, 4, 4)
        for kind, offset, length in ((1, 0, size), (2, at, len(dynamic)))
    )
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]).ljust(12, b"\0")
    word = "Q" if wide else "I"
    elf = struct.pack(
        f"<HHI{word}{word}{word}IHHHHHH",
        *(3, machine, 1, 0, head, 0, 0, head, struct.calcsize(segment), 2, 0, 0, 0),
    )
    return ident + elf + segments + dynamic + strings


def write(root: Path, entries: Iterable[Entry]) -> None:
    """Write entries below ``root``; modes and owners where one may."""
    folders: list[Entry] = []
    for entry in entries:
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.stat.kind == "directory":
            path.mkdir(exist_ok=True)
            folders.append(entry)
        elif entry.stat.kind == "symlink":
            path.symlink_to(entry.stat.content)
        elif entry.stat.kind == "hardlink":
            path.hardlink_to(root / entry.stat.content)
        else:
            with path.open("wb") as file:
                file.writelines(piece.plain for piece in (entry.body() if entry.body else ()))
            _own(path, entry)
    for entry in folders:
        _own(root / entry.path, entry)


def _own(path: Path, entry: Entry) -> None:
    if os.geteuid() == 0:
        os.chown(path, entry.stat.uid, entry.stat.gid)
    path.chmod(entry.stat.mode)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ldconfig() -> str:
    """Return where the real ldconfig is, empty without it."""
    return shutil.which("ldconfig", path="/usr/sbin:/sbin") or ""
