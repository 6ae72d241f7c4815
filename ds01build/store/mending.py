"""Puts right what a store can by itself, and moves what it can't to quarantine: nothing is lost.

What has to be fetched or made again is somebody else's work; this makes room for it.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ds01build.flock import hold
from ds01build.image import MANIFEST_TYPE
from ds01build.store import index, roots
from ds01build.store.blobs import digest_of
from ds01build.store.durable import (
    disk_errors,
    make_directory,
    read_own,
    sync_directory,
    write_durably,
)
from ds01build.store.index import Tag
from ds01build.store.layout import COPY, DIRECTORIES, FILES, FORMAT, INDEX, LAYOUT
from ds01build.store.manifests import LIMIT
from ds01build.store.rows import key_of, read_document, read_layer
from ds01build.store.sealed import corrected

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.digest import Digest
    from ds01build.store import DirStore
    from ds01build.store.audit import Finding

__all__ = ["forget", "mend", "remedy", "restore_index", "unknown"]

_ASIDE = "moved to quarantine"
_AGAIN = "fetched, or made again from the lock of its generation"
_REMEDIES = {  # by place and kind
    (INDEX, ""): "written again from its copy, with the names of all generations",
    (COPY, ""): "written again from index.json",
    ("blobs", "missing"): _AGAIN,
    ("blobs", "corrupt"): f"{_ASIDE}, then {_AGAIN}",
    ("roots", "missing"): "taken from recipe and lock where they lie, if those are the same",
    ("roots", "corrupt"): f"put right where one byte is wrong, otherwise {_ASIDE}",
    ("keys", "missing"): "made again for a generation, otherwise forgotten",
    ("keys", "corrupt"): f"{_ASIDE}; the layer is made again when it is needed",
}


def remedy(finding: Finding) -> str:
    """Say in a few words what a repair does about a finding, as far as it can be known before."""
    if finding.kind == "foreign":
        return _ASIDE
    place = finding.path if finding.path in FILES else finding.path.partition("/")[0]
    return _REMEDIES.get((place, finding.kind), _REMEDIES.get((place, ""), "made again"))


def mend(store: DirStore, finding: Finding) -> None:
    """Do what the store can do by itself about ``finding``; whatever is bad is moved first.

    Repeating it does no harm. Raises StoreError.
    """
    path, part = store.root / finding.path, finding.path.partition("/")[0]
    with disk_errors(path):
        if finding.kind == "foreign":
            _set_aside(store, path)
        elif finding.path in DIRECTORIES:
            make_directory(path)
        elif finding.kind == "missing":
            _mend_missing(store, finding)
        elif path.is_dir() and not path.is_symlink() and part != "blobs":
            path.chmod(0o700)
        elif part == "blobs":
            _mend_blob(store, path, finding.digest)
        elif part == "keys":
            _mend_row(store, path)
        elif part == "roots":
            _mend_generation(store, path)
        else:
            _mend_file(store, path)


def _mend_missing(store: DirStore, finding: Finding) -> None:
    if finding.path in FILES and finding.digest is None:
        _mend_file(store, store.root / finding.path)


def _mend_file(store: DirStore, path: Path) -> None:
    contents = {"oci-layout": LAYOUT, "version": b"%d\n" % FORMAT}
    if path.name in contents:
        _set_aside(store, path)
        write_durably(path, contents[path.name], aside=store.aside)
    else:
        restore_index(store)


def _mend_blob(store: DirStore, path: Path, digest: Digest | None) -> None:
    if stat.S_ISREG(path.lstat().st_mode):
        path.chmod(0o444)
        if _has(path, digest):
            return
    aside = _set_aside(store, path)
    if aside is not None and _has(aside, digest):  # written again in this very moment
        aside.rename(path)
        sync_directory(path.parent)


def _has(path: Path, digest: Digest | None) -> bool:
    try:
        return digest_of(path)[0] == digest
    except OSError:
        return False


def _mend_row(store: DirStore, path: Path) -> None:
    key = key_of(store.root / "keys", path)
    if key is None:
        return
    with store.lock(key, lambda _: None):
        _close(store, path)
        row = read_own(path, uid=store.uid, limit=LIMIT)
        if read_layer(row, key) is None and read_document(row, key) is None:
            _set_aside(store, path)


def _mend_generation(store: DirStore, path: Path) -> None:
    _close(store, path)
    name = path.parent.name
    if roots.read(path, name, uid=store.uid) is not None:
        return
    text = read_own(path, uid=store.uid, limit=LIMIT)
    right = corrected(text) if text is not None else None
    _set_aside(store, path)
    if right is not None:
        write_durably(path, right, aside=store.aside)
        if roots.read(path, name, uid=store.uid) is None:  # sealed, but not for this place
            _set_aside(store, path)


def _close(store: DirStore, path: Path) -> None:
    """Take from others the right to write to a file, if none of them can have used it."""
    status = path.lstat()
    alone = not store.root.stat().st_mode & 0o011
    if alone and stat.S_ISREG(status.st_mode) and status.st_uid == store.uid:
        path.chmod(0o600)


def _set_aside(store: DirStore, path: Path) -> Path | None:
    """Move whatever lies at ``path`` to a free name in quarantine, and return where it is."""
    target, number = store.root / "quarantine" / path.name, 0
    while target.is_symlink() or target.exists():
        number += 1
        target = target.with_name(f"{path.name}.{number}")
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    sync_directory(path.parent)
    return target


def forget(store: DirStore, finding: Finding) -> None:
    """Remove a row whose blob is still missing: without it the layer is made when it is needed."""
    path = store.root / finding.path
    key = key_of(store.root / "keys", path)
    if key is None:
        return
    with disk_errors(path), store.lock(key, lambda _: None):
        layer = read_layer(read_own(path, uid=store.uid, limit=LIMIT), key)
        if layer is not None and not store.has(layer.digest, layer.size):
            path.unlink(missing_ok=True)


def restore_index(store: DirStore) -> None:
    """Write index.json and its copy again: what they say, and the names of all generations.

    The copy is asked where the index can't be read. A name without a manifest in the store goes.
    Raises StoreError.
    """
    paths = [store.root / INDEX, store.root / COPY]
    with disk_errors(paths[0]), hold(store.root / "locks" / "index", lambda _: None):
        for path in filter(os.path.lexists, paths):
            _close(store, path)
        texts = {path: read_own(path, uid=store.uid, limit=LIMIT) for path in paths}
        kept = _kept(store)
        for tag in _names(store, {tag.name for tag in map(index.tag_of, kept) if tag}):
            kept = index.replaced(kept, tag)
        if set(texts.values()) == {index.encode(kept)}:
            return
        for path, text in texts.items():
            if text is None or not index.is_sealed(text):
                _set_aside(store, path)
        store.write_index(kept)


def unknown(store: DirStore) -> str:
    """Say what index.json named that no repair can bring back, nothing where all of it is known."""
    text = _raw(store.root / INDEX)
    try:
        if text is not None and index.parse(text) is not None:
            return ""
    except ValueError:
        pass
    if store.copied() is None:
        told = "which generation a name stood for, which were pinned, and what other tools named"
        return f"{INDEX}: {told}"
    if text is None or not index.is_own(text):
        return f"{INDEX}: what other tools have named since ds01 wrote it last"
    return ""


def _raw(path: Path) -> bytes | None:
    """Return the bytes of a file, whoever can write to it: a repair closes it."""
    try:
        return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else None
    except OSError:
        return None


def _kept(store: DirStore) -> index.Descriptors:
    there = store.descriptors()
    if there is None:
        there = store.copied() or []
    tags = [(one, index.tag_of(one)) for one in there]
    return [one for one, tag in tags if tag is None or store.has(tag.manifest, tag.size)]


def _names(store: DirStore, named: set[str]) -> list[Tag]:
    """Return the tags that generations have, without the moving ones that are ``named``."""
    found: dict[str, Tag] = {}
    for name in roots.names(store.root):
        for generation in roots.generations(store.root, name):
            if not store.has(generation.image):
                continue
            size = store.path(generation.image).stat().st_size
            for full in (f"{name}@{generation.image}", name):
                if full not in named:
                    found[full] = Tag(
                        name=full,
                        manifest=generation.image,
                        size=size,
                        media_type=MANIFEST_TYPE,
                        annotations=(
                            {roots.CURRENT: str(generation.number)} if full == name else {}
                        ),
                    )
    return list(found.values())
