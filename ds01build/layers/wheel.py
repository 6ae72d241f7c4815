"""From a wheel to the files that an installer would write, for one Target.

The result is what ``pip install --no-deps --no-compile`` of pip 26.3 writes, apart from REQUESTED
and direct_url.json, which depend on who asked and not on the wheel. Bodies are the wheel's own
packed bytes; only scripts, INSTALLER and RECORD are made here.
"""

from __future__ import annotations

import hashlib
import stat
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import RejectedFile
from ds01build.layers import body, distinfo, record, scripts
from ds01build.layers.body import Packed
from ds01build.layers.entry import Entry
from ds01build.layers.placing import Places
from ds01build.layers.record import Row
from ds01build.layers.window import Window
from ds01build.layers.zip import read_directory
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from collections.abc import Set as AbstractSet

    from ds01build.layers.entry import Body, Source
    from ds01build.layers.placing import Place
    from ds01build.layers.zip import Member
    from ds01build.pin import WheelPin
    from ds01build.target import Target

__all__ = ["check_platform", "install", "metadata"]

_METADATA = 16 << 20  # bytes, the largest METADATA, entry_points.txt, or script to rewrite
_RECORD = 64 << 20  # bytes
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")  # PEP 427: RECORD can't have their hashes


class _Wheel(NamedTuple):
    """A wheel whose directory and RECORD agree."""

    source: Source
    pin: WheelPin
    members: dict[str, Member]  # by name in the zip
    rows: dict[str, Row]  # of RECORD, by name in the zip
    stem: str  # name and version, as in the names of its .dist-info and .data directories

    def info(self, name: str) -> str:
        """Return the name in the zip of a file in .dist-info."""
        return f"{self.stem}.dist-info/{name}"

    def packed(self, name: str) -> Packed:
        """Return a file of the wheel, with the sha256 that RECORD has for it."""
        row = self.rows.get(name)
        content = row.content if row and row.checksum else ""
        return Packed(self.source, self.pin.file, self.members[name], content)


class _File(NamedTuple):
    """One file to write: where, its row in RECORD, its sha256 (hex), and its bytes."""

    place: Place
    row: Row
    mode: int
    content: str
    size: int  # bytes
    body: Body


def check_platform(pin: WheelPin, tags: Container[str]) -> None:
    """Raise RejectedFile unless one of the tags in the wheel's file name is one of ``tags``."""
    try:
        own = sorted(map(str, distinfo.tags_of(pin)))
    except ValueError as error:
        raise RejectedFile(name=pin.file, problem=str(error)) from error
    if not any(tag in tags for tag in own):
        raise RejectedFile(name=pin.file, problem=f"is for another platform ({', '.join(own)})")


def install(
    source: Source, pin: WheelPin, target: Target, tell: Callable[[bytes], None] | None = None
) -> list[tuple[str, Entry]]:
    """Return the files that the wheel of ``pin`` has under ``target``, each with ``str(pin)``.

    Directories are not among them. Bodies are read from ``source`` when they are asked for, and
    verified then. ``tell`` is given METADATA, which agrees with the pin. Raises RejectedFile for a
    wheel that is malformed or hostile, or not the pin's.
    """
    try:
        wheel = _opened(source, pin)
        text = _content(wheel, "METADATA")
        files = [(str(pin), entry) for entry in _installed(wheel, target, text)]
    except ValueError as error:
        raise RejectedFile(name=pin.file, problem=str(error)) from error
    if tell is not None:
        tell(text)
    return files


def metadata(source: Source, pin: WheelPin, target: Target) -> bytes:
    """Return the METADATA of a wheel every byte of which has been read and is sound.

    Raises RejectedFile as ``install`` does.
    """
    for _, entry in install(source, pin, target):
        for _ in entry.body() if entry.body else ():
            pass
    return _content(_opened(source, pin), "METADATA")


