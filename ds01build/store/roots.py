"""Roots: what each recipe's builds came out as, numbered, so that one can go back."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.digest import Digest, Key
from ds01build.errors import StoreError
from ds01build.flock import hold
from ds01build.store.durable import disk_errors, make_directory, read_own, write_durably
from ds01build.store.sealed import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ds01build.digest import Canonical

__all__ = [
    "CURRENT",
    "Generation",
    "append",
    "damaged",
    "discard",
    "fits",
    "generations",
    "latest",
    "move",
    "names",
    "remove",
]

CURRENT = "ds01.generation"  # annotation of a name in index.json: the number that it stands for
_SCHEMA = "ds01.generation/2"
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")  # RFC 3339, UTC
_FILE = re.compile(r"([1-9][0-9]{0,8})\.json")
_MAX_NAME = 128
_LIMIT = 64 * 1024  # bytes of a generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The ``number``-th image of a root, by the digest of its manifest.

    ``lock`` and ``recipe`` are blobs of the store with what it was made from, and ``place`` is the
    absolute path that the recipe had on this machine; empty where nobody knows.
    """

    number: int = 0
    image: Digest
    lock: Digest | None
    recipe: Digest | None = None
    place: str = ""
    created: str  # RFC 3339, UTC, such as 2026-11-01T12:00:00Z


def append(store: Path, name: str, new: Generation) -> Generation:
    """Add a generation durably, under the next number, and return it.

    Where the latest one has the same image and lock, that is returned, with the recipe and place
    of ``new``: another text that means the same, or the same text elsewhere. ``store`` is the root
    directory of a store. Raises StoreError, and ValueError for a malformed name or time.
    """
    if not _TIME.fullmatch(new.created):
        raise ValueError(f"not a time in UTC: {new.created!r:.100}")
    directory = _directory(store, name)
    with disk_errors(directory), hold(_lock_path(store, name), lambda _: None):
        make_directory(directory)
        last = latest(store, name)
        if last is not None and (last.image, last.lock) == (new.image, new.lock):
            new = replace(last, recipe=new.recipe, place=new.place)
        else:
            new = replace(new, number=max(_numbers(directory), default=0) + 1)
        if new != last:
            _write(store, name, new)
        return new


def move(store: Path, name: str, image: Digest, place: str) -> None:
    """Say durably where the recipe of the latest generation lies now, if that has ``image``.

    Raises StoreError, and ValueError for a malformed name.
    """
    directory = _directory(store, name)
    with disk_errors(directory), hold(_lock_path(store, name), lambda _: None):
        last = latest(store, name)
        if last is not None and last.image == image:
            _write(store, name, replace(last, place=place))


def _write(store: Path, name: str, generation: Generation) -> None:
    path = _directory(store, name) / f"{generation.number}.json"
    write_durably(path, seal(_document(name, generation)), aside=store / "tmp")


def remove(store: Path, name: str, number: int) -> None:
    """Delete a generation of a root, if it is there. The newest has to stay: numbers go on."""
    path = _directory(store, name) / f"{number}.json"
    with disk_errors(path):
        path.unlink(missing_ok=True)


def discard(store: Path, name: str) -> None:
    """Delete a root with all its generations, also damaged ones; numbers begin anew.

    Raises StoreError, and ValueError for a malformed name.
    """
    directory = _directory(store, name)
    with disk_errors(directory), hold(_lock_path(store, name), lambda _: None):
        for number in sorted(_numbers(directory)):  # the newest last: until then numbers go on
            (directory / f"{number}.json").unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            directory.rmdir()


def damaged(store: Path, name: str) -> tuple[Path, ...]:
    """Return the files of generations that ``generations`` leaves out."""
    directory = _directory(store, name)
    listed = _numbers(directory)  # before they are read: more may come meanwhile
    there = {one.number for one in generations(store, name)}
    paths = (directory / f"{number}.json" for number in sorted(listed - there))
    return tuple(path for path in paths if path.exists())


def latest(store: Path, name: str) -> Generation | None:
    """Return the newest generation of a root that is whole, or None where there is none."""
    return next(_read(store, name, sorted(_numbers(_directory(store, name)), reverse=True)), None)


def generations(store: Path, name: str) -> tuple[Generation, ...]:
    """Return the generations of a root, oldest first, apart from files that are damaged.

    Raises ValueError for a malformed name.
    """
    return tuple(_read(store, name, sorted(_numbers(_directory(store, name)))))


def _read(store: Path, name: str, numbers: Iterable[int]) -> Iterator[Generation]:
    """Yield those generations that are whole, in that order."""
    directory = _directory(store, name)
    uid = store.stat().st_uid  # checked when the store was opened
    found = (read(directory / f"{number}.json", name, uid=uid) for number in numbers)
    return (one for one in found if one is not None)


def names(store: Path) -> tuple[str, ...]:
    """Return the names of all roots, sorted."""
    try:
        return tuple(sorted(path.name for path in (store / "roots").iterdir() if fits(path.name)))
    except OSError as error:
        raise StoreError(f"cannot read {store / 'roots'}: {error.strerror}") from error


def read(path: Path, name: str, *, uid: int) -> Generation | None:
    """Return the generation of root ``name`` in a file, or None unless it is whole and ours."""
    text = read_own(path, uid=uid, limit=_LIMIT)
    fields = unseal(text) if text is not None else None
    number = _FILE.fullmatch(path.name)
    if fields is None or number is None:
        return None
    try:
        generation = _parsed(fields, int(number[1]))
    except (KeyError, TypeError, ValueError):
        return None
    return generation if _document(name, generation) == fields else None


def _parsed(fields: Mapping[str, Canonical], number: int) -> Generation:
    lock, recipe = (fields[name] for name in ("lock", "recipe"))
    return Generation(
        number=number,
        image=Digest(str(fields["image"])),
        lock=None if lock is None else Digest(str(lock)),
        recipe=None if recipe is None else Digest(str(recipe)),
        place=str(fields["place"]),
        created=str(fields["created"]),
    )


def _document(name: str, generation: Generation) -> dict[str, Canonical]:
    return {
        "schema": _SCHEMA,
        "name": name,
        "number": generation.number,
        "image": generation.image.value,
        "lock": generation.lock.value if generation.lock else None,
        "recipe": generation.recipe.value if generation.recipe else None,
        "place": generation.place,
        "created": generation.created,
    }


def fits(name: str) -> bool:
    """Say whether a root can have this name."""
    return len(name) <= _MAX_NAME and _NAME.fullmatch(name) is not None


def _directory(store: Path, name: str) -> Path:
    if not fits(name):
        raise ValueError(f"not a name for a root: {name!r:.100}")
    return store / "roots" / name


def _lock_path(store: Path, name: str) -> Path:
    return store / "locks" / Key.of({"root": name}).hex


def _numbers(directory: Path) -> set[int]:
    try:
        matches = [_FILE.fullmatch(path.name) for path in directory.iterdir()]
    except FileNotFoundError:
        return set()
    return {int(match[1]) for match in matches if match}
