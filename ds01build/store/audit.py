"""Looks a store through: what is damaged, missing or foreign, and what its bytes are for."""

from __future__ import annotations

import contextlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from ds01build.digest import Digest
from ds01build.errors import StoreError
from ds01build.events import Verified, Verifying
from ds01build.flock import remove_abandoned
from ds01build.store import roots
from ds01build.store.blobs import digest_of
from ds01build.store.directory import DirStore, open_store
from ds01build.store.durable import read_own
from ds01build.store.index import is_sealed
from ds01build.store.layout import COPY, DIRECTORIES, FILES, FORMAT, INDEX, LAYOUT, look
from ds01build.store.manifests import LIMIT, document, needed, parts
from ds01build.store.rows import key_of, read_document, read_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ds01build.events import Event, Report
    from ds01build.store.roots import Generation

__all__ = ["Finding", "Usage", "examined", "recorded_layers", "usage", "verify"]

_PASSING = ("leases", "locks", "tmp")  # what lies in these, processes hold that run now

Kind = Literal["corrupt", "missing", "foreign"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing wrong with a store. ``digest`` is that of the blob where it is one."""

    path: str  # relative to the store
    kind: Kind
    problem: str
    digest: Digest | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.kind}: {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The bytes of a store by what they are for."""

    layers: int
    images: int  # manifests and configurations
    sources: int  # wheels and .debs, and blobs that nothing names
    rows: int  # key map, generations, index
    facts: int
    logs: int
    temporary: int  # being written, or left by a killed process
    quarantined: int

    @property
    def total(self) -> int:
        """Return the sum."""
        kept = self.layers + self.images + self.sources
        return kept + self.rows + self.facts + self.logs + self.temporary + self.quarantined


def examined(root: Path, *, uid: int) -> DirStore:
    """Return the store of ``uid`` at ``root``, however damaged, to be verified; no other use of it.

    Nothing is changed, but that leftovers of killed processes go, as when any store is opened. One
    that is not there is made. Raises StoreError as ``open_store`` does for one that is not to be
    trusted.
    """
    if not root.exists():
        return open_store(root, uid=uid)
    store = DirStore(root=look(root, uid=uid), uid=uid)
    for name in _PASSING:
        if (store.root / name).is_dir():
            remove_abandoned(store.root / name)
    return store


def _untold(_: Event) -> None:
    """Tell nobody."""


def verify(store: DirStore, report: Report = _untold, *, threads: int = 2) -> Iterator[Finding]:
    """Read everything and yield what is wrong; nothing is changed.

    Blobs are compared with their names, rows and generations with their seals, and all that they
    and the index name is looked for; so are the names of each generation. What running processes
    write is left alone.
    """
    missing = list(_directories(store))
    yield from missing
    if any(finding.kind == "missing" for finding in missing):
        return  # the rest would say it again, of all that was in there
    yield from _files(store)
    yield from _documents(store)
    blobs = sorted((store.root / "blobs" / "sha256").iterdir())
    report(Verifying(size=sum(map(_size, blobs))))
    with ThreadPoolExecutor(threads) as pool:
        for finding in pool.map(partial(_blob, report), blobs):
            if finding is not None:
                yield finding
    yield from _rows(store)
    yield from _roots(store)
    named = {tag.name: tag.manifest for tag in store.tags()}
    for name, generation in _generations(store):
        yield from _generation(store, name, generation, named)
    for manifest, by in sorted(dict(_image_names(store)).items()):
        yield from _image(store, manifest, by)


def usage(store: DirStore) -> Usage:
    """Return what the bytes of ``store`` are for; what a blob is follows from what names it."""
    sizes = {path.name: _size(path) for path in (store.root / "blobs/sha256").iterdir()}
    images, layers = _named(store)
    rows = [store.root / name for name in ("keys", "roots", INDEX, COPY)]
    return Usage(
        layers=sum(sizes.get(digest.hex, 0) for digest in layers),
        images=sum(sizes.get(digest.hex, 0) for digest in images - layers),
        sources=sum(sizes.values()) - sum(sizes.get(digest.hex, 0) for digest in images | layers),
        rows=sum(map(_bytes_below, rows)),
        facts=_bytes_below(store.root / "facts"),
        logs=_bytes_below(store.root / "logs"),
        temporary=_bytes_below(store.root / "tmp"),
        quarantined=_bytes_below(store.root / "quarantine"),
    )


def _directories(store: DirStore) -> Iterator[Finding]:
    for name in DIRECTORIES:
        if not (store.root / name).is_dir():
            yield Finding(path=name, kind="missing", problem="no such directory")
    for name in ("keys", "roots"):
        for path in sorted((store.root / name).glob("*/")):
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode & 0o022 and not path.is_symlink():
                problem = f"others can write to it (mode {mode:04o})"
                yield Finding(path=_relative(store.root, path), kind="corrupt", problem=problem)


def _files(store: DirStore) -> Iterator[Finding]:
    root = store.root
    tops = {name.partition("/")[0] for name in DIRECTORIES}
    for path in sorted(root.iterdir()):
        if path.name not in {*tops, *FILES, "lost+found"}:
            yield Finding(path=path.name, kind="foreign", problem="not part of a store")
    for path in sorted((root / "blobs").iterdir()):
        if path.name != "sha256":
            yield Finding(path=_relative(root, path), kind="foreign", problem="not part of a store")
    for path in (path for name in _PASSING for path in sorted((root / name).iterdir())):
        if path.is_symlink() or path.is_dir():
            yield Finding(path=_relative(root, path), kind="foreign", problem="not part of a store")


def _documents(store: DirStore) -> Iterator[Finding]:
    root = store.root
    checks = {
        "oci-layout": LAYOUT.__eq__,
        "version": (b"%d\n" % FORMAT).__eq__,
        INDEX: is_sealed,
    }
    if os.path.lexists(root / COPY):  # otherwise made when the store is opened
        checks[COPY] = is_sealed
    for name, is_right in checks.items():
        content = read_own(root / name, uid=store.uid, limit=LIMIT)
        if content is None:
            where = root / name
            kind: Kind = "corrupt" if where.exists() or where.is_symlink() else "missing"
            yield Finding(path=name, kind=kind, problem="no such file of yours alone")
        elif not is_right(content):
            yield Finding(path=name, kind="corrupt", problem="not what ds01 wrote")


def _blob(report: Report, path: Path) -> Finding | None:
    where = f"blobs/sha256/{path.name}"
    try:
        name = Digest(f"sha256:{path.name}")
    except ValueError:
        return Finding(path=where, kind="foreign", problem="not the name of a blob")
    try:
        problem = _blob_problem(report, path, name)
    except FileNotFoundError:
        return None  # removed since it was listed
    except OSError as error:
        problem = f"it can't be read: {error.strerror}"
    return Finding(path=where, kind="corrupt", problem=problem, digest=name) if problem else None


def _blob_problem(report: Report, path: Path, name: Digest) -> str:
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        return "not a file"
    digest, size = digest_of(path, lambda count: report(Verified(size=count)))
    if digest != name:
        return f"its {size} bytes are {digest}"
    return "it can be written to" if mode & 0o222 else ""


def _rows(store: DirStore) -> Iterator[Finding]:
    keys = store.root / "keys"
    for path in sorted(_paths_below(keys)):
        where = _relative(store.root, path)
        key = key_of(keys, path)
        if key is None:
            yield Finding(path=where, kind="foreign", problem="not the name of a row")
            continue
        row = read_own(path, uid=store.uid, limit=LIMIT)
        layer = read_layer(row, key)
        if layer is None and read_document(row, key) is None:
            yield Finding(path=where, kind="corrupt", problem="not a row that ds01 wrote")
        elif layer is not None and not store.has(layer.digest, layer.size):
            problem = f"no {layer.digest} of {layer.size} bytes"
            yield Finding(path=where, kind="missing", problem=problem, digest=layer.digest)


def _roots(store: DirStore) -> Iterator[Finding]:
    names = roots.names(store.root)
    for path in sorted(_paths_below(store.root / "roots")):
        name = path.parent.name
        where = _relative(store.root, path)
        if where != f"roots/{name}/{path.name}" or name not in names:
            yield Finding(path=where, kind="foreign", problem="not the name of a generation")
        elif roots.read(path, name, uid=store.uid) is None:
            yield Finding(path=where, kind="corrupt", problem="not a generation that ds01 wrote")


def _image_names(store: DirStore) -> Iterator[tuple[Digest, str]]:
    """Yield the manifests that must be there, and what names them."""
    for tag in store.tags():
        yield tag.manifest, "index.json"
    for name, generation in _generations(store):
        yield generation.image, _path_of(name, generation)


def _generations(store: DirStore) -> Iterator[tuple[str, Generation]]:
    for name in roots.names(store.root):
        for generation in roots.generations(store.root, name):
            yield name, generation


def _path_of(name: str, generation: Generation) -> str:
    return f"roots/{name}/{generation.number}.json"


def _generation(
    store: DirStore, name: str, generation: Generation, named: Mapping[str, Digest]
) -> Iterator[Finding]:
    """Look for what a generation was made from, and for the names of its image."""
    where = _path_of(name, generation)
    for what, digest in (("lock", generation.lock), ("recipe", generation.recipe)):
        if digest is not None and not store.has(digest):
            yield Finding(path=where, kind="missing", problem=f"no {what} {digest}", digest=digest)
    image = generation.image
    if store.has(image) and (named.get(f"{name}@{image}") != image or name not in named):
        problem = f"generation {generation.number} of {name} has no name there"
        yield Finding(path="index.json", kind="missing", problem=problem, digest=image)


def _image(store: DirStore, manifest: Digest, by: str) -> Iterator[Finding]:
    if not store.has(manifest):
        yield Finding(path=by, kind="missing", problem=f"no manifest {manifest}", digest=manifest)
        return
    where = f"blobs/sha256/{manifest.hex}"
    try:
        every = needed(store, manifest)
        if store.has(every[0][0]):
            document(store, every[0][0])
    except (ValueError, StoreError) as error:
        yield Finding(path=where, kind="corrupt", problem=str(error), digest=manifest)
        return
    for digest, size in every:
        if not store.has(digest, size):
            problem = f"no {digest} of {size} bytes"
            yield Finding(path=where, kind="missing", problem=problem, digest=digest)


def _named(store: DirStore) -> tuple[set[Digest], set[Digest]]:
    """Return the digests of manifests and configurations, and those of layers."""
    layers = set(recorded_layers(store))
    images: set[Digest] = set()
    for manifest, _ in _image_names(store):
        images.add(manifest)
        with contextlib.suppress(ValueError, StoreError):  # not an image, or missing
            config, every = parts(store, manifest)
            images.add(config[0])
            layers.update(digest for digest, _ in every)
    return images, layers


def recorded_layers(store: DirStore) -> Iterator[Digest]:
    """Yield the layers that keys stand for: those which ``store`` made, not those of bases."""
    keys = store.root / "keys"
    for path in _paths_below(keys):
        key = key_of(keys, path)
        layer = key and read_layer(read_own(path, uid=store.uid, limit=LIMIT), key)
        if layer:
            yield layer.digest


def _paths_below(directory: Path) -> Iterable[Path]:
    return (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())


def _bytes_below(path: Path) -> int:
    return _size(path) if path.is_file() else sum(map(_size, _paths_below(path)))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0  # removed since it was listed


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
