"""/etc/ld.so.cache, as ldconfig(8) writes it: a pure function of the packages' libraries.

The format is glibc-ld.so.cache1.1 with its extensions (glibc, sysdeps/generic/dl-cache.h); which
libraries are in it, and in which order, is what glibc's elf/ldconfig.c and elf/cache.c do. Not
covered: hardware directories that glibc 2.37 dropped, and the ISA level of glibc-hwcaps libraries
(the loader then goes by the directory's name alone).
"""

from __future__ import annotations

import re
import struct
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import Ds01Error
from ds01build.layers.root import made

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from ds01build.layers.deb import Library
    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree

__all__ = ["Row", "encode", "entries"]


class _Machine(NamedTuple):
    triplet: str
    flags: dict[tuple[int, int], int]  # by bits and e_machine


_MACHINES = {
    "amd64": _Machine("x86_64-linux-gnu", {(64, 62): 0x303, (32, 62): 0x803, (32, 3): 0x003}),
    "arm64": _Machine("aarch64-linux-gnu", {(64, 183): 0xA03}),
}
_CONF = "etc/ld.so.conf"
_HWCAPS = "glibc-hwcaps"
_HWCAP_EXTENSION = 1 << 62
_LITTLE_ENDIAN = 2
_EXTENSION_MAGIC = 0xEAA42174
_HEADER = struct.Struct("<17s3sIIB3xI12x")
_ROW = struct.Struct("<iIIIQ")
_EXTENSION = struct.Struct("<II")
_SECTION = struct.Struct("<IIII")
_PARTS = re.compile(r"(\d+)|(\D)")


class Row(NamedTuple):
    """One library: the name that programs ask for, its path, its kind, its glibc-hwcaps folder."""

    soname: str
    path: str
    flags: int
    hwcaps: str = ""


class _Candidate(NamedTuple):
    """A file or link of a directory that stands for ``soname``."""

    name: str
    soname: str
    flags: int
    is_link: bool


def entries(tree: Tree, architecture: str) -> Iterator[tuple[str, Entry]]:
    """Yield the cache, and the links from sonames to libraries that no package ships.

    Nothing where libc-bin is missing. Raises Ds01Error for an architecture that is not known.
    """
    glibc = next((deb.version for deb in tree.debs if deb.name == "libc-bin"), "")
    if not glibc:
        return
    if architecture not in _MACHINES:
        raise Ds01Error(f"no loader cache can be made for {architecture!r:.100}")
    machine = _MACHINES[architecture]
    rows: list[Row] = []
    for folder, written, hwcaps in _folders(tree, machine.triplet):
        for each in _candidates(tree, folder, machine):
            rows.append(_row(each, written, hwcaps))
            link = f"{folder}/{each.soname}"
            if not hwcaps and link not in tree.stats:
                yield "libc-bin", made.link(link, each.name)
    release = glibc.partition("-")[0]
    generator = f"ldconfig (Debian GLIBC {glibc}) stable release version {release}"
    yield "libc-bin", made.file("etc/ld.so.cache", encode(rows, generator))


def _row(candidate: _Candidate, folder: str, hwcaps: str) -> Row:
    name = candidate.name if hwcaps else candidate.soname
    return Row(candidate.soname, f"{folder}/{name}", candidate.flags, hwcaps)


