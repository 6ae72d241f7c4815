"""What a store looks like on disk, and whether a directory may be trusted to be one."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from ds01build.errors import StoreError
from ds01build.flock import hold, remove_abandoned
from ds01build.store.durable import disk_errors, make_directory, read_own, write_durably
from ds01build.store.index import encode, is_sealed, parse

__all__ = [
    "COPY",
    "DIRECTORIES",
    "FILES",
    "FORMAT",
    "INDEX",
    "LAYOUT",
    "MOUNTS",
    "look",
    "prepare",
    "refuse_network",
]

FORMAT = 1
LIMIT = 64 * 1024 * 1024  # bytes of an index
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}\n'  # OCI image-spec, image-layout.md
DIRECTORIES = (
    "blobs",
    "blobs/sha256",
    "facts",
    "keys",
    "leases",
    "locks",
    "logs",
    "quarantine",
    "roots",
    "tmp",
)
INDEX = "index.json"
COPY = "index.copy"  # what INDEX was when ds01 wrote it last
FILES = (COPY, INDEX, "oci-layout", "version")

_ELSEWHERE = "DS01_STORE=DIRECTORY selects another place"
MOUNTS = Path("/proc/self/mountinfo")  # proc(5)
# File systems where flock, fsync or rename can mean something else than on a local disk.
_NETWORKED = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|fuse\.(ceph-fuse|glusterfs|rclone|s3fs|sshfs)|gfs2|glusterfs"
    r"|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|prl_fs|smb3|smbfs|vboxsf"
)


def prepare(root: Path, *, uid: int, mounts: Path = MOUNTS) -> Path:
    """Create the store at ``root``, or check that it is one, and return its real path.

    Removes what killed processes have left behind. Raises StoreError when it is on a network file
    system, read-only, of a newer format, something else than a store, or when anyone but ``uid``
    could write to it.
    """
    root = Path(os.path.realpath(root))
    refuse_network(root, mounts)
    with disk_errors(root):
        _make_with_parents(root)
        _check(root, uid)
        _check_ancestors(root)
        if not os.access(root, os.W_OK):
            raise StoreError(f"the store {root} is read-only", _ELSEWHERE)
        _check_format(root, uid)
        for name in DIRECTORIES:
            make_directory(root / name)
            _check(root / name, uid)
        _initialise(root, uid)
        for name in ("tmp", "leases", "locks"):
            remove_abandoned(root / name)
    return root


def look(root: Path, *, uid: int, mounts: Path = MOUNTS) -> Path:
    """Return the real path of the store at ``root``, however damaged; nothing is changed.

    Raises StoreError as ``prepare`` does, but not for what is missing or can be put right.
    """
    root = Path(os.path.realpath(root))
    refuse_network(root, mounts)
    with disk_errors(root):
        _check(root, uid)
        _check_ancestors(root)
        text = read_own(root / "version", uid=uid, limit=64)
        if text is not None and text.strip().isdigit():
            _check_format(root, uid)
        there = [root / name for name in DIRECTORIES if os.path.lexists(root / name)]
        if len(there) < len(DIRECTORIES) // 2:
            _refuse_foreign(root)
        for directory in there:
            _check(directory, uid)
    return root


def _make_with_parents(root: Path) -> None:
    missing = [path for path in (root, *root.parents) if not path.exists()]
    for path in reversed(missing):
        make_directory(path)


def _check(directory: Path, uid: int) -> None:
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise StoreError(f"{directory} is not a directory", _ELSEWHERE)
    if status.st_uid != uid:
        raise StoreError(
            f"{directory} belongs to uid {status.st_uid}, not to you (uid {uid})", _ELSEWHERE
        )
    if status.st_mode & 0o022:
        raise StoreError(
            f"{directory} can be written by others (mode {stat.S_IMODE(status.st_mode):04o}),"
            " who could change what your builds use",
            f"chmod go-w {directory}",
        )


def _check_ancestors(root: Path) -> None:
    for directory in root.parents:
        mode = directory.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise StoreError(
                f"everyone can rename what is in {directory} (mode {stat.S_IMODE(mode):04o}),"
                f" {root} included",
                _ELSEWHERE,
            )


def _check_format(root: Path, uid: int) -> None:
    text = read_own(root / "version", uid=uid, limit=64)
    if text is None:
        _refuse_foreign(root)
        return
    if not text.strip().isdigit():
        raise StoreError(f"{root / 'version'} is damaged: {text!r}", "ds01 store verify --repair")
    if int(text) > FORMAT:
        raise StoreError(
            f"the store {root} has format {int(text)}, and this ds01 knows formats up to {FORMAT}",
            f"upgrade ds01, or {_ELSEWHERE}; if no newer ds01 was ever used, {root / 'version'} is"
            f" damaged and should hold {FORMAT}",
        )


def _refuse_foreign(root: Path) -> None:
    known = {*FILES, "lost+found", *(name.partition("/")[0] for name in DIRECTORIES)}
    foreign = sorted({path.name for path in root.iterdir()} - known)
    if foreign:
        raise StoreError(f"{root} is not a store: it holds {foreign[0]!r:.100}", _ELSEWHERE)


def _initialise(root: Path, uid: int) -> None:
    """Write the files of an empty store, ``version`` last: without it, this starts anew."""
    if all((root / name).exists() for name in FILES):
        return
    aside, locks = root / "tmp", root / "locks"
    with hold(locks / "store", lambda _: None), hold(locks / "index", lambda _: None):
        if not (root / "oci-layout").exists():
            write_durably(root / "oci-layout", LAYOUT, aside=aside)
        _write_index(root, uid)
        _write_copy(root, uid)
        if not (root / "version").exists():
            write_durably(root / "version", b"%d\n" % FORMAT, aside=aside)


def _write_index(root: Path, uid: int) -> None:
    """Write index.json where it is missing: what its copy says, or that of an empty store.

    Where neither is known and there are generations, they had names that nobody knows now.
    """
    if os.path.lexists(root / INDEX):
        return
    text = read_own(root / COPY, uid=uid, limit=LIMIT)
    if text is not None and is_sealed(text):
        write_durably(root / INDEX, text, aside=root / "tmp")
    elif not any((root / "roots").iterdir()):
        write_durably(root / INDEX, encode(()), aside=root / "tmp")


def _write_copy(root: Path, uid: int) -> None:
    """Copy an index that is whole, where there is no copy: an earlier ds01 made none."""
    text = read_own(root / INDEX, uid=uid, limit=LIMIT)
    if text is not None and not os.path.lexists(root / COPY):
        with contextlib.suppress(ValueError):
            write_durably(root / COPY, encode(parse(text)), aside=root / "tmp")


def refuse_network(path: Path, mounts: Path) -> None:
    """Raise StoreError where ``path`` is on a file system that others serve."""
    kind = _file_system(path, mounts)
    if _NETWORKED.fullmatch(kind):
        raise StoreError(
            f"{path} is on a network file system ({kind}), where locks and renames can't be relied"
            " on",
            _ELSEWHERE,
        )


def _file_system(path: Path, mounts: Path) -> str:
    """Return the type of the file system that ``path`` is or would be on."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return ""
    best, kind = b"", b""
    wanted = os.fsencode(path) + b"/"
    for line in lines:
        fields, _, rest = line.partition(b" - ")
        point = _unescaped(fields.split(b" ")[4]).rstrip(b"/") + b"/"
        if wanted.startswith(point) and len(point) >= len(best):
            best, kind = point, rest.split(b" ")[0]
    return kind.decode("ascii", "replace")


def _unescaped(field: bytes) -> bytes:
    for escape, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        field = field.replace(escape, byte)
    return field
