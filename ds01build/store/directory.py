"""The store: an OCI image layout of blobs, and a map from key to what it came out as.

    blobs/sha256/HEX    bytes, proved by their name          index.json   images by name
                                                             index.copy   the same once more
    keys/HH/HEX.json    key to layer, key to document        roots/       generations
    quarantine/         bytes that turned out to lie         facts/       can be thrown away
    tmp/ locks/ leases/ of processes that are running        version      of this arrangement

A blob is durable before the row that names it, so a crash leaves blobs that nothing names, never
names without blobs. Where one is missing all the same, the row is a miss.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ds01build.digest import Digest
from ds01build.errors import StoreError
from ds01build.flock import hold, hold_briefly, remove_abandoned
from ds01build.store import index, layout, leases, roots
from ds01build.store.blobs import BlobSource, Expected, blob_writer
from ds01build.store.durable import (
    disk_errors,
    make_directory,
    read_own,
    sync_directory,
    write_durably,
)
from ds01build.store.index import Tag
from ds01build.store.rows import (
    LIMIT,
    document_row,
    layer_row,
    read_document,
    read_layer,
    row_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ds01build.digest import Canonical, Key
    from ds01build.layer import Layer
    from ds01build.store.blobs import BlobWriter
    from ds01build.store.leases import Leases

__all__ = ["DirStore", "Store", "open_store"]


class Store(Protocol):
    """Blobs by digest, layers by key."""

    def writer(
        self, expected: Digest | None = None, expected_size: int | None = None, *, name: str = ""
    ) -> AbstractContextManager[BlobWriter]:
        """Open a blob for writing; it exists once its ``commit`` has returned."""

    def put(self, content: bytes) -> Digest:
        """Store ``content`` durably, unless it is there, and return its digest."""

    def has(self, digest: Digest, size: int | None = None) -> bool:
        """Say whether the blob is there, with ``size`` bytes; its bytes are not read."""

    def renew(self, digest: Digest, size: int | None = None) -> bool:
        """Say what ``has`` says, and let the blob count as written now."""

    def source(self, digest: Digest) -> BlobSource:
        """Return a reader of the blob."""

    def layer(self, key: Key) -> Layer | None:
        """Return what ``key`` came out as, if that is known and the blob is there."""

    def record(self, key: Key, layer: Layer, inputs: Mapping[str, Canonical]) -> None:
        """Remember durably that ``key``, made of ``inputs``, came out as ``layer``."""

    def lock(self, key: Key, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold the lock of ``key`` among all threads and processes."""


