"""Creates what an image is built from: a recipe from answers, its lock, its Dockerfile."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build import beneath, lockfile
from ds01build.errors import Ds01Error
from ds01build.fields import load
from ds01build.importing.requirements import refusals
from ds01build.project import bundles_of
from ds01build.recipe import FrameworkBase
from ds01build.recipe.requirements import gathered
from ds01build.wizard import Answers, compose
from ds01build.wizard.phases import Offer, fill
from ds01build.wizard.summary import summarise
from ds01build.workflow.editing import bytes_at
from ds01build.workflow.inheriting import base_config
from ds01build.workflow.naming import project_of, recipe_of
from ds01build.workflow.planning import make_plan
from ds01build.workflow.quick import lock_path
from ds01build.workflow.rendering import write_dockerfile
from ds01build.workflow.replacing import Replacement, refuse_replacing, staged
from ds01build.workflow.request import request_of
from ds01build.workflow.steps import resolve_lock
from ds01build.workflow.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ds01build.errors import Issue
    from ds01build.lock import LockedImage
    from ds01build.project import Outline
    from ds01build.recipe import Base
    from ds01build.wizard.summary import Summary
    from ds01build.workflow.bases import ImageBases
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.rendering import Place
    from ds01build.workflow.steps import Edges, Locked

__all__ = [
    "Draft",
    "draft",
    "is_taken",
    "offers",
    "package_files",
    "pinned",
    "project_of",
    "project_recipe",
    "recipe_of",
    "take",
    "write",
]

_TITLES = {
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "jax": "JAX",
    "pytorch-cpu": "PyTorch CPU-only",
}
_CUDA = re.compile(r"cuda-?([0-9]+(?:\.[0-9]+)*)")
_MOST = 8  # files that are offered
_LISTED = "requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A recipe and its lock before any file is written, and what a build of them would take."""

    planned: Planned
    summary: Summary
    before: tuple[bytes | None, bytes | None]  # what lies where recipe and lock go

    @property
    def locked(self) -> Locked:
        """The recipe and its lock."""
        return self.planned.locked


def is_taken(recipe: Path, name: str, keep: Iterable[Path] = ()) -> bool:
    """Say whether a recipe lies where that of the image ``name`` goes.

    Raises Ds01Error for what is not to be replaced, whoever wants it: a link, what is no regular
    file, one of the files to ``keep``, and the recipe of another image.
    """
    refuse_replacing(recipe, keep, "--recipe")
    there = bytes_at(recipe)
    if there is None:
        return False
    other = _name_in(there)
    if other not in ("", name):
        path = shlex.quote(str(recipe))
        raise Ds01Error(
            f"{recipe} is the recipe of another image, {other!r:.130}, and stays as it is",
            hint=f"--recipe names another file; or mv -T -- {path} {path}.old",
        )
    return True


def _name_in(content: bytes) -> str:
    """Return which image a file is the recipe of, empty where it is none, or broken."""
    try:
        name = load(content.decode()).get("name")
    except ValueError:
        return ""
    return name if isinstance(name, str) else ""


def offers(bases: ImageBases) -> tuple[Offer, ...]:
    """Return the frameworks that this machine may choose from, the usual one first."""
    return tuple(_offer(name, bases) for name in _TITLES)


def pinned(base: Base, bases: ImageBases) -> Base:
    """Return a base by the version and the architecture that it has on this machine now."""
    if not isinstance(base, FrameworkBase):
        return base
    chosen = bases.selected(base)
    return replace(base, version=chosen.framework.version, architecture=chosen.architecture)


def _offer(name: str, bases: ImageBases) -> Offer:
    plain = FrameworkBase(framework=name)
    chosen = bases.selected(plain)
    version = chosen.framework.version
    cuda = _CUDA.search(chosen.reference)
    parts = [f"{_TITLES[name]} {version}", f"+ CUDA {cuda[1]}" if cuda else ""]
    parts.append(f"({chosen.architecture})" if chosen.architecture else "")
    parts.append("[recommended]" if name == next(iter(_TITLES)) else "")
    base = replace(plain, version=version, architecture=chosen.architecture)
    return Offer(name=name, title=" ".join(filter(None, parts)), base=base)


