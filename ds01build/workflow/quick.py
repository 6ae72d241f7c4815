"""The build that changes nothing: decided from the bytes of the recipe, its lock and the store.

Imports nothing heavy: no resolver, no graph, no TOML.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from ds01build import __version__, beneath, versions
from ds01build.digest import Digest, Key
from ds01build.errors import Ds01Error, StoreError
from ds01build.store import roots
from ds01build.store.index import tag_of
from ds01build.workflow.built import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.digest import Canonical
    from ds01build.store import DirStore
    from ds01build.workflow.built import Built

__all__ = ["build_key", "document", "find", "follow", "lock_path", "place"]


IMAGE = 2  # raise it when the same layers give another configuration or manifest


def lock_path(recipe: Path) -> Path:
    """Return where the lock of a recipe lies: ``lockfiles/`` serves ``recipes/``.

    However the way to the recipe is spelled: ``recipes`` may be the directory that one is in.
    """
    name, folder = f"{recipe.stem}.lock", recipe.parent
    if folder.name != "recipes" and folder.resolve().name == "recipes":
        folder = folder.resolve()
    return (folder.parent / "lockfiles" if folder.name == "recipes" else folder) / name


def build_key(recipe: Digest, lock: Digest) -> Key:
    """Return the key of a build: this ds01, the bytes of a recipe, and those of its lock."""
    return Key.of(
        {
            "schema": "ds01.build/1",
            "version": __version__,
            "formats": [versions.WRITER, versions.RULES, versions.COMPRESSOR, IMAGE],
            "recipe": str(recipe),
            "lock": str(lock),
        }
    )


def document(built: Built, included: Mapping[str, Digest]) -> dict[str, Canonical]:
    """Return what a store remembers of a build: its answer, and the files beside the recipe."""
    files: dict[str, Canonical] = {path: str(digest) for path, digest in included.items()}
    return {**built.document(), "included": files}


def find(recipe: Path, lock: Path, store: DirStore) -> Built | None:
    """Return the image of ``recipe`` if nothing has changed since it was built.

    That is: recipe, lock and every file that was read beside the recipe have the same bytes, the
    store has every blob of the image in full length, and the image's name stands for it.
    """
    try:
        row = store.document(build_key(_digest(recipe), _digest(lock)))
        if row is None or not _same_files(recipe, cast("Mapping[str, str]", row["included"])):
            return None
    except Ds01Error:
        return None
    built = remembered(row)
    return built if built is not None and _is_whole(built, store) else None


def follow(recipe: Path, built: Built, store: DirStore) -> None:
    """Let the newest generation of an image that is there name where its recipe is by now.

    What cannot be written is left as it is: the image is there either way.
    """
    here, last = place(recipe), roots.latest(store.root, built.name)
    if last is not None and last.image == built.digest and last.place != here:
        with suppress(StoreError):
            roots.move(store.root, built.name, built.digest, here)


def place(recipe: Path) -> str:
    """Return the absolute path of a recipe, nothing where it is not UTF-8.

    Whoever asks for the recipe must then name it again.
    """
    try:
        return str(recipe.absolute()).encode().decode()
    except UnicodeEncodeError:
        return ""


def _digest(path: Path) -> Digest:
    return Digest.of(beneath.read(path.parent, path.name))


def _same_files(recipe: Path, included: Mapping[str, str]) -> bool:
    return all(
        str(Digest.of(beneath.read(recipe.parent, path))) == digest
        for path, digest in included.items()
    )


def _is_whole(built: Built, store: DirStore) -> bool:
    tags = map(tag_of, store.descriptors() or [])  # not of a copy: other tools read the index
    named = any(t and t.name == built.name and t.manifest == built.digest for t in tags)
    return (
        named
        and store.has(built.digest, built.manifest_size)
        and store.has(built.config_digest, built.config_size)
        and all(store.has(layer.digest, layer.size) for layer in built.layers)
    )
