"""The edits that commands offer: what they do to a recipe's text, and what may move."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ds01build import beneath
from ds01build.errors import Ds01Error, UsageError
from ds01build.grammar import requirement_name
from ds01build.lock import LockedDebian
from ds01build.recipe import PythonTier
from ds01build.recipe.bundling import with_bundle, without_bundle
from ds01build.recipe.choosing import absence, chosen, existing, homes, plain_name
from ds01build.recipe.editing import Spot, Text, add, name_of, normal, read_from, remove
from ds01build.recipe.rebasing import base_of, rebased
from ds01build.recipe.requirements import expand
from ds01build.workflow.editing import Edit
from ds01build.workflow.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ds01build.lock import Lock
    from ds01build.recipe.editing import Kind
    from ds01build.workflow.request import Request

__all__ = [
    "Goal",
    "adding",
    "bundling",
    "importing",
    "rebasing",
    "relocking",
    "removing",
    "rewriting",
    "together",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Which tier packages go to: ``tier``; else the only one of ``kind``, or ``fallback``.

    A ``tier`` that is not there is made where there is a ``kind`` and no other ``fallback``.
    """

    kind: Kind | None = None
    tier: str = ""
    fallback: str = ""


def adding(packages: Sequence[str], goal: Goal) -> Edit:
    """Ask for packages: each where its name stands already, or else in the tier of ``goal``.

    It raises UsageError for a package that is named twice, and not as the very same requirement.
    """

    def text(recipe: Text, _: Request, __: Lock | None) -> Text:
        asked: dict[tuple[Kind, str], tuple[str, str]] = {}
        for package in packages:
            spot = _spot(recipe, package, goal)
            wanted = _normal(spot.kind, package)
            name = name_of(spot.kind, wanted)
            before, written = asked.setdefault((spot.kind, name), (wanted, package))
            if before != wanted:
                raise UsageError(
                    f"{name!r} is named twice: {written.strip()} and {package.strip()}",
                    hint="name it once, with all that is to hold of it, such as 'pandas>=2,<3'",
                )
            recipe = add(recipe, spot, [package])
        return recipe

    return Edit(text=text, upgrade=_nothing)


def removing(names: Sequence[str], tier: str = "") -> Edit:
    """Ask for packages no longer, in ``tier`` or wherever they are."""

    def text(recipe: Text, request: Request, lock: Lock | None) -> Text:
        before = recipe
        if tier:
            existing(recipe, tier)
        for name in map(plain_name, names):
            if not homes(before, None, name, tier):
                needed_by = _needing(name, lock)
                raise absence(before, name, request.packages, needed_by, tier)
            for spot in homes(recipe, None, name, tier):  # none where it was named before
                wanted = name if spot.kind == "apt" else _canonical(name)
                recipe = remove(recipe, spot, [wanted])
        return recipe

    return Edit(text=text, upgrade=_nothing)


def importing(file: Path, goal: Goal) -> Edit:
    """Ask for what a requirements file has.

    One below the recipe's directory is named there, so that what is changed in it later counts;
    the lines of another are copied.
    """

    def text(recipe: Text, request: Request, _: Lock | None) -> Text:
        spot = chosen(recipe, "python", goal.tier, goal.fallback)
        try:
            inside = file.resolve().relative_to(request.directory.resolve())
        except ValueError:
            return add(recipe, spot, _copied(file, request))
        return read_from(recipe, spot, inside.as_posix())

    return Edit(text=text, upgrade=_nothing)


def bundling(changes: Sequence[tuple[str, str]]) -> Edit:
    """Give tiers bundles: pairs of a Python tier and its bundle, which is empty for none."""

    def text(recipe: Text, _: Request, __: Lock | None) -> Text:
        for tier, bundle in changes:
            if not bundle:
                recipe = without_bundle(recipe, tier)
                continue
            is_new = tier not in [each.name for each in recipe.recipe.tiers]
            recipe = with_bundle(recipe, Spot(tier, "python", is_new=is_new), bundle)
        return recipe

    return Edit(text=text, upgrade=_nothing)


def relocking(packages: Sequence[str], *, everything: bool = False) -> Edit:
    """Leave the recipe alone, and let packages move, or everything. Raises UsageError."""
    for package in packages:
        plain_name(package)
    upgrade = Upgrade(everything=everything, packages=frozenset(packages))
    return Edit(text=lambda recipe, _, __: recipe, upgrade=lambda _: upgrade)


def rebasing(to: str) -> Edit:
    """Put the recipe on another base; on what its own is by now, where ``to`` is empty."""

    def text(recipe: Text, _: Request, __: Lock | None) -> Text:
        return rebased(recipe, base_of(to, recipe.recipe.base)) if to else recipe

    return Edit(text=text, upgrade=_base)


def rewriting(old: str, new: str) -> Edit:
    """Put another text in the place of the ``old`` one that a person has seen."""

    def text(recipe: Text, _: Request, __: Lock | None) -> Text:
        if recipe.text != old:
            raise Ds01Error(
                f"{recipe.source} was changed by somebody else in the meantime, and stays as it is "
                "now",
                hint="give the command again",
            )
        return Text(new, recipe.source)

    return Edit(text=text, upgrade=_nothing)


def together(first: Edit, *rest: Edit) -> Edit:
    """Make several edits of one, each of what those before it have left."""

    def text(recipe: Text, request: Request, lock: Lock | None) -> Text:
        for edit in (first, *rest):
            recipe = edit.text(recipe, request, lock)
        return recipe

    return Edit(text=text, upgrade=first.upgrade)


def _nothing(_: Lock | None) -> Upgrade:
    return Upgrade()


def _base(lock: Lock | None) -> Upgrade:
    """Let an image move, or the .debs of a root that no tier asked for."""
    if lock is None or not isinstance(lock.base, LockedDebian):
        return Upgrade(base=True)
    return Upgrade(packages=frozenset(pin.name for pin in lock.debs if pin.tier == "base"))


def _spot(recipe: Text, package: str, goal: Goal) -> Spot:
    there = [] if goal.tier else homes(recipe, goal.kind, package)
    if len(there) == 1:
        return there[0]
    return chosen(recipe, goal.kind, goal.tier, goal.fallback)


def _copied(file: Path, request: Request) -> tuple[str, ...]:
    """Return the packages of a file that lies elsewhere. Raises RecipeError, Ds01Error."""
    tier = PythonTier(name="imported", requirements=file.name)
    found = expand(tier, lambda path: beneath.read_text(file.parent, path))
    if found.constraints or found.digests:
        raise Ds01Error(
            f"{file} has constraints or hashes, which only a file beside the recipe can have",
            hint=_copying(file, request),
        )
    for name, times in Counter(map(requirement_name, found.packages)).items():
        if times > 1:
            raise Ds01Error(
                f"{file} asks for {name!r} twice, which only a file beside the recipe can do",
                hint=_copying(file, request),
            )
    return found.packages


def _copying(file: Path, request: Request) -> str:
    return f"cp {file} {request.directory}, then name the copy"


def _normal(kind: Kind, package: str) -> str:
    try:
        return normal(kind, package)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _needing(name: str, lock: Lock | None) -> list[str]:
    pins = lock.wheels if lock else ()
    return [pin.name for pin in pins if _canonical(name) in pin.requires]


def _canonical(name: str) -> str:
    return str(canonicalize_name(name))
