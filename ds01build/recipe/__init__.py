"""Recipes: what a person writes, parsed once, and what of it decides a lock."""

from ds01build.recipe.parse import (
    AptTier,
    Base,
    DebianBase,
    FileEntry,
    FilesTier,
    FrameworkBase,
    ImageBase,
    ImageSettings,
    PythonTier,
    Recipe,
    ResolveSettings,
    RunTier,
    Tier,
    excludes_of,
    packages_of,
    parse,
)

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