def _folders(tree: Tree, triplet: str) -> Iterator[tuple[str, str, str]]:
    """Yield the loader's directories: where they lie, as written, and the name below hwcaps."""
    builtin = [f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib"]
    seen: set[str] = set()
    for written in [*_configured(tree, _CONF, set()), *builtin]:
        folder = tree.real(written)
        if not folder or folder in seen or tree.stats[folder].kind != "directory":
            continue
        seen.add(folder)
        yield folder, written, ""
        for name in sorted(_names(tree, f"{folder}/{_HWCAPS}")):
            if tree.stats[f"{folder}/{_HWCAPS}/{name}"].kind == "directory":
                yield f"{folder}/{_HWCAPS}/{name}", f"{written}/{_HWCAPS}/{name}", name


def _configured(tree: Tree, path: str, read: set[str]) -> Iterator[str]:
    """Yield the directories that a file of the ld.so.conf family names, includes followed."""
    if path in read:
        return
    read.add(path)
    for line in (tree.kept(path) or b"").decode(errors="replace").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"]:
            for pattern in words[1:]:
                for each in tree.kept_below("etc/"):
                    if fnmatchcase(each, pattern.lstrip("/")):
                        yield from _configured(tree, each, read)
        elif len(words) == 1 and words[0].startswith("/") and words[0].isprintable():
            yield "/" + words[0].strip("/")


def _names(tree: Tree, folder: str) -> AbstractSet[str]:
    return tree.children.get(folder, frozenset())


def _candidates(tree: Tree, folder: str, machine: _Machine) -> Iterable[_Candidate]:
    """Return the best file for each soname of a directory."""
    best: dict[str, _Candidate] = {}
    libraries = tree.libraries
    for name in sorted(_names(tree, folder)):
        path = f"{folder}/{name}"
        library = libraries.get(_file(tree, tree.real(path)))
        if library is None or not _is_library(name):
            continue
        flags = machine.flags.get((library.bits, library.machine))
        if flags is None:
            continue
        found = _candidate(name, library, flags, is_link=tree.stats[path].kind == "symlink")
        known = best.setdefault(found.soname, found)
        if (known.is_link, _version(found.name)) > (found.is_link, _version(known.name)):
            best[found.soname] = found
    return best.values()


def _file(tree: Tree, path: str) -> str:
    stat = tree.stats.get(path)
    return stat.content if stat and stat.kind == "hardlink" else path


def _is_library(name: str) -> bool:
    if name.startswith(("lib", "ld-")):
        return ".so" in name
    return name.startswith(("ld.so.", "ld64.so."))


def _candidate(name: str, library: Library, flags: int, *, is_link: bool) -> _Candidate:
    """Return what ``name`` stands for: a link named as the soname or as its start is itself."""
    soname = library.soname or name
    if is_link and (name == soname or (name.endswith(".so") and soname.startswith(name))):
        return _Candidate(name, name, flags, is_link=True)
    return _Candidate(name, soname, flags, is_link=False)


def _version(name: str) -> list[tuple[int, int]]:
    """Return what names are compared by: numbers as numbers, and after everything else."""
    return [(1, int(m[1])) if m[1] else (0, ord(m[2])) for m in _PARTS.finditer(name)]


def encode(rows: Iterable[Row], generator: str) -> bytes:
    """Return the cache of ``rows``, given in the order of their directories.

    ``generator`` names the ldconfig that wrote it.
    """
    ordered = sorted(rows, key=lambda row: (row.hwcaps == "", row.hwcaps))
    ordered.sort(key=lambda row: (_version(row.soname), row.flags), reverse=True)
    names = sorted({row.hwcaps for row in ordered} - {""})
    texts = {text for row in ordered for text in (row.soname, row.path)} | set(names)
    start = _HEADER.size + len(ordered) * _ROW.size
    strings, offsets = _strings(texts, start)
    extension = start + len(strings) + -(start + len(strings)) % 4
    head = _HEADER.pack(
        b"glibc-ld.so.cache", b"1.1", len(ordered), len(strings), _LITTLE_ENDIAN, extension
    )
    body = b"".join(
        _ROW.pack(row.flags, offsets[row.soname], offsets[row.path], 0, _hwcap(row, names))
        for row in ordered
    )
    tables = (head + body + strings).ljust(extension, b"\0")
    return tables + _extensions(extension, [offsets[name] for name in names], generator)


def _hwcap(row: Row, names: list[str]) -> int:
    return _HWCAP_EXTENSION | names.index(row.hwcaps) if row.hwcaps else 0


def _strings(texts: Iterable[str], start: int) -> tuple[bytes, dict[str, int]]:
    """Return the string table and where each text is, sharing the ends of longer ones."""
    table = bytearray()
    offsets: dict[str, int] = {}
    previous, at = "", 0
    for text in sorted(texts, key=lambda each: each.encode()[::-1], reverse=True):
        if previous.endswith(text):
            at += len(previous.encode()) - len(text.encode())
        else:
            at = len(table)
            table += text.encode() + b"\0"
        offsets[text] = start + at
        previous = text
    return bytes(table), offsets


def _extensions(at: int, hwcaps: list[int], generator: str) -> bytes:
    """Return the extension directory, which lies at byte ``at``: the generator and the hwcaps."""
    count = 2 if hwcaps else 1
    sections = at + _EXTENSION.size + count * _SECTION.size
    after = sections + 4 * len(hwcaps)
    content = _EXTENSION.pack(_EXTENSION_MAGIC, count)
    content += _SECTION.pack(0, 0, after, len(generator))
    if hwcaps:
        content += _SECTION.pack(1, 0, sections, 4 * len(hwcaps))
    return content + struct.pack(f"<{len(hwcaps)}I", *hwcaps) + generator.encode()
