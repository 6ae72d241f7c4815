"""The recipe: what a person wrote, parsed once. A Recipe in hand is valid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from graphlib import CycleError as GraphCycle
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from ds01build.catalogue import LATEST, bundles, find_framework
from ds01build.errors import CycleError, Ds01Error, Issue, RecipeError
from ds01build.fields import Fields, Issues, did_you_mean, load
from ds01build.grammar import deb, image_reference, matching, recipe_name, requirement_name, suite
from ds01build.recipe.settings import ImageSettings, ResolveSettings, read_image, read_resolve
from ds01build.recipe.tiers import (
    AptTier,
    FileEntry,
    FilesTier,
    PythonTier,
    RunTier,
    Tier,
    packages_of,
    read_tier,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.catalogue import Bundle

__all__ = [
    "AptTier",
    "Base",
    "DebianBase",
    "FileEntry",
    "FilesTier",
    "FrameworkBase",
    "ImageBase",
    "ImageSettings",
    "PythonTier",
    "Recipe",
    "ResolveSettings",
    "RunTier",
    "Tier",
    "excludes_of",
    "packages_of",
    "parse",
]

SCHEMA = 1

_name = matching(r"[A-Za-z0-9._-]{1,64}", "a name")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianBase:
    """A root file system from .debs of ``suite``; ``packages`` are those beyond its least."""

    suite: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBase:
    """Any OCI image."""

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkBase:
    """An entry of the catalogue. ``architecture`` is empty when the recipe leaves it open."""

    framework: str
    version: str = LATEST
    architecture: str = ""


Base = DebianBase | ImageBase | FrameworkBase


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An image as a person describes it; ``tiers`` in the order of the file."""

    schema: int = SCHEMA
    name: str
    base: Base
    tiers: tuple[Tier, ...] = ()
    image: ImageSettings = field(default_factory=ImageSettings)
    resolve: ResolveSettings = field(default_factory=ResolveSettings)


def parse(text: str, *, source: str) -> Recipe:
    """Read a recipe; ``source`` is what messages call it.

    Raises RecipeError with everything that is wrong, and CycleError.
    """
    try:
        document = load(text)
    except ValueError as error:
        raise RecipeError(source=source, issues=(Issue("", str(error)),)) from error
    issues = Issues()
    recipe = _recipe(Fields(document, "", issues))
    if recipe is None or issues.found():
        raise RecipeError(source=source, issues=issues.found())
    _refuse_cycles(recipe.tiers)
    return recipe


def excludes_of(recipe: Recipe, catalogue: Mapping[str, Bundle]) -> tuple[str, ...]:
    """Return the Python packages that the image must not hold, the bundles' own included."""
    return tuple(sorted(_excluders(recipe, catalogue)))


def _excluders(recipe: Recipe, catalogue: Mapping[str, Bundle]) -> dict[str, str]:
    """Return by whom each excluded package is excluded."""
    excluders = dict.fromkeys(recipe.resolve.exclude, "[resolve] exclude")
    for tier in recipe.tiers:
        if isinstance(tier, PythonTier) and tier.bundle:
            excluded = catalogue[tier.bundle].exclude
            excluders |= dict.fromkeys(excluded, f"the bundle {tier.bundle!r}")
    return excluders


def _recipe(table: Fields) -> Recipe | None:
    if "schema" not in table:
        table.report("required", "schema")
    table.value("schema", _schema)
    name = table.required("name", recipe_name)
    base = _base(table.table("base"))
    tiers = _tiers(table.table("tiers"))
    image, resolve = read_image(table.table("image")), read_resolve(table.table("resolve"))
    table.close()
    if base is None:
        return None
    recipe = Recipe(name=name, base=base, tiers=tiers, image=image, resolve=resolve)
    _refuse_excluded(recipe, table)
    return recipe


def _schema(value: object) -> str:
    if type(value) is not int or value != SCHEMA:
        raise ValueError(f"this ds01 reads schema = {SCHEMA}")
    return str(SCHEMA)


def _base(table: Fields) -> Base | None:
    kinds = [kind for kind in ("debian", "image", "framework") if kind in table]
    if len(kinds) != 1:
        table.report("needs exactly one of debian, image, framework")
        return None
    base: Base
    if kinds == ["debian"]:
        packages = tuple(sorted(set(table.texts("packages", deb))))
        base = DebianBase(suite=table.text("debian", suite), packages=packages)
    elif kinds == ["image"]:
        base = ImageBase(reference=table.text("image", image_reference))
    else:
        base = _framework(table)
    table.close()
    return base


def _framework(table: Fields) -> FrameworkBase:
    base = FrameworkBase(
        framework=table.text("framework", _name).lower(),
        version=table.text("version", _name) or LATEST,
        architecture=table.text("arch", _name),
    )
    try:
        if base.framework:
            find_framework(base.framework, base.version, base.architecture)
    except Ds01Error as error:
        table.report(f"{error} ({error.hint})")
    return base


def _tiers(table: Fields) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    for name, section in table.sections():
        tier = read_tier(name, section)
        if tier is not None:
            _refuse_unknown(tier, table, section)
            tiers.append(replace(tier, after=_needs(tier, tiers, section)))
    _refuse_same_files(tiers, table)
    return tuple(tiers)


def _needs(tier: Tier, before: Sequence[Tier], section: Fields) -> tuple[str, ...]:
    """Add what ``tier`` needs without being told: see docs/recipe.md."""
    implied: list[str] = []
    if isinstance(tier, RunTier) and "after" not in section:
        implied = [each.name for each in before]
    if isinstance(tier, AptTier):
        # One package database: what apt does in one tier rests on the one before.
        implied = [each.name for each in before if isinstance(each, AptTier)][-1:]
    return tuple(dict.fromkeys([*tier.after, *implied]))


def _refuse_unknown(tier: Tier, tiers: Fields, section: Fields) -> None:
    for name in tier.after:
        if name not in tiers:
            near = did_you_mean(name, tiers.names())
            section.report(f"no tier is called {name!r}{near}", "after")


def _refuse_same_files(tiers: Sequence[Tier], table: Fields) -> None:
    owners: dict[str, str] = {}
    for tier in tiers:
        for entry in tier.files if isinstance(tier, FilesTier) else ():
            if entry.to and entry.to in owners:
                problem = f"{entry.to!r:.100} is written by {owners[entry.to]!r} already"
                table.report(problem, tier.name, "files")
            owners[entry.to] = tier.name


def _refuse_excluded(recipe: Recipe, table: Fields) -> None:
    excluders = _excluders(recipe, bundles())
    for tier in recipe.tiers:
        for package in tier.packages if isinstance(tier, PythonTier) else ():
            by = excluders.get(requirement_name(package))
            if by:
                table.report(
                    f"{package!r:.100} is excluded by {by}", "tiers", tier.name, "packages"
                )


def _refuse_cycles(tiers: Sequence[Tier]) -> None:
    try:
        TopologicalSorter({tier.name: tier.after for tier in tiers}).prepare()
    except GraphCycle as error:
        needs = list(reversed(error.args[1]))[:-1]
        order = [tier.name for tier in tiers]
        start = needs.index(min(needs, key=order.index))
        cycle = (*needs[start:], *needs[:start], needs[start])
        raise CycleError(cycle=cycle) from error
