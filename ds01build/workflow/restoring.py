"""Puts the recipe and the lock of a generation back to where they lay."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build import beneath
from ds01build.digest import Digest
from ds01build.errors import Ds01Error, StoreError
from ds01build.store import roots
from ds01build.store.durable import read_own, sync_directory
from ds01build.workflow.quick import lock_path
from ds01build.workflow.replacing import aside, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.store import DirStore
    from ds01build.store.roots import Generation

__all__ = ["Restoration", "restoration", "staged"]

_LIMIT = 32 * 1024 * 1024  # bytes of a recipe or lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """Files with the bytes that they will have: the lock first, and the recipe."""

    files: tuple[tuple[Path, bytes], ...]


def restoration(store: DirStore, name: str, one: Generation, *, force: bool) -> Restoration:
    """Return what puts recipe and lock of a generation back.

    Raises Ds01Error where nobody knows them any more, where a directory of theirs is gone, and
    unless ``force``, where a file has changes that no generation of ``name`` has: they would be
    lost.
    """
    if not one.place or one.recipe is None or one.lock is None:
        raise Ds01Error(f"where the recipe of {name}@{one.number} lay is not known")
    recipe = Path(one.place)
    there = roots.generations(store.root, name)
    known = {recipe: {g.recipe for g in there}, lock_path(recipe): {g.lock for g in there}}
    command = f"ds01 image rollback {name} {one.number} --restore"
    for path in (lock_path(recipe), recipe):
        _require_directory(path, command)
    if not force:
        for path, digests in known.items():
            _refuse_changes(path, digests, command)
    return Restoration(
        files=(
            (lock_path(recipe), _content(store, one.lock)),
            (recipe, _content(store, one.recipe)),
        )
    )


@contextmanager
def staged(restoring: Restoration | None) -> Iterator[None]:
    """Write the files aside, and let them take their places when the block has ended well.

    What can fail, fails before the block begins, apart from the renaming itself. A crash between
    the two renamings leaves a lock that its recipe calls stale. Raises Ds01Error.
    """
    with ExitStack() as stack:
        files = restoring.files if restoring else ()
        written = [(stack.enter_context(aside(*file)), file[0]) for file in files]
        yield
        for new, path in written:
            with told(path):
                new.replace(path)
                sync_directory(path.parent)


def _require_directory(path: Path, command: str) -> None:
    if not path.parent.is_dir():
        raise Ds01Error(
            f"{path} cannot be written: its directory is not there",
            hint=f"mkdir -p -- {shlex.quote(str(path.parent))} && {command}",
        )


def _refuse_changes(path: Path, known: set[Digest | None], command: str) -> None:
    if os.path.lexists(path) and Digest.of(beneath.read(path.parent, path.name)) not in known:
        raise Ds01Error(
            f"{path} has changes that no generation has, and they would be lost",
            hint=f"cp {shlex.quote(str(path))} {shlex.quote(f'{path}.mine')} && {command} --yes",
        )


def _content(store: DirStore, digest: Digest) -> bytes:
    content = read_own(store.path(digest), uid=store.uid, limit=_LIMIT)
    if content is None or Digest.of(content) != digest:
        raise StoreError(
            f"{digest} is damaged, or not in the store", hint="ds01 store verify --repair"
        )
    return content
