"""Dockerfiles of recipes: written for people, and built stage by stage in an engine."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build import beneath, graph
from ds01build.digest import Digest
from ds01build.dockerfile import render, render_own, stages, wheels_of
from ds01build.engine.builder import DOCKERFILE, build_stages
from ds01build.errors import Ds01Error, MismatchError, StoreError
from ds01build.lock import LockedImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ds01build.base.config import BaseConfig
    from ds01build.digest import Key
    from ds01build.dockerfile import ContextFile, Rendered, Stage
    from ds01build.engine.builder import Made, Workplace
    from ds01build.lock import Lock
    from ds01build.pin import WheelPin

__all__ = [
    "Place",
    "Sources",
    "build_dockerfile",
    "default_place",
    "is_foreign",
    "project_place",
    "write_dockerfile",
]

_MARK = "made by ds01 from a lock"  # in the first line of every Dockerfile that ds01 writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A Dockerfile, and the directory that it is built in: all that it copies, and no more."""

    dockerfile: Path
    context: Path

    def command(self, tag: str) -> list[str]:
        """Return what builds it without ds01."""
        return ["docker", "build", "-t", tag, "-f", str(self.dockerfile), str(self.context)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the files of a lock are: declared ones below ``directory``, wheels by their pins."""

    directory: Path
    wheel: Callable[[WheelPin], Path]


def default_place(directory: Path, name: str) -> Place:
    """Return where the Dockerfile of an image lies in a directory of such files."""
    return Place(dockerfile=directory / f"{name}.Dockerfile", context=directory / f"{name}.context")


def project_place(recipe: Path) -> Place:
    """Return where it lies in the project of a recipe: beside it, or above ``recipes/``."""
    folder = recipe.resolve().parent
    project = folder.parent if folder.name == "recipes" else folder
    return Place(dockerfile=project / DOCKERFILE, context=project / f"{DOCKERFILE}.context")


def write_dockerfile(lock: Lock, config: BaseConfig, directory: Path, place: Place) -> Rendered:
    """Write the Dockerfile of ``lock`` and its context; declared files lie below ``directory``.

    ``config`` is the base's own. Raises Ds01Error where a link or another Dockerfile is in the way,
    for what ``render`` refuses, and for declared files that are not what the lock says.
    """
    rendered = render(graph.of(lock), lock, config)
    _refuse_foreign(place.dockerfile)
    try:
        _fill(place.context, rendered, directory)
        _put(place.dockerfile, rendered.dockerfile.encode(), 0o644)
    except OSError as error:
        problem = f"{error.filename or place.dockerfile} cannot be written: {error.strerror}"
        raise StoreError(problem) from error
    return rendered


def build_dockerfile(
    lock: Lock, config: BaseConfig, sources: Sources, workplace: Workplace
) -> Made:
    """Build ``lock`` in an engine, stage by stage, over a base of that ``config``.

    The wheels of the stages that are missing have to be there already: they go to the engine with
    the context, so that no container needs an index, its credentials or a site's certificates.
    Raises what ``build_stages`` raises.
    """
    made = graph.of(lock)

    @contextmanager
    def context(stage: Stage, names: Mapping[Key, str]) -> Iterator[Path]:
        rendered = render_own(made, lock, config, names)
        with tempfile.TemporaryDirectory(prefix="ds01-context-") as name:
            directory = Path(name)
            _fill(directory, rendered, sources.directory)
            _put(directory / DOCKERFILE, rendered.dockerfile.encode(), 0o644)
            (directory / "wheels").mkdir()  # which is copied, even where the base has all
            for pin in wheels_of(lock, stage.tier) if stage.kind == "python" else ():
                _link(sources.wheel(pin), directory / "wheels" / pin.file)
            yield directory

    return build_stages(stages(made, lock), context, workplace, base=_names(lock))


def _names(lock: Lock) -> list[str]:
    """Return what an engine may call the base: engines differ in which digest is an image's id."""
    if not isinstance(lock.base, LockedImage):
        return []
    return [str(lock.base.config), str(lock.base.manifest)]


def is_foreign(dockerfile: Path) -> bool:
    """Say whether a Dockerfile is there that ds01 did not write. Raises StoreError."""
    try:
        if not stat.S_ISREG(dockerfile.stat().st_mode):  # it may never end
            raise StoreError(f"{dockerfile} is no regular file, and stays as it is")
        with dockerfile.open(encoding="utf-8", errors="replace") as file:
            return _MARK not in file.readline(4096)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"{dockerfile} cannot be read: {error.strerror}") from error


def _refuse_foreign(dockerfile: Path) -> None:
    if dockerfile.is_symlink():  # to a checkout, say, whose file would no longer be the one
        path = shlex.quote(str(dockerfile))
        raise Ds01Error(
            f"{dockerfile} is a link, and stays as it is", hint=f"mv -T -- {path} {path}.old"
        )
    if is_foreign(dockerfile):
        raise Ds01Error(
            f"{dockerfile} was not written by ds01, and is left as it is",
            hint="mv -- {0} {0}.own".format(shlex.quote(str(dockerfile))),
        )


def _fill(directory: Path, rendered: Rendered, source: Path) -> None:
    """Put the files of a context into ``directory``; what else is there stays."""
    directory.mkdir(parents=True, exist_ok=True)  # an image without any is built in it, too
    for name, content in rendered.files.items():
        _put(directory / name, content, 0o644)
    for each in rendered.declared:
        _put(directory / each.name, _declared(each, source), each.pin.mode)


def _declared(each: ContextFile, directory: Path) -> bytes:
    content = beneath.read(directory, each.pin.source)
    if Digest.of(content) != each.pin.digest:
        raise MismatchError(
            where=each.pin.source,
            expected=str(each.pin.digest),
            actual=str(Digest.of(content)),
            hint="ds01 lock RECIPE",
        )
    return content


def _put(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, through no link that lies in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(prefix=".ds01-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        Path(aside).rename(path)
    except BaseException:
        with suppress(OSError):
            Path(aside).unlink()
        raise


def _link(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError:  # another file system
        shutil.copyfile(source, path)
