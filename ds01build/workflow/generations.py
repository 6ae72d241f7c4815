"""Generations of an image: which one its name stands for, and what changed between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ds01build import lockfile
from ds01build.digest import Digest
from ds01build.errors import Ds01Error, LockError, StoreError
from ds01build.image import MANIFEST_TYPE
from ds01build.store import roots
from ds01build.store.durable import read_own
from ds01build.workflow.builds import current_of
from ds01build.workflow.stored import Stored, generation, parse_numbered

if TYPE_CHECKING:
    from ds01build.lock import Lock
    from ds01build.store import DirStore
    from ds01build.store.roots import Generation

__all__ = [
    "Change",
    "Past",
    "current",
    "history",
    "numbered",
    "pin",
    "pinned",
    "previous",
    "read_lock",
    "unpin",
]

LIMIT = 32 * 1024 * 1024  # bytes of a lock or manifest

Packages = dict[tuple[str, str], str]  # versions by kind and name


class Loaded(Protocol):
    """Says of which images an engine has a copy."""

    def __call__(self, config: Digest) -> bool:
        """Say whether it has the image with this configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Packages that are new, gone, or of another version, by name."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (("+", self.added), ("-", self.removed), ("~", self.changed))
        return " ".join(f"{sign}{len(names)}" for sign, names in parts if names) or "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A generation as its history shows it; None is what cannot be known."""

    number: int
    created: str  # RFC 3339, UTC
    image: Digest
    layers: int | None
    size: int | None  # bytes: layers, configuration, manifest
    packages: Change | None  # against the generation before
    is_current: bool
    is_pinned: bool
    is_loaded: bool | None

    @property
    def state(self) -> tuple[str, ...]:
        """What there is to say of it, in words."""
        words = {"current": self.is_current, "pinned": self.is_pinned, "loaded": self.is_loaded}
        return tuple(word for word, is_so in words.items() if is_so)

    def answer(self) -> dict[str, object]:
        """Return the object that ``ds01 image history --json`` prints."""
        packages = self.packages
        return {
            "number": self.number,
            "created": self.created,
            "digest": str(self.image),
            "layers": self.layers,
            "size": self.size,
            "packages": packages
            and {
                "added": list(packages.added),
                "removed": list(packages.removed),
                "changed": list(packages.changed),
            },
            "current": self.is_current,
            "pinned": self.is_pinned,
            "in_engine": self.is_loaded,
        }


def current(store: DirStore, name: str) -> Generation | None:
    """Return the generation that ``name`` stands for.

    Several may have the same image: then the one that was named, else the newest. None where the
    name stands for none of them.
    """
    tag = next((one for one in store.tags() if one.name == name), None)
    if tag is None:
        return None
    return current_of(tag, roots.generations(store.root, name))


def previous(store: DirStore, name: str) -> Generation:
    """Return the generation before the one that ``name`` stands for.

    Raises Ds01Error where there is none.
    """
    there = roots.generations(store.root, name) if roots.fits(name) else ()
    if not there:
        raise Ds01Error(f"{name!r:.200} has no generations", hint="ds01 image list")
    now = current(store, name)
    limit = now.number if now else there[-1].number + 1
    before = [one for one in there if one.number < limit]
    if not before:
        raise Ds01Error(
            f"{name} has no generation before {limit}", hint=f"ds01 image history {name}"
        )
    return before[-1]


def history(store: DirStore, name: str, loaded: Loaded | None) -> tuple[Past, ...]:
    """Return the generations of ``name``, oldest first. ``loaded`` is None without an engine.

    Raises Ds01Error where there are none.
    """
    there = roots.generations(store.root, name) if roots.fits(name) else ()
    if not there:
        raise Ds01Error(f"{name!r:.200} has no generations", hint="ds01 image list")
    now, pins = current(store, name), pinned(store, name)
    found: list[Past] = []
    before: Packages | None = {}
    for one in there:
        packages = _packages(store, one)
        manifest = _stored(store, name, one.image)
        found.append(
            Past(
                number=one.number,
                created=one.created,
                image=one.image,
                layers=len(manifest.layers()) if manifest else None,
                size=_size(manifest) if manifest else None,
                packages=_change(before, packages),
                is_current=one == now,
                is_pinned=one.number in pins,
                is_loaded=loaded(manifest.config()) if loaded and manifest else None,
            )
        )
        before = packages
    return tuple(found)


def pinned(store: DirStore, name: str) -> frozenset[int]:
    """Return the numbers of the generations of ``name`` that are pinned."""
    pins = (parse_numbered(tag.name) for tag in store.tags())
    return frozenset(pin[1] for pin in pins if pin and pin[0] == name)


def numbered(store: DirStore, text: str) -> tuple[str, int]:
    """Return the name and number that NAME@N says, or NAME: then of what that stands for.

    Raises Ds01Error where it stands for no generation.
    """
    found = parse_numbered(text)
    if found is not None:
        return found
    now = current(store, text) if roots.fits(text) else None
    if now is None:
        raise Ds01Error(f"{text!r:.200} stands for no generation", hint="ds01 image list")
    return text, now.number


def pin(store: DirStore, name: str, number: int) -> Generation:
    """Keep a generation, whatever a collection is asked for; other tools can read it by NAME@N.

    Raises Ds01Error where there is no such generation, and StoreError where its image is not there.
    """
    with store.lease(()):
        found = generation(store, name, number)
        if not store.renew(found.image):
            raise StoreError(f"{found.image} is not in the store", hint="ds01 store verify")
        size = store.source(found.image).size
        store.tag(
            f"{name}@{number}",
            manifest=found.image,
            size=size,
            media_type=MANIFEST_TYPE,
            annotations={},
        )
    return found


def unpin(store: DirStore, name: str, number: int) -> None:
    """Let a generation go again. Raises Ds01Error where it is not pinned."""
    if number not in pinned(store, name):
        raise Ds01Error(f"{name}@{number} is not pinned", hint=f"ds01 image history {name}")
    store.untag(lambda tag: tag.name == f"{name}@{number}")


def read_lock(store: DirStore, one: Generation) -> Lock | None:
    """Return the lock of a generation, None where it is not there or of an earlier ds01."""
    text = one.lock and read_own(store.path(one.lock), uid=store.uid, limit=LIMIT)
    if not text or Digest.of(text) != one.lock:
        return None
    try:
        return lockfile.loads(text.decode(), source=str(one.lock))
    except (LockError, UnicodeDecodeError):
        return None


def _packages(store: DirStore, one: Generation) -> Packages | None:
    lock = read_lock(store, one)
    if lock is None:
        return None
    wheels = {("wheel", pin.name): pin.version for pin in lock.wheels}
    return {**wheels, **{("deb", pin.name): pin.version for pin in lock.debs}}


def _change(before: Packages | None, after: Packages | None) -> Change | None:
    if before is None or after is None:
        return None
    both = before.keys() & after.keys()
    return Change(
        added=tuple(name for _, name in sorted(after.keys() - both)),
        removed=tuple(name for _, name in sorted(before.keys() - both)),
        changed=tuple(name for _, name in sorted(both) if before[_, name] != after[_, name]),
    )


def _stored(store: DirStore, name: str, image: Digest) -> Stored | None:
    content = read_own(store.path(image), uid=store.uid, limit=LIMIT)
    if content is None or Digest.of(content) != image:
        return None
    return Stored(name=name, manifest=content, path=store.path)


def _size(image: Stored) -> int:
    document = json.loads(image.manifest)
    sizes: list[int] = [part["size"] for part in (document["config"], *document["layers"])]
    return len(image.manifest) + sum(sizes)