def _opened(source: Source, pin: WheelPin) -> _Wheel:
    """Return the wheel of ``pin``. Raises ValueError unless RECORD is about exactly its files."""
    distinfo.tags_of(pin)  # says whether the file is named as the pin
    source = Window(source)
    members = {member.name: member for member in read_directory(source, pin.file)}
    wheel = _Wheel(source, pin, members, {}, distinfo.stem(members, pin))
    rows = record.parse(_content(wheel, "RECORD", _RECORD))
    record.check_covers(rows, members, frozenset(map(wheel.info, _UNHASHED)))
    own = wheel.info("RECORD")
    return wheel._replace(rows={own: Row(own, "", ""), **rows})


def _content(wheel: _Wheel, name: str, limit: int = _METADATA) -> bytes:
    """Return a file of .dist-info. Raises ValueError when there is none."""
    path = wheel.info(name)
    if path not in wheel.members:
        raise ValueError(f"has no {name}")
    return body.read(wheel.packed(path), limit)


def _installed(wheel: _Wheel, target: Target, metadata: bytes) -> list[Entry]:
    described = distinfo.describe(metadata, _content(wheel, "WHEEL"), wheel.pin)
    places = Places(target, wheel.pin, wheel.stem, described)
    has_points = wheel.info("entry_points.txt") in wheel.members
    points = _content(wheel, "entry_points.txt") if has_points else b""
    console, gui = scripts.parse(points)
    replaced = _replaced(wheel, places, console.keys() | gui.keys())
    console = scripts.versioned(console, target.version)
    made = {
        name: _made(
            places.below("scripts", name), scripts.wrapper(value, target.interpreter), 0o755
        )
        for name, value in {**console, **gui}.items()
    }
    files = [
        *(_copied(wheel, places, name, target) for name in wheel.members if name not in replaced),
        *made.values(),
        _made(places.of(wheel.info("INSTALLER")), b"pip\n", 0o644),
    ]
    rows = [
        *(file.row for file in files),
        *(made[name].row for name in console.keys() & gui.keys()),  # pip lists them twice
        *(wheel.rows[name] for name in replaced if name in wheel.rows),
    ]
    files.append(_made(places.of(wheel.info("RECORD")), record.encode(rows), 0o644))
    return _entries(files, places)


def _replaced(wheel: _Wheel, places: Places, points: AbstractSet[str]) -> set[str]:
    """Return the files of the wheel that are not copied, since they are made here.

    Their rows in RECORD stay, as pip leaves them: those of scripts with a path of the zip.
    """
    replaced = {wheel.info("RECORD"), wheel.info("INSTALLER")}
    if points:
        for name in wheel.members:
            scheme, _, path = places.of(name)
            if scheme == "scripts" and scripts.is_shadowed(path.rpartition("/")[2], points):
                replaced.add(name)
    return replaced


def _copied(wheel: _Wheel, places: Places, name: str, target: Target) -> _File:
    """Return a file that comes from the wheel, with the interpreter's path if it asks for it."""
    place = places.of(name)
    packed = wheel.packed(name)
    member = packed.member
    mode = 0o755 if stat.S_ISREG(member.mode) and member.mode & 0o111 else 0o644
    if place.scheme == "scripts" and body.start(packed, 8) == scripts.PLACEHOLDER:
        script = scripts.rewritten(body.read(packed, _METADATA), target.interpreter)
        return _made(place, script, mode)
    listed = wheel.rows.get(name, Row(name, "", ""))
    row = Row(place.listed, listed.checksum, listed.size)
    content = packed.content
    if not content or not member.size:
        content = hashlib.sha256(body.read(packed, _METADATA)).hexdigest()
    return _File(place, row, mode, content, member.size, partial(body.stream, packed))


def _made(place: Place, plain: bytes, mode: int) -> _File:
    row = record.row(place.listed, plain)
    return _File(place, row, mode, row.content, len(plain), body.in_memory(plain))


def _entries(files: Iterable[_File], places: Places) -> list[Entry]:
    """Return ``files`` as entries. Raises ValueError when two are one file of the file system."""
    entries: dict[str, Entry] = {}
    for file in files:
        path = places.real(file.place)
        if path in entries:
            raise ValueError(f"would write {'/' + path!r:.100} twice")
        own = Stat("file", file.mode, 0, 0, file.content)
        entries[path] = Entry(
            path=path, stat=own, size=file.size, body=file.body if file.size else None
        )
    return list(entries.values())
