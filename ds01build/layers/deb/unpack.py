"""From a .deb to the entries of a layer, in one pass, with the facts that later steps need."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ds01build.errors import RejectedFile
from ds01build.layers.deb import ar, control, untar
from ds01build.layers.deb.elf import Library, library
from ds01build.layers.deb.facts import DebFacts, qualified
from ds01build.layers.deb.kept import MAX_KEPT, is_kept
from ds01build.layers.deb.mend import MENDED, RESERVED
from ds01build.layers.deb.place import ALIASES, alias, place
from ds01build.layers.deb.stream import Content, Stream
from ds01build.layers.entry import Entry, Piece
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ds01build.layers.deb.untar import Member
    from ds01build.layers.entry import Source
    from ds01build.pin import DebPin
    from ds01build.stack import Listing

__all__ = ["unpack"]

_INFO = "var/lib/dpkg/info"
_SCRIPTS = ("config", "postinst", "postrm", "preinst", "prerm")
_CONTROL_FILE = re.compile(r"[a-z][a-z0-9.-]{0,63}")
_CONFFILE = re.compile(r"(remove-on-upgrade +)?(/[^ ].*)")
_MAX_CONTROL = 1 << 24  # bytes of one file
_MAX_SCRIPT = 1 << 20


def unpack(source: Source, pin: DebPin, done: Callable[[DebFacts], None]) -> Iterator[Entry]:
    """Yield what dpkg would unpack from the .deb of ``pin``, then what it notes of it.

    Entries come in the .deb's own order, on a merged /usr, with modes and numeric owners as in its
    tar; the files below /var/lib/dpkg/info come last. A body is valid until the next entry is
    asked for. After the last one ``done`` is called. Raises RejectedFile.
    """
    file = pin.path.rpartition("/")[2]
    control_part, data_part = ar.parts(source, file)
    deb = _Deb(file, _control_files(source, control_part, file))
    control.check(deb.control, pin, file)
    for member in untar.members(Stream(source, data_part, file), file):
        entry = deb.add(member)
        if entry is not None:
            yield entry
    for path, content in sorted(deb.info_files()):
        yield deb.note(path, content)
    done(deb.facts())


def _control_files(source: Source, part: ar.Part, file: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for member in untar.members(Stream(source, part, file), file, largest=_MAX_CONTROL):
        if member.path == "" and member.kind == "directory":
            continue
        name = member.path
        if member.kind != "file" or not _CONTROL_FILE.fullmatch(name) or name in (*files, "list"):
            raise RejectedFile(name=file, problem=f"the control archive has {name!r:.100}")
        files[name] = b"".join(member.content.chunks)
    return files


class _Deb:
    """One .deb while it is read."""

    def __init__(self, file: str, control_files: dict[str, bytes]) -> None:
        self._file = file
        if "control" not in control_files:
            raise self._rejected("has no control file")
        self.control = control.parse(control_files.pop("control"), file)
        self._control_files = control_files
        self._conffiles = self._read_conffiles()
        self._listing: Listing = {}
        self._written: list[str] = []
        self._sums: dict[str, str] = {}
        self._kept: dict[str, bytes] = {}
        self._libraries: dict[str, Library] = {}
        self._aliased: set[str] = set()

    def add(self, member: Member) -> Entry | None:
        """Note a member of the data archive; None for a directory that has been there already."""
        self._written.append(f"/{member.path or '.'}")
        self._aliased.add(alias(member.path))
        if member.kind == "symlink" and member.path in ALIASES:
            self._expect_alias(member)
            return None
        path = place(member.path)
        stat = self._stat(path, member)
        known = self._listing.setdefault(path, stat)
        if known is not stat:
            if known != stat or stat.kind != "directory":
                raise self._rejected(f"{path!r:.100} is there twice")
            return None
        self._note(path, member)
        return _entry(path, stat, member.content)

    def _expect_alias(self, member: Member) -> None:
        """Pass over the links of a merged /usr that a package ships: the root has them."""
        if member.link.removeprefix("/") != ALIASES[member.path]:
            raise self._rejected(f"{member.path!r:.100} is a link to {member.link!r:.100}")

    def _stat(self, path: str, member: Member) -> Stat:
        mode, gid, content = member.mode, member.gid, ""
        mended = MENDED.get((self.control["Package"], path))
        if mended:
            mode, gid = mended.mode, RESERVED.get(mended.group, 0)
        if member.kind == "symlink":
            content = self._symlink(path, member.link)
        elif member.kind == "hardlink":
            content = place(self._clean(member.link))
            target = self._listing.get(content)
            if target is None or target.kind != "file":
                raise self._rejected(f"{path!r:.100} is a hard link to {member.link!r:.100}")
        elif member.kind == "file":
            content = _sha256(member.content)
        return Stat(member.kind, mode, member.uid, gid, content)

    def _symlink(self, path: str, to: str) -> str:
        depth = path.count("/")
        for part in [] if to.startswith("/") else to.split("/"):
            depth += -1 if part == ".." else part not in ("", ".")
            if depth < 0:
                break
        if depth < 0 or not to:
            raise self._rejected(f"the link {path!r:.100} leads out of the root, to {to!r:.100}")
        return to

    def _clean(self, link: str) -> str:
        return link.removeprefix("./")

    def _note(self, path: str, member: Member) -> None:
        content = member.content
        if member.kind == "hardlink":
            target = place(self._clean(member.link))
            if target in self._sums:
                self._sums[path] = self._sums[target]
        if member.kind != "file":
            return
        if "md5sums" not in self._control_files or path in self._conffiles:
            self._sums[path] = _md5(content)
        if is_kept(path) and content.size <= MAX_KEPT:
            self._kept[path] = b"".join(content.chunks)
        found = library(path.rpartition("/")[2], content)
        if found:
            self._libraries[path] = found

    def _read_conffiles(self) -> dict[str, str]:
        """Return the paths that the package calls configuration: as placed, and as written."""
        conffiles = {}
        for line in self._text("conffiles").splitlines():
            match = _CONFFILE.fullmatch(line.rstrip())
            if match is None:
                raise self._rejected(f"conffiles has the line {line!r:.100}")
            if not match[1]:
                conffiles[place(match[2][1:])] = match[2]
        return conffiles

    def _text(self, name: str) -> str:
        raw = self._control_files.get(name, b"")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise self._rejected(f"{name} is not UTF-8") from error
        if any(each < " " and each not in "\n\t" for each in text):
            raise self._rejected(f"{name} holds control characters")
        return text

    def info_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield what dpkg keeps of the package: path and content."""
        stem = f"{_INFO}/{qualified(self.control)}"
        yield f"{stem}.list", "".join(f"{path}\n" for path in self._written).encode()
        for name, content in self._control_files.items():
            yield f"{stem}.{name}", content
        if "md5sums" not in self._control_files:
            yield f"{stem}.md5sums", self._md5sums()

    def _md5sums(self) -> bytes:
        """Return the sums that dpkg computes for a package that ships none."""
        lines = []
        for written in self._written:
            path = place(written[1:])
            if path in self._sums and path not in self._conffiles:
                lines.append(f"{self._sums[path]}  {written[1:]}\n")
        return "".join(lines).encode()

    def note(self, path: str, content: bytes) -> Entry:
        """Return the entry of a file that dpkg keeps."""
        mode = 0o755 if path.rpartition(".")[2] in _SCRIPTS else 0o644
        stat = Stat("file", mode, 0, 0, hashlib.sha256(content).hexdigest())
        if path in self._listing:
            raise self._rejected(f"{path!r:.100} is dpkg's own")
        self._listing[path] = stat
        return _entry(path, stat, Content((content,) if content else ()))

    def _check_tree(self) -> None:
        """Raise RejectedFile where something lies below what is no directory."""
        checked = {""}
        for path in self._listing:
            above = path.rpartition("/")[0]
            while above not in checked:
                checked.add(above)
                stat = self._listing.get(above)
                if stat is not None and stat.kind != "directory":
                    raise self._rejected(f"{path!r:.100} lies below a {stat.kind}")
                above = above.rpartition("/")[0]

    def facts(self) -> DebFacts:
        """Return what is known when everything has been read."""
        self._check_tree()
        return DebFacts(
            control=self.control,
            scripts={name: self._script(name) for name in _SCRIPTS if name in self._control_files},
            triggers=self._text("triggers"),
            conffiles={w: self._sums[p] for p, w in self._conffiles.items() if p in self._sums},
            listing=self._listing,
            kept=self._kept,
            libraries=self._libraries,
            aliased=tuple(sorted(self._aliased - {""})),
        )

    def _script(self, name: str) -> str:
        raw = self._control_files[name]
        return raw.decode(errors="replace") if len(raw) <= _MAX_SCRIPT else ""

    def _rejected(self, problem: str) -> RejectedFile:
        return RejectedFile(name=self._file, problem=problem)


def _entry(path: str, stat: Stat, content: Content) -> Entry:
    body = (lambda: (Piece(chunk, b"") for chunk in content.chunks)) if content.size else None
    return Entry(path=path, stat=stat, size=content.size, body=body)


def _sha256(content: Content) -> str:
    summed = hashlib.sha256()
    for chunk in content.chunks:
        summed.update(chunk)
    return summed.hexdigest()


def _md5(content: Content) -> str:
    summed = hashlib.md5(usedforsecurity=False)  # what dpkg compares with
    for chunk in content.chunks:
        summed.update(chunk)
    return summed.hexdigest()
