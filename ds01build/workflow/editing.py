"""Changes a recipe and its lock together or not at all, and builds what they come to."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build import beneath, lockfile
from ds01build.difference import package_changes, setting_changes
from ds01build.digest import Key
from ds01build.errors import Ds01Error
from ds01build.recipe.editing import Text
from ds01build.workflow.building import build_locked
from ds01build.workflow.fresh import require_consistent
from ds01build.workflow.preferring import LOCK_LIMIT
from ds01build.workflow.quick import lock_path
from ds01build.workflow.replacing import Replacement, require_unchanged, staged
from ds01build.workflow.request import request_of
from ds01build.workflow.steps import Locked, read_lock, resolve_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ds01build.change import Change
    from ds01build.difference import PackageChange
    from ds01build.lock import Lock
    from ds01build.store import DirStore
    from ds01build.workflow.built import Built
    from ds01build.workflow.request import Request
    from ds01build.workflow.steps import Choices, Edges
    from ds01build.workflow.upgrade import Upgrade

__all__ = [
    "Edit",
    "Proposed",
    "adopt",
    "alone",
    "build_proposed",
    "bytes_at",
    "edited",
    "propose",
    "recipe_text",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """How a recipe's text changes, and what may move in its lock besides."""

    text: Callable[[Text, Request, Lock | None], Text]
    upgrade: Callable[[Lock | None], Upgrade]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A recipe and a lock as they would become; no file has changed yet."""

    before: Text
    previous: Lock | None
    locked: Locked
    lock_bytes: bytes | None  # of the lock's file; None where there is none

    @property
    def changed(self) -> bool:
        """Whether the recipe's text or its lock does."""
        return self.before.text != self.locked.request.text or self.previous != self.locked.lock

    @property
    def packages(self) -> tuple[PackageChange, ...]:
        """The packages that change in the lock: all of a first one."""
        return package_changes(self.previous, self.locked.lock)

    @property
    def settings(self) -> tuple[Change, ...]:
        """What else changes in the lock, nothing of a first one."""
        return setting_changes(self.previous, self.locked.lock) if self.previous else ()

    @property
    def diff(self) -> str:
        """The change of the recipe as a unified diff, empty where there is none."""
        name, after = str(self.locked.request.path), self.locked.request.text
        lines = difflib.unified_diff(
            self.before.text.splitlines(keepends=True),
            after.splitlines(keepends=True),
            fromfile=name,
            tofile=name,
        )
        whole = (line if line.endswith("\n") else f"{line}\n" for line in lines)
        return "".join(whole)

    @property
    def files(self) -> tuple[Replacement, ...]:
        """The recipe, then the lock: between the two it is stale, and the next run makes it."""
        request = self.locked.request
        return (
            Replacement(path=request.path, before=self.before.text.encode(), text=request.text),
            Replacement(
                path=self.locked.path,
                before=self.lock_bytes,
                text=lockfile.dumps(self.locked.lock),
            ),
        )


def recipe_text(recipe: Path) -> Text:
    """Return the text of the recipe at a path. Raises Ds01Error."""
    return Text(beneath.read_text(recipe.parent, recipe.name), str(recipe))


@contextmanager
def alone(recipe: Path, store: DirStore, tell: Callable[[str], None]) -> Iterator[None]:
    """Keep other commands of this user from editing ``recipe`` for as long as the block runs."""
    key = Key.of({"edited": str(recipe.resolve()).encode(errors="replace").decode()})

    def wait(holder: str) -> None:
        tell(f"waiting for {holder}, which edits {recipe}")

    with store.lock(key, wait):
        yield


def propose(recipe: Path, edit: Edit, edges: Edges) -> Proposed:
    """Return what ``edit`` makes of the recipe at a path and of its lock.

    Packages that it does not speak of keep their versions. Raises what reading and locking raise.
    """
    before, path = recipe_text(recipe), lock_path(recipe)
    lock_bytes = bytes_at(path)
    present = request_of(recipe, before.text)
    previous, content = read_lock(path)
    after = edit.text(before, present, previous)
    upgrade = edit.upgrade(previous)
    request = request_of(recipe, after.text)
    if previous is not None and previous.recipe == request.digest and not upgrade:
        require_consistent(previous, request, str(path))
        locked = Locked(request=request, path=path, lock=previous, content=content)
    else:
        locked = resolve_lock(request, previous, edges, upgrade)
    return Proposed(before=before, previous=previous, locked=locked, lock_bytes=lock_bytes)


def edited(recipe: Path, before: Text, edit: Edit) -> Text:
    """Return what ``edit`` makes of a text of the recipe at a path, without its lock.

    Raises RecipeError, Ds01Error.
    """
    previous, _ = read_lock(lock_path(recipe))
    return edit.text(before, request_of(recipe, before.text), previous)


def adopt(proposed: Proposed) -> None:
    """Make recipe and lock what was proposed: both, or neither. Raises Ds01Error."""
    with staged(proposed.files) as commit:
        commit()


def build_proposed(proposed: Proposed, edges: Edges, choices: Choices, *, anew: bool) -> Built:
    """Build and load what was proposed, and make recipe and lock that once it is there.

    Where anything fails, both are as they were, and the image's names stand for what they stood
    for. ``anew`` makes every layer again. Raises what ``build`` raises.
    """
    with staged(proposed.files) as commit:
        require_unchanged(proposed.files)  # a person may have looked at the changes for long
        if anew:
            from ds01build.workflow.forgetting import forget_layers

            forget_layers(proposed.locked, edges)
        built = build_locked(proposed.locked, edges, choices)
        commit()
    return built


def bytes_at(path: Path) -> bytes | None:
    """Return the bytes of a recipe or a lock, None where there is none. Raises Ds01Error."""
    try:
        return beneath.read(path.parent, path.name, limit=LOCK_LIMIT)
    except Ds01Error as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
