"""Finds the recipe of an image by the name of the image."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.fields import did_you_mean
from ds01build.store import roots
from ds01build.workflow.editing import recipe_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.store import DirStore

__all__ = ["find_recipe", "project_of", "recipe_of"]

_FULL = re.compile(r"ds01-[0-9]{1,10}/(?P<name>[^/:@]+)(?::[^/:@]+)?")
_SUFFIX = "-image"


def project_of(name: str, home: Path) -> Path:
    """Return the directory of the project that an image is for."""
    return home / "workspace" / (name.removesuffix(_SUFFIX) or name)


def recipe_of(project: Path) -> Path:
    """Return where the recipe of a project lies."""
    return project / "recipe.toml"


def find_recipe(name: str, store: DirStore, directory: Path, home: Path) -> Path:
    """Return the path of the recipe that the image ``name`` is built from.

    ``name`` is short, or what an engine calls it, or a path. The recipe is where it was when the
    image was built, else in ``recipes`` of ``directory`` or in that itself, else in its project,
    where image-create writes it: an image that is not built yet has its recipe, too. Raises
    Ds01Error, which lists the images that there are, and RecipeError.
    """
    full = _FULL.fullmatch(name)
    short = full["name"] if full else name
    if not full and ("/" in name or name.endswith(".toml")):
        return _given(directory / name)
    for path in _places(short, store, directory):
        if path.is_file():
            called = recipe_text(path).recipe.name
            if called == short:
                return path
            raise Ds01Error(
                f"the recipe of {short!r}, {path}, makes an image called {called!r} now",
                hint=f"image-update {path}",
            )
    written = recipe_of(project_of(short, home))
    if written.is_file() and recipe_text(written).recipe.name == short:
        return written
    raise _not_found(short, store)


def _given(path: Path) -> Path:
    if not path.is_file():
        raise Ds01Error(f"there is no recipe {path}")
    return path


def _places(name: str, store: DirStore, directory: Path) -> Iterator[Path]:
    latest = roots.latest(store.root, name) if name in roots.names(store.root) else None
    if latest is not None and latest.place:
        yield directory / latest.place
    yield directory / "recipes" / f"{name}.toml"
    yield directory / f"{name}.toml"


def _not_found(name: str, store: DirStore) -> Ds01Error:
    there = roots.names(store.root)
    images = f"the images are {', '.join(there)}" if there else "there are no images yet"
    if name in there:
        return Ds01Error(
            f"the recipe of the image {name!r} is no longer where it was",
            hint="image-update PATH, with the path of the recipe",
        )
    return Ds01Error(
        f"no image is called {name!r:.200}{did_you_mean(name, there)}; {images}",
        hint="ds01 image list, or give the path of a recipe",
    )
