"""Looks at what a store holds, and deletes what was planned, as far as nobody uses it by then.

Whoever does so holds a lease meanwhile: what others find, write or name from then on stays. Names
go first, then rows, then blobs, so that a crash leaves blobs that nothing names.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.digest import Digest, Key
from ds01build.errors import StoreError
from ds01build.store import roots
from ds01build.store.durable import discard, disk_errors, free_bytes, read_own
from ds01build.store.gc import Blob, Reached, Scene
from ds01build.store.index import tag_of
from ds01build.store.reach import reached
from ds01build.store.rows import row_path, subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from ds01build.digest import Canonical
    from ds01build.store import DirStore
    from ds01build.store.gc import Deletion
    from ds01build.store.index import Tag
    from ds01build.store.leases import Leases

    Reach = Callable[[str, roots.Generation], frozenset[Digest] | None]
    Reason = Callable[[str, roots.Generation], str]

__all__ = ["look", "sweep"]

_LIMIT = 64 * 1024 * 1024  # bytes of a row
_HELD = 0.005  # seconds that builds wait at a time
_THREADS = 4  # that free space: file systems may take a millisecond for a file


def look(
    store: DirStore, reach: Reach, reason: Reason, without: frozenset[str] = frozenset()
) -> Scene:
    """Return what ``store`` holds. The caller holds a lease until all is done.

    ``reach`` says which blobs a generation of a name needs, and ``reason`` why it has to stay.
    Names ``without`` which the store is imagined have neither generations nor tags.
    Raises StoreError where index.json, a generation or a tagged manifest is damaged: what they need
    is not known then.
    """
    leases = store.leases()  # first: a build that is over by now has its names already
    names = [name for name in roots.names(store.root) if name not in without]
    generations = tuple(_generations(store, names, reach, reason))
    bound, tagged = _tags(store, {one.name for one in generations}, without)
    blobs = dict(_blobs(store))
    return Scene(
        blobs=blobs,
        rows=_rows(store),
        generations=generations,
        tagged=tagged,
        tags=bound,
        leases=leases,
        quarantined={path.name: _size(path) for path in (store.root / "quarantine").iterdir()},
        free=free_bytes(store.root),
        logs=dict(_logs(store)),
    )


def sweep(store: DirStore, scene: Scene, planned: Deletion) -> Deletion:
    """Delete what was ``planned``, but for what somebody uses by now, and return what was deleted.

    Raises StoreError; what was deleted by then may be fewer names and more garbage.
    """
    dropped = tuple(one for one in planned.generations if _drop(store, scene, one))
    spared = set(planned.generations).difference(dropped)
    tags = _untag(store, scene, planned, spared)
    needed = frozenset[Digest]().union(*(one.blobs or () for one in spared))
    removed = _remove_blobs(store, scene, [one for one in planned.blobs if one not in needed])
    rows = {key for digest in removed for key in scene.rows.get(digest, ())}
    rows.update(_remove_lost_rows(store, scene, planned))
    for name in planned.quarantined:
        discard(store.root / "quarantine" / name)
    for name in planned.logs:
        discard(store.root / "logs" / name)
    return replace(
        planned,
        generations=dropped,
        tags=tags,
        rows=tuple(sorted(rows)),
        blobs=tuple(sorted(removed)),
        size=sum(scene.blobs[digest].size for digest in removed)
        + sum(map(scene.quarantined.__getitem__, planned.quarantined))
        + sum(scene.logs[name].size for name in planned.logs),
    )


def _generations(
    store: DirStore, names: Iterable[str], reach: Reach, reason: Reason
) -> Iterator[Reached]:
    for name in names:
        for path in roots.damaged(store.root, name):
            raise StoreError(
                f"{path} is damaged, and what it needs is not known: nothing was removed",
                hint="ds01 store verify",
            )
        for one in roots.generations(store.root, name):
            yield Reached(
                name=name,
                number=one.number,
                created=one.created,
                image=one.image,
                blobs=reach(name, one),
                reason=reason(name, one),
            )


def _tags(
    store: DirStore, names: set[str], without: frozenset[str]
) -> tuple[tuple[tuple[str, str, Digest], ...], frozenset[Digest]]:
    """Return the tags that go with generations of ``names``, and what all others reach."""
    descriptors = store.descriptors()
    if descriptors is None:
        raise StoreError(
            f"{store.root / 'index.json'} is damaged, and what it names is not known: nothing was"
            " removed",
            hint="ds01 store verify",
        )
    bound: list[tuple[str, str, Digest]] = []
    tagged: set[Digest] = set()
    for one in descriptors:
        tag = tag_of(one)
        name, _, rest = tag.name.partition("@") if tag else ("", "", "")
        if tag and name in names and rest == str(tag.manifest):
            bound.append((tag.name, name, tag.manifest))
        elif not tag or name not in without:
            tagged |= _reached(store, _address(store, one), tag.name if tag else "")
    return tuple(bound), frozenset(tagged)


def _address(store: DirStore, descriptor: Mapping[str, Canonical]) -> Digest:
    try:
        return Digest(str(descriptor.get("digest")))
    except ValueError:
        raise StoreError(
            f"{store.root / 'index.json'} names {descriptor.get('digest')!r:.200}, which is not"
            " known here: nothing was removed",
            hint="ds01 store verify",
        ) from None


def _reached(store: DirStore, manifest: Digest, name: str) -> frozenset[Digest]:
    found = reached(store, manifest)
    if found is None:
        raise StoreError(
            f"what {name or manifest} needs is not known, since its manifest is damaged or missing:"
            " nothing was removed",
            hint="ds01 store verify",
        )
    return found


def _blobs(store: DirStore) -> Iterator[tuple[Digest, Blob]]:
    for entry in _entries(store.root / "blobs/sha256"):
        with contextlib.suppress(ValueError, FileNotFoundError):  # foreign; removed meanwhile
            digest, status = Digest(f"sha256:{entry.name}"), entry.stat(follow_symlinks=False)
            yield digest, Blob(size=status.st_size, changed=status.st_ctime_ns)


def _logs(store: DirStore) -> Iterator[tuple[str, Blob]]:
    for entry in _entries(store.root / "logs"):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                yield entry.name, Blob(size=status.st_size, changed=status.st_mtime_ns)


def _rows(store: DirStore) -> Mapping[Digest, tuple[Key, ...]]:
    found: dict[Digest, list[Key]] = {}
    for folder in _entries(store.root / "keys"):
        for row in _entries(folder) if folder.is_dir(follow_symlinks=False) else ():
            with contextlib.suppress(ValueError):  # foreign
                key = Key(f"sha256:{row.name.removesuffix('.json')}")
                named = subject(read_own(row.path, uid=store.uid, limit=_LIMIT), key)
                if named is not None and folder.name == key.hex[:2]:
                    found.setdefault(named, []).append(key)
    return {digest: tuple(keys) for digest, keys in found.items()}


def _entries(directory: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        yield from entries


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_size
    return 0


def _drop(store: DirStore, scene: Scene, one: Reached) -> bool:
    with store.guard():
        if _is_used(store, _leases(store, scene), one.image):
            return False
        roots.remove(store.root, one.name, one.number)
    return True


def _untag(
    store: DirStore, scene: Scene, planned: Deletion, spared: set[Reached]
) -> tuple[str, ...]:
    """Take names away, unless somebody gave them anew."""
    if not planned.tags:
        return ()
    left = {(one.name, one.image) for one in spared}
    wanted = set(planned.tags)
    gone: list[str] = []

    def is_gone(tag: Tag) -> bool:
        name = tag.name.partition("@")[0]
        leases = _leases(store, scene)
        is_free = tag.name in wanted and (name, tag.manifest) not in left
        if is_free and not _is_used(store, leases, tag.manifest):
            gone.append(tag.name)
            return True
        return False

    store.untag(is_gone)
    return tuple(sorted(gone))


def _remove_blobs(store: DirStore, scene: Scene, digests: list[Digest]) -> set[Digest]:
    """Delete blobs with their rows, a few at a time, so that nobody waits for long."""
    removed: set[Digest] = set()
    waiting = deque(digests)
    with ThreadPoolExecutor(_THREADS) as pool:
        while waiting:
            aside: list[Path] = []
            with disk_errors(store.root), store.guard():
                leases, end = _leases(store, scene), time.monotonic() + _HELD
                while waiting and time.monotonic() < end:
                    digest = waiting.popleft()
                    if not _is_used(store, leases, digest):
                        aside += _put_aside(store, _rows_and_blob(store, scene, digest))
                        removed.add(digest)
            for path in aside:  # to free gigabytes takes longer than anybody should wait
                pool.submit(discard, path)
    return removed


def _rows_and_blob(store: DirStore, scene: Scene, digest: Digest) -> Iterator[Path]:
    yield from _row_paths(store, scene.rows.get(digest, ()))
    yield store.path(digest)


def _put_aside(store: DirStore, paths: Iterable[Path]) -> Iterator[Path]:
    """Move files to where nothing reads them, and where opening a store would delete them."""
    for path in paths:
        aside = store.aside / f"{path.name}.gone"
        try:
            path.rename(aside)
        except FileNotFoundError:
            continue  # somebody else has removed it
        except OSError:  # no room for another name
            path.unlink(missing_ok=True)
        yield aside


def _remove_lost_rows(store: DirStore, scene: Scene, planned: Deletion) -> set[Key]:
    """Delete the rows of blobs that are not there."""
    lost: set[Key] = set()
    for digest in scene.rows.keys() - scene.blobs.keys() if planned.rows else ():
        with disk_errors(store.root), store.guard():
            if not store.has(digest):
                for path in _row_paths(store, scene.rows[digest]):
                    path.unlink(missing_ok=True)
                lost.update(scene.rows[digest])
    return lost


def _row_paths(store: DirStore, keys: tuple[Key, ...]) -> Iterator[Path]:
    return (row_path(store.root / "keys", key) for key in keys)


def _leases(store: DirStore, scene: Scene) -> Leases:
    return scene.leases.joined(store.leases())


def _is_used(store: DirStore, leases: Leases, digest: Digest) -> bool:
    """Say whether a lease keeps a blob as it is now."""
    try:
        changed = store.path(digest).lstat().st_ctime_ns
    except FileNotFoundError:
        return digest in leases.digests
    return leases.keep(digest, changed)