def package_files(project: Path, home: Path) -> tuple[Path, ...]:
    """Return files that list Python packages, the project's own first."""
    names = (_LISTED, "pyproject.toml")
    own = [project / name for name in names]
    others = sorted((home / "workspace").glob("*/requirements.txt"))
    found = dict.fromkeys([*own, home / names[0], *others])
    return tuple(path for path in found if path.is_file())[:_MOST]


def take(file: Path, project: Path) -> str | tuple[str, ...]:
    """Return a file as a recipe of ``project`` names it: by its path below, or by its packages.

    What is changed later in a file of the project counts. Raises Ds01Error, which has the lines
    that an image cannot have.
    """
    texts: dict[str, str] = {}

    def read(path: str) -> str:
        texts[path] = beneath.read_text(file.parent, path)
        return texts[path]

    found, issues = gathered(file.name, read)
    if issues:
        raise _untaken(file, issues, texts)
    if file.resolve().is_relative_to(project.resolve()):
        return file.resolve().relative_to(project.resolve()).as_posix()
    if found.constraints or found.digests:
        raise Ds01Error(
            f"{file} has constraints or hashes, which only a file of the project can have",
            hint=f"cp {file} {project}",
        )
    return found.packages


def _untaken(file: Path, issues: Sequence[Issue], texts: Mapping[str, str]) -> Ds01Error:
    lines = [
        f"{note.place}: {note.text}: {note.reason}" for note in refusals(file.name, issues, texts)
    ]
    path = shlex.quote(str(file))
    return Ds01Error(
        "\n".join(lines), hint=f"take it out of the file; or, ds01 import {path} takes the rest"
    )


def project_recipe(outline: Outline, directory: Path, base: Base) -> str:
    """Return the recipe of a project's image, as image-create would write it.

    Its packages are those of the project's type, or what the directory's requirements.txt lists.
    Raises Ds01Error.
    """
    answers = Answers(name=outline.name, base=base)
    listed = directory / _LISTED
    if listed.is_file() and not listed.is_symlink():
        return compose(fill(replace(answers, requirements=take(listed, directory))))
    return compose(fill(replace(answers, use_cases=bundles_of(outline))))


def draft(text: str, recipe: Path, edges: Edges, shown: LockedImage | None = None) -> Draft:
    """Return what ``text`` comes to as the recipe at a path; no file changes.

    It stands on the base that was ``shown``, where one was, whatever its tag is by now. Raises
    RecipeError, and what locking raises.
    """
    edges = replace(edges, bases=replace(edges.bases, shown=shown))
    path = lock_path(recipe)
    before = bytes_at(recipe), bytes_at(path)
    request = request_of(recipe, text)
    locked = resolve_lock(request, None, edges, Upgrade())
    planned = make_plan(locked, edges)
    return Draft(planned=planned, summary=summarise(locked.lock, planned.plan), before=before)


def write(drafted: Draft, place: Place | None, edges: Edges) -> None:
    """Write recipe, lock and Dockerfile, all or none of the first two. Raises Ds01Error.

    An image from scratch has no Dockerfile: there is no image that one could start from.
    """
    locked = drafted.locked
    with staged(tuple(_files(drafted))) as commit:
        if place is not None:
            config = base_config(locked.lock.base, edges)
            write_dockerfile(locked.lock, config, locked.request.directory, place)
        commit()


def _files(drafted: Draft) -> Iterator[Replacement]:
    locked, (recipe, lock) = drafted.locked, drafted.before
    yield Replacement(path=locked.request.path, before=recipe, text=locked.request.text)
    yield Replacement(path=locked.path, before=lock, text=lockfile.dumps(locked.lock))
