"""Bundles: named lists of packages, read from bundles.toml beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, RecipeError
from ds01build.fields import Fields, Issues, did_you_mean, load
from ds01build.grammar import deb, matching, package_name, requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Bundle", "bundle", "bundles", "read"]

_KIND = matching("apt|python", "apt or python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A named list of packages for a tier of ``kind``.

    ``rank`` orders layers in a fresh lock, lower ones below. ``exclude`` names Python packages that
    no image with this bundle may hold, because another one of its packages provides them.
    """

    name: str
    kind: str  # apt or python
    rank: int
    title: str
    packages: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    note: str = ""


@cache
def bundles() -> Mapping[str, Bundle]:
    """Return the bundles by name, in the order of their rank."""
    text = files("ds01build.catalogue").joinpath("bundles.toml").read_text(encoding="utf-8")
    return MappingProxyType(read(text))


def bundle(name: str) -> Bundle:
    """Return the bundle of that name. Raises Ds01Error with the nearest name."""
    try:
        return bundles()[name]
    except KeyError as error:
        known = bundles()
        near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
        problem = f"no bundle is called {name!r:.100}{near}"
        raise Ds01Error(problem, hint="ds01 bundle list") from error


def read(text: str) -> dict[str, Bundle]:
    """Read a table of bundles. Raises RecipeError with everything that is wrong with it."""
    issues = Issues()
    sections = Fields(load(text), "", issues).sections()
    found = sorted((_bundle(name, table) for name, table in sections), key=lambda each: each.rank)
    if len({each.rank for each in found}) < len(found):
        issues.add("", "two bundles have the same rank")
    if issues.found():
        raise RecipeError(source="bundles.toml", issues=issues.found())
    return {each.name: each for each in found}


def _bundle(name: str, table: Fields) -> Bundle:
    kind = table.required("kind", _KIND)
    read = Bundle(
        name=name,
        kind=kind,
        rank=table.integer("rank"),
        title=table.required("title", str),
        packages=table.texts("packages", deb if kind == "apt" else requirement),
        exclude=table.texts("exclude", package_name),
        note=table.text("note", str),
    )
    table.close()
    return read
