"""Launches projects: whether their images are what their recipes come to, and their containers."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from ds01build.container import full_name, read
from ds01build.engine.creating import refuse_replaced
from ds01build.errors import Ds01Error
from ds01build.project.tree import RECIPE
from ds01build.workflow import containers, lives, owned
from ds01build.workflow.freshness import freshness
from ds01build.workflow.inventory import known
from ds01build.workflow.projects import declared, is_there, recipe_name_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ds01build.container import Wish
    from ds01build.engine.containers import Row
    from ds01build.store import DirStore
    from ds01build.workflow.containers import Host
    from ds01build.workflow.inventory import Known

__all__ = [
    "Launchable",
    "Launched",
    "launch",
    "launchable",
    "launchables",
    "there",
    "wish_of",
]

State = Literal["ready", "stale", "missing", "no recipe", "unreadable"]
Did = Literal["created", "recreated", "started", "running"]

_MOST = 500  # projects that are looked into


@dataclass(frozen=True, slots=True, kw_only=True)
class Launchable:
    """A project, and how the image of the store stands to its recipe, by hashes alone.

    ``reason`` says why an image is stale, or what cannot be read.
    """

    directory: Path
    kind: str  # empty where nothing says so
    image: str  # empty without a recipe
    state: State
    reason: str = ""

    @property
    def name(self) -> str:
        """What it is called: as its directory."""
        return self.directory.name

    @property
    def recipe(self) -> Path:
        """Where its recipe lies, or would."""
        return self.directory / RECIPE

    def answer(self) -> dict[str, object]:
        """Return the object that commands print."""
        return {
            "name": self.name,
            "directory": str(self.directory),
            "type": self.kind or None,
            "image": self.image or None,
            "state": self.state,
            "reason": self.reason or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A container that runs, and what was done for that."""

    container: str
    did: Did
    is_old: bool = False  # of another build than the image is now


def launchables(workspace: Path, store: DirStore) -> tuple[Launchable, ...]:
    """Return the projects in a directory, by name: what has a recipe, or says that it is one."""
    seen = known(store)
    try:
        found = sorted(path for path in workspace.iterdir() if _may_be(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise Ds01Error(f"{workspace} cannot be read: {error.strerror}") from error
    every = (_launchable(path, store, seen) for path in found[:_MOST])
    return tuple(each for each in every if each.kind or each.state != "no recipe")


def launchable(directory: Path, store: DirStore) -> Launchable:
    """Return how one project stands. Raises Ds01Error where it can be none, or cannot be read."""
    if not is_there(directory):
        raise Ds01Error(
            f"there is no project {directory.name!r:.130}",
            hint=f"project-init {shlex.quote(directory.name)}",
        )
    found = _launchable(directory, store, known(store))
    if found.state == "unreadable":
        raise Ds01Error(found.reason)
    return found


def _may_be(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _launchable(directory: Path, store: DirStore, seen: Known) -> Launchable:
    make = partial(Launchable, directory=directory)
    try:
        there = declared(directory)
        image = recipe_name_in(directory)
    except Ds01Error as error:
        return make(kind="", image="", state="unreadable", reason=str(error))
    make = partial(make, kind=there.kind if there else "", image=image)
    if not image:
        return make(state="no recipe")
    current = seen.current.get(image)
    inside = seen.inside.get(current.image) if current else None
    if current is None or inside is None:
        return make(state="missing")
    verdict = freshness(store, current, str(directory / RECIPE), inside.labels)
    return make(state="ready") if verdict == "fresh" else make(state="stale", reason=verdict)


def wish_of(project: Launchable, image: str, host: Host, port: int = 0) -> Wish:
    """Return the container of a project: its directory is its workspace. ``image`` is a tag.

    ``port`` of this machine is where Jupyter is going to be reached, 0 for nowhere.
    """
    wish = containers.wish_for(project.image, image, host)
    return replace(
        wish,
        workspace=str(project.directory),
        port=port,
        project=project.name,
        interface="orchestration",
    )


def there(wish: Wish, host: Host) -> Row | None:
    """Return the container of a project, None without one.

    Raises Ds01Error where one of that name has another workspace: it is another project's.
    """
    name = full_name(wish.name, host.identity.uid)
    row = next((each for each in owned.own(host) if each.name == name), None)
    if row is None:
        refuse_replaced(host.engine(), name)
        return None
    found = read(row.labels)
    if found is None or os.path.realpath(found.workspace) != os.path.realpath(wish.workspace):
        workspace = found.workspace if found else "what its labels do not say"
        raise Ds01Error(
            f"the container {name} works on {workspace}, and not on {wish.workspace}",
            hint=f"another name = in {wish.workspace}/{RECIPE} gives an image and a container of"
            f" its own; container-retire {wish.name} ends the other one",
        )
    return row


def launch(wish: Wish, host: Host, replaces: Callable[[Row], bool]) -> Launched:
    """Let the container of ``wish`` run: it is created, or the one that is there is started.

    ``replaces`` is asked about one that is of another build than the image is now, which is put in
    its place with the workspace as it is. Raises Ds01Error, Unavailable.
    """
    row = there(wish, host)
    if row is None:
        try:
            return Launched(container=containers.bring_up(wish, host).name, did="created")
        except Ds01Error:
            row = there(wish, host)
            if row is None:  # nor has another command created it meanwhile
                raise
    is_old = _is_old(row, wish, host)
    kept = read(row.labels)
    if is_old and kept and replaces(row):
        containers.replaced(row, replace(kept, image=wish.image), host, is_started=True)
        return Launched(container=row.name, did="recreated")
    did: Did = "running" if lives.wake(row, host) == "running" else "started"
    return Launched(container=row.name, did=did, is_old=is_old)


def _is_old(row: Row, wish: Wish, host: Host) -> bool:
    image = host.engine().inspect(wish.image)
    return image is not None and str(image.engine_id) != row.image_id