def open_store(root: Path, *, uid: int) -> DirStore:
    """Return the store of user ``uid`` at ``root``, created with mode 0700 if need be.

    Raises StoreError: see ``layout.prepare``.
    """
    return DirStore(root=layout.prepare(root, uid=uid), uid=uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirStore:
    """A Store in a directory that only ``uid`` can write to. Get one from ``open_store``."""

    root: Path  # absolute, without symbolic links
    uid: int

    def writer(
        self, expected: Digest | None = None, expected_size: int | None = None, *, name: str = ""
    ) -> AbstractContextManager[BlobWriter]:
        """Open a blob for writing; it exists once its ``commit`` has returned.

        ``name`` stands for it in messages. What isn't committed when the block ends is removed.
        """
        want = Expected(digest=expected, size=expected_size, name=name)
        return blob_writer(self._blobs, self.aside, want, self.guard)

    def put(self, content: bytes) -> Digest:
        """Store ``content`` durably, unless these very bytes are there, and return their digest."""
        digest = Digest.of(content)
        same = read_own(self.path(digest), uid=self.uid, limit=len(content)) == content
        if not same or not self.renew(digest):
            with self.writer(digest, len(content)) as writer:
                writer.write(content)
                writer.commit()
        return digest

    def has(self, digest: Digest, size: int | None = None) -> bool:
        """Say whether the blob is there, with ``size`` bytes; its bytes are not read."""
        try:
            status = self.path(digest).lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and size in (None, status.st_size)

    def renew(self, digest: Digest, size: int | None = None) -> bool:
        """Say what ``has`` says, and let the blob count as written now.

        So a process that holds a lease and has found a blob keeps it, without having named it.
        """
        path = self.path(digest)
        with disk_errors(path), self.guard():
            if not self.has(digest, size):
                return False
            status = path.stat()
            # Only the time of the last change moves, which nothing but the kernel sets.
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return True

    def path(self, digest: Digest) -> Path:
        """Return where the blob is, or would be."""
        return self._blobs / digest.hex

    def source(self, digest: Digest) -> BlobSource:
        """Return a reader of the blob. Raises StoreError when it isn't there."""
        path = self.path(digest)
        try:
            return BlobSource(path=path, size=path.lstat().st_size)
        except OSError as error:
            raise StoreError(f"{digest} is not in the store: {error.strerror}") from error

    def remove(self, digest: Digest) -> None:
        """Delete the blob, if it is there; rows that name it become misses."""
        path = self.path(digest)
        with disk_errors(path):
            path.unlink(missing_ok=True)

    def quarantine(self, digest: Digest) -> None:
        """Move a blob whose bytes are not those of its name to where nothing reads it."""
        path = self.path(digest)
        with disk_errors(path), contextlib.suppress(FileNotFoundError):
            path.rename(self.root / "quarantine" / digest.hex)
            sync_directory(path.parent)

    def layer(self, key: Key) -> Layer | None:
        """Return what ``key`` came out as, or None.

        None also where the row is damaged, or could be another user's, and where the blob is
        missing or has another size.
        """
        layer = read_layer(self._row(key), key)
        return layer if layer is not None and self.renew(layer.digest, layer.size) else None

    def record(self, key: Key, layer: Layer, inputs: Mapping[str, Canonical]) -> None:
        """Remember durably that ``key``, made of ``inputs``, came out as ``layer``.

        Raises StoreError when the layer's blob isn't there.
        """
        if not self.has(layer.digest, layer.size):
            raise StoreError(f"{layer.digest} ({layer.size} bytes) is not in the store")
        self._write_row(key, layer_row(key, layer, inputs))

    def forget(self, key: Key) -> None:
        """No longer know what ``key`` came out as; the blob stays."""
        path = row_path(self.root / "keys", key)
        with disk_errors(path):
            path.unlink(missing_ok=True)

    def document(self, key: Key) -> Mapping[str, Canonical] | None:
        """Return the document recorded for ``key``, or None; blobs that it names are unchecked."""
        return read_document(self._row(key), key)

    def record_document(self, key: Key, document: Mapping[str, Canonical]) -> None:
        """Remember ``document`` durably as what ``key`` came out as."""
        self._write_row(key, document_row(key, document))

    @contextlib.contextmanager
    def lock(self, key: Key, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold the lock of ``key`` among all threads and processes.

        ``on_wait`` is told who holds it, before each wait, and may raise to give up. Look again
        for what is to be made once the lock is held.
        """
        with contextlib.ExitStack() as stack:
            path = self.root / "locks" / key.hex
            with disk_errors(path):
                stack.enter_context(hold(path, on_wait))
            yield

    @contextlib.contextmanager
    def lease(self, digests: Iterable[Digest]) -> Iterator[None]:
        """Declare blobs in use for as long as the block runs, whether they exist yet or not.

        So is every blob that is written, put or renewed meanwhile, also those of ``layer``.
        """
        with leases.lease(self.root, digests, self.guard):
            yield

    def leases(self) -> Leases:
        """Return what the leases of running processes declare."""
        return leases.read(self.root, uid=self.uid)

    def remove_unleased(self, digests: Iterable[Digest]) -> None:
        """Delete those blobs that no lease names."""
        with disk_errors(self._blobs), self.guard():
            remove_abandoned(self.root / "leases")
            for digest in sorted(set(digests) - self.leases().digests):
                self.path(digest).unlink(missing_ok=True)

    def guard(self) -> AbstractContextManager[None]:
        """Keep leases, and names of blobs, from being added while a decision about them is made.

        Every build waits for it: hold it for milliseconds.
        """
        return hold_briefly(self.root / "locks" / "leases")

    def tag(
        self,
        name: str,
        *,
        manifest: Digest,
        size: int,
        media_type: str,
        annotations: Mapping[str, str],
    ) -> None:
        """Let ``name`` stand for a manifest in index.json, whatever it stood for before.

        Raises StoreError when the manifest isn't there or index.json is damaged, and ValueError
        for a malformed name.
        """
        tag = Tag(
            name=name, manifest=manifest, size=size, media_type=media_type, annotations=annotations
        )
        if not self.has(tag.manifest, tag.size):
            raise StoreError(f"{tag.manifest} ({tag.size} bytes) is not in the store")
        self._change_index(lambda there: index.replaced(there, tag))

    def untag(self, is_gone: Callable[[Tag], bool]) -> None:
        """Take their names away from those images that ``is_gone`` says.

        Raises StoreError when index.json is damaged.
        """
        self._change_index(lambda there: index.without(there, is_gone))

    def _change_index(self, change: Callable[[index.Descriptors], index.Descriptors]) -> None:
        path = self.root / layout.INDEX
        with disk_errors(path), hold(self.root / "locks" / "index", lambda _: None):
            self.write_index(change(self.named()))

    def write_index(self, descriptors: index.Descriptors) -> None:
        """Write index.json and its copy. The caller holds the lock of the index."""
        # The copy first: after a crash it may be newer than the index, and is never older.
        for name in (layout.COPY, layout.INDEX):
            write_durably(self.root / name, index.encode(descriptors), aside=self.aside)

    def named(self) -> index.Descriptors:
        """Return what index.json describes.

        Raises StoreError where it is damaged: what it names would be lost if it were changed.
        """
        found = self.descriptors()
        if found is None:
            raise StoreError(
                f"{self.root / layout.INDEX} is damaged, and what it names would be lost",
                hint="ds01 store verify --repair",
            )
        return found

    def tags(self) -> tuple[Tag, ...]:
        """Return the images that have a name, sorted by it.

        Where index.json is damaged, those that had one when it was written last.
        """
        descriptors = self.descriptors()
        tags = map(index.tag_of, (self.copied() or []) if descriptors is None else descriptors)
        return tuple(sorted((tag for tag in tags if tag), key=lambda tag: tag.name))

    @property
    def _blobs(self) -> Path:
        return self.root / "blobs" / "sha256"

    @property
    def aside(self) -> Path:
        """Return the directory for files that nobody sees before they are complete."""
        return self.root / "tmp"

    def _row(self, key: Key) -> bytes | None:
        return read_own(row_path(self.root / "keys", key), uid=self.uid, limit=LIMIT)

    def _write_row(self, key: Key, row: bytes) -> None:
        path = row_path(self.root / "keys", key)
        # Who lets others read the store lets them read what it will hold, too (docs/store.md).
        with disk_errors(path, len(row)):
            is_open = bool(self.root.stat().st_mode & stat.S_IROTH)
            make_directory(path.parent, mode=0o755 if is_open else 0o700)
        write_durably(path, row, aside=self.aside, mode=0o644 if is_open else 0o600)

    def descriptors(self) -> index.Descriptors | None:
        """Return what index.json describes, by whatever tool; None where it is damaged.

        Names of images with generations stay where another tool has dropped them.
        """
        text = self._text(layout.INDEX)
        there = _described(text)
        if text is None or there is None or index.is_own(text):
            return there
        return index.completed(there, self.copied() or [], roots.names(self.root))

    def copied(self) -> index.Descriptors | None:
        """Return what index.json described when it was written last; None where that is lost."""
        return _described(self._text(layout.COPY))

    def _text(self, name: str) -> bytes | None:
        return read_own(self.root / name, uid=self.uid, limit=LIMIT)


def _described(text: bytes | None) -> index.Descriptors | None:
    try:
        return None if text is None else index.parse(text)
    except ValueError:
        return None
